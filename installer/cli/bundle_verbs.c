#include "cli/verbs.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "bundle/format.h"
#include "cli/passphrase.h"
#include "cli/supply_args.h"
#include "doc/schema.h"
#include "net/remote.h"
#include "ops/pins.h"
#include "supply/build.h"
#include "supply/compare.h"
#include "supply/keys.h"
#include "supply/sbom_read.h"
#include "supply/show.h"
#include "supply/spdx.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { EXIT_DIFFERENT = 2 };

/* ---- verify, inspect, list, licenses, sbom, diff ---- */

/* Bundles are checked against a key more than once. Whoever reads the file says what is wrong with it. */
static struct err *copy_pipe(struct keys *k, const char **file)
{
    OWN_BUF struct buf text = {.max = FORMAT_ROOT_BYTES_MAX};
    struct stat st;
    if (stat(*file, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return NULL;
    TRY(file_read_named(&text, "public key", *file));
    TRY(keys_memory_file(&k->fds[k->n_copies], k->copies[k->n_copies], text.at, text.len));
    *file = k->copies[k->n_copies++];
    return NULL;
}

struct err *keys_given(struct keys *k, const struct args *a)
{
    k->n = args_all(a, "trust", k->given);
    k->at = k->given;
    for (size_t i = 0; i < k->n; i++)
        TRY(copy_pipe(k, &k->given[i]));
    return NULL;
}

struct err *keys_choose(struct keys *k, struct cli *x, const char *path)
{
    TRY(keys_given(k, &x->args));
    if (k->n)
        return NULL;
    OWN(cluster_freep) struct cluster *cluster = NULL;
    if (args_has(&x->args, "config") || file_exists(AT_FDCWD, x->run.file))
        TRY(cluster_load(&cluster, x->run.file));
    TRY_CTX(pins_trust(&k->files, cluster), "whose key must have signed %s?", path);
    k->at = (const char *const *)k->files.at;
    k->n = k->files.n;
    return NULL;
}

void keys_done(struct keys *k)
{
    for (size_t i = 0; i < k->n_copies; i++)
        own_close(&k->fds[i]);
    strs_done(&k->files);
}

/* Opens the i-th operand: a file, a list of parts, a release's folder in a store, or a URL. */
static struct err *open_with(struct bundle **ret, struct cli *x, int i, enum bundle_accept accept,
                             const struct keys *keys)
{
    struct net_choice net;
    struct source *source = NULL;
    net_choose(&net, x);
    TRY(remote_open(&source, args_operand(&x->args, i), &net.opts));
    return bundle_open_source(ret, source, accept, keys->at, keys->n);
}

static struct err *open_bundle(struct bundle **ret, struct cli *x, enum bundle_accept accept)
{
    OWN_KEYS struct keys keys = {0};
    TRY(keys_choose(&keys, x, args_operand(&x->args, 0)));
    return open_with(ret, x, 0, accept, &keys);
}

/* The time is at least the newest that the trust store has seen, where --trust does not name another. */
static struct err *check_dates(const struct cli *x, const struct bundle *b, struct strs *warnings)
{
    int64_t clock = clock_wall_s(), newest = 0;
    if (!args_has(&x->args, "trust"))
        TRY(pins_newest(&newest));
    return bundle_dates(b, newest > clock ? newest : clock, args_has(&x->args, "enforce-dates") ? NULL : warnings);
}

struct err *open_once(struct bundle **ret, struct cli *x, const struct keys *keys, struct strs *warnings)
{
    struct source *source = NULL;
    struct net_choice net;
    net_choose(&net, x);
    TRY(remote_open_once(&source, args_operand(&x->args, 0), &net.opts));
    TRY(bundle_open_source(ret, source, BUNDLE_DELTA, keys->at, keys->n));
    return check_dates(x, *ret, warnings);
}

bool verify_progress(void *self, uint64_t done, uint64_t total)
{
    struct cli *x = self;
    event_progress(x->run.events, NULL, "verify", done, total);
    return !cancel_is_set(&x->cancel);
}

struct err *run_bundle_verify(struct cli *x, struct doc **ret)
{
    OWN_KEYS struct keys keys = {0};
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_STRS struct strs warnings = {0};
    TRY(keys_choose(&keys, x, args_operand(&x->args, 0)));
    TRY(open_once(&b, x, &keys, &warnings));
    TRY(bundle_verify(b, verify_progress, x));
    *ret = bundle_receipt(b);
    doc_set_texts(*ret, "warnings", &warnings);
    return NULL;
}

void show_bundle_verify(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    char size[24];
    str_size(size, (uint64_t)doc_int(d, "bytes", 0));
    (void)fprintf(out, "%s is intact: %s %s %s, sequence %s, %s in %s members\n", doc_text(d, "path"),
                  doc_text(d, "product"), doc_text(d, "profile"), doc_text(d, "version"), doc_text(d, "sequence"), size,
                  doc_text(d, "members"));
    (void)fprintf(out, "release %s\n", doc_text(d, "digest"));
    DOC_EACH (v, doc_get(d, "signers"))
        (void)fprintf(out, "signed by %s\n", v->text);
    if (doc_get(d, "missing"))
        (void)fprintf(out, "a delta without %s of these members: caisson bundle join makes it a bundle\n",
                      doc_text(d, "missing"));
    DOC_EACH (v, doc_get(d, "warnings"))
        (void)fprintf(out, "warning: %s\n", v->text);
}

struct err *run_bundle_inspect(struct cli *x, struct doc **ret)
{
    OWN_BUNDLE struct bundle *b = NULL;
    TRY(open_bundle(&b, x, BUNDLE_TO_SIGN)); /* officers look before they sign */
    return show_inspect(ret, b);
}

void show_bundle_inspect(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    show_inspect_text(out, d);
}

struct err *run_bundle_list(struct cli *x, struct doc **ret)
{
    OWN_BUNDLE struct bundle *b = NULL;
    if (!args_operand(&x->args, 0))
        return run_store_list(x, ret);
    TRY(open_bundle(&b, x, BUNDLE_FULL));
    return show_list(ret, b);
}

void show_bundle_list(FILE *out, const struct cli *x, const struct doc *d)
{
    if (args_operand(&x->args, 0))
        show_list_text(out, d);
    else
        show_store_list(out, x, d);
}

struct err *run_bundle_licenses(struct cli *x, struct doc **ret)
{
    OWN_BUNDLE struct bundle *b = NULL;
    TRY(open_bundle(&b, x, BUNDLE_FULL));
    *ret = show_licenses(b);
    return NULL;
}

void show_bundle_licenses(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    show_licenses_text(out, d);
}

struct err *run_bundle_sbom(struct cli *x, struct doc **ret)
{
    static const char *const formats[] = {"cyclonedx", "spdx"};
    const char *format = args_text(&x->args, "format", formats[0]);
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_DOC struct doc *sbom = NULL;
    if (!str_eq(format, formats[0]) && !str_eq(format, formats[1])) {
        const char *near = schema_nearest(format, formats, ARRAY_LEN(formats));
        return err_hint(err_new(ERR_USAGE, "there is no format \"%s\"", format),
                        near ? "did you mean %s?" : "cyclonedx or spdx%s", near ? near : "");
    }
    TRY(open_bundle(&b, x, BUNDLE_FULL));
    TRY(sbom_read(&sbom, b));
    if (str_eq(format, formats[1]))
        return spdx_from(ret, sbom);
    *ret = TAKE(sbom);
    return NULL;
}

/* The document is JSON whichever output was asked for. */
void show_json(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    OWN_BUF struct buf text = {0};
    struct err *e = doc_json_write(&text, d);
    if (!e)
        (void)fprintf(out, "%s\n", buf_text(&text));
    err_ignore(e); /* only memory can be short: an empty output is no document */
}

struct err *run_bundle_diff(struct cli *x, struct doc **ret)
{
    OWN_KEYS struct keys keys = {0};
    OWN_BUNDLE struct bundle *a = NULL, *b = NULL;
    TRY(keys_choose(&keys, x, args_operand(&x->args, 0)));
    TRY(open_with(&a, x, 0, BUNDLE_FULL, &keys));
    TRY(open_with(&b, x, 1, BUNDLE_FULL, &keys));
    TRY(compare_releases(ret, a, b));
    x->exit = doc_int(*ret, "changes", 0) ? EXIT_DIFFERENT : 0;
    return NULL;
}

void show_bundle_diff(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    compare_text(out, d);
}

/* ---- build ---- */

/* What the options point at lives as long as the build. */
struct build {
    struct build_opts o;
    struct supply_args files;
    struct doc *rollback_to;
    char *out;
    const char *trust[ARGS_MAX];
    char expires[32];
};

/* The bundle is named after the profile, its version and platform. */
static struct err *choose_files(struct build *b, const struct args *a)
{
    TRY(supply_args_read(&b->files, a, "lock"));
    const char *out = args_text(a, "out", NULL), *version = b->o.version ? b->o.version : b->files.version;
    b->out = out ? strdup(out)
                 : str_fmt("%s-%s-%s-linux-amd64.csn.tar", b->o.product ? b->o.product : "caisson", b->files.name,
                           version ? version : "0");
    b->o.profile = b->files.profile;
    b->o.cache = b->files.cache;
    b->o.lock = b->files.lock;
    b->o.out = b->out;
    return b->out ? NULL : err_os(ENOMEM, "options");
}

static struct err *choose_numbers(struct build *b, const struct args *a)
{
    int64_t epoch = 0, sequence = 1, date = 0;
    const char *env = getenv("SOURCE_DATE_EPOCH");
    if (env && *env && !str_int(env, 0, UINT32_MAX, &date))
        return err_new(ERR_USAGE, "SOURCE_DATE_EPOCH: \"%s\" is no number of seconds", env);
    TRY(args_int(a, "source-date-epoch", 0, UINT32_MAX, &date)); /* the year 2106 */
    TRY(args_int(a, "epoch", 0, UINT32_MAX, &epoch));
    TRY(args_int(a, "sequence", 0, (INT64_C(1) << 53) - 1, &sequence));
    TRY(args_positions(a, "rollback-to", b->rollback_to));
    b->o.rollback_to = b->rollback_to;
    b->o.source_date_epoch = date;
    b->o.epoch = (uint32_t)epoch;
    b->o.sequence = (uint64_t)sequence;
    return NULL;
}

static struct err *choose(struct build *b, const struct args *a)
{
    b->o.key = args_text(a, "key", NULL);
    b->o.root = args_text(a, "root", NULL);
    b->o.root_key = args_text(a, "root-key", NULL);
    b->o.bundles_dir = args_text(a, "bundles", "bundles");
    b->o.product = args_text(a, "product", NULL);
    b->o.channel = args_text(a, "channel", NULL);
    b->o.version = args_text(a, "version", NULL);
    b->o.requires = args_text(a, "requires", NULL);
    b->o.n_trust = args_all(a, "trust", b->trust);
    b->o.trust = b->o.n_trust ? b->trust : NULL;
    if (!b->o.key)
        return err_hint(err_new(ERR_USAGE, "bundle build needs --key FILE, which signs the release"),
                        "caisson key generate NAME makes one");
    if (b->o.root && (b->o.root_key || args_has(a, "epoch")))
        return err_hint(
            err_new(ERR_USAGE, "--%s and --root: the root documents say that", b->o.root_key ? "root-key" : "epoch"),
            "caisson root rotate %s makes the next one", b->o.root);
    TRY(args_date(a, "expires", b->expires));
    b->o.expires = *b->expires ? b->expires : NULL;
    TRY(choose_numbers(b, a));
    return choose_files(b, a);
}

bool build_says(void *self, const char *what, uint64_t done, uint64_t total)
{
    struct cli *x = self;
    event_progress(x->run.events, NULL, what, done, total);
    return !cancel_is_set(&x->cancel);
}

static struct err *build(struct doc **ret, struct cli *x, struct build *b)
{
    struct build_result made = {0};
    struct keys_ask ask = passphrase_ask(x);
    b->o.ask = &ask;
    TRY(choose(b, &x->args));
    TRY(bundle_build(&made, &b->o, build_says, x));
    *ret = doc_new_map();
    doc_set_text(*ret, "path", b->o.out);
    doc_set_fmt(*ret, "digest", "sha256:%s", made.digest);
    doc_set_int(*ret, "bytes", (int64_t)made.bytes);
    doc_set_int(*ret, "members", (int64_t)made.members);
    doc_set_int(*ret, "signatures", (int64_t)made.signatures);
    doc_set_int(*ret, "threshold", (int64_t)made.threshold);
    return NULL;
}

struct err *run_bundle_build(struct cli *x, struct doc **ret)
{
    struct build b = {.rollback_to = doc_new_list()};
    struct err *e = build(ret, x, &b);
    doc_free(b.rollback_to);
    supply_args_done(&b.files);
    free(b.out);
    return e;
}

void show_bundle_build(FILE *out, const struct cli *x, const struct doc *d)
{
    (void)x;
    char size[24];
    str_size(size, (uint64_t)doc_int(d, "bytes", 0));
    (void)fprintf(out, "built %s, %s in %s members\nrelease %s\n", doc_text(d, "path"), size, doc_text(d, "members"),
                  doc_text(d, "digest"));
    if (doc_int(d, "signatures", 0) < doc_int(d, "threshold", 0))
        (void)fprintf(out, "%s of %s signatures: nobody takes it before `caisson bundle sign` added the others\n",
                      doc_text(d, "signatures"), doc_text(d, "threshold"));
}
