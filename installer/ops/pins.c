#include "ops/pins.h"

#include "base/file.h"
#include "base/home.h"
#include "bundle/format.h"
#include "crypt/digest.h"
#include "wire/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

/* ---- places ---- */

char *pins_folder(const char *product)
{
    OWN_FREE char *all = home_config("trust");
    return all ? str_fmt("%s/%s", all, product) : NULL;
}

static struct err *path_of(char **ret, const char *product, const char *name)
{
    OWN_FREE char *folder = pins_folder(product);
    *ret = folder ? str_fmt("%s/%s", folder, name) : NULL;
    return *ret ? NULL : err_os(ENOMEM, "trust store");
}

static struct err *add_product(void *self, const char *name)
{
    OWN_FREE char *root = NULL;
    struct err *bad = format_name(name);
    bool named = !bad;
    err_free(bad); /* other files may lie there */
    TRY(path_of(&root, name, "root.json"));
    return named && file_exists(AT_FDCWD, root) ? strs_add(self, name) : NULL;
}

/* Products that have a root document, sorted. */
static struct err *products(struct strs *ret)
{
    OWN_FREE char *all = home_config("trust");
    OWN_FD int fd = all ? open(all, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return all && errno == ENOENT ? NULL : err_os(all ? errno : ENOMEM, "trust store");
    TRY_CTX(folder_each(fd, add_product, ret), "trust store");
    strs_sort(ret);
    return NULL;
}

/* One writer at a time: what the other one raised is not lowered again. */
static struct err *hold(int *ret, const char *product)
{
    OWN_FREE char *folder = pins_folder(product);
    TRY(folder ? file_mkdirs(AT_FDCWD, folder, 0700) : err_os(ENOMEM, "trust store"));
    *ret = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret < 0 || flock(*ret, LOCK_EX) < 0)
        return err_os(errno, "%s", folder);
    return NULL;
}

/* ---- files ---- */

static struct err *read_root(struct doc **ret, struct buf *bytes, const char *product)
{
    OWN_FREE char *path = NULL;
    TRY(path_of(&path, product, "root.json"));
    bytes->max = FORMAT_ROOT_BYTES_MAX;
    TRY(file_read(bytes, AT_FDCWD, path));
    TRY_CTX(root_parse(ret, ROOT_ANY_VERSION, bytes), "%s", path);
    if (str_eq(doc_text(*ret, "product"), product))
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_PRODUCT: %s is of product %s", path, doc_text(*ret, "product"));
}

/* Nothing was seen: what state.json says when it is not there. */
static struct doc *new_state(void)
{
    struct doc *state = doc_new_map();
    doc_set(state, "floors", doc_new_map());
    return state;
}

static struct err *read_state(struct doc **ret, const char *product)
{
    OWN_FREE char *path = NULL;
    OWN_BUF struct buf text = {.max = FLOOR_BYTES_MAX};
    TRY(path_of(&path, product, "state.json"));
    struct err *e = file_read(&text, AT_FDCWD, path);
    if (e && err_errno(e) == ENOENT) {
        err_free(e);
        *ret = new_state();
        return NULL;
    }
    TRY(e);
    e = doc_json(ret, path, text.at, text.len);
    if (!e)
        e = doc_get(*ret, "floors") ? floor_check_form(doc_get(*ret, "floors")) : err_new(ERR_FAILED, "no floors");
    return err_hint(err_as(err_wrap(e, "%s", path), ERR_FAILED),
                    "restore it; without it this account has forgotten which releases it has seen");
}

static struct err *write_file(const char *product, const char *name, const void *p, size_t n)
{
    OWN_FREE char *path = NULL;
    TRY(path_of(&path, product, name));
    return file_replace(AT_FDCWD, path, p, n, 0600);
}

static struct err *write_state(const char *product, const struct doc *state)
{
    OWN_BUF struct buf text = {0};
    TRY(doc_json_write(&text, state));
    return write_file(product, "state.json", text.at, text.len);
}

/* ---- what to check against ---- */

static struct err *check_root(const char *product)
{
    OWN_DOC struct doc *root = NULL, *state = NULL;
    OWN_BUF struct buf bytes = {0};
    TRY(read_root(&root, &bytes, product));
    TRY(read_state(&state, product));
    if (doc_int(root, "version", 0) >= doc_int(state, "root", 0))
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED,
                            "E_ROOT_CHAIN: root document %s of %s is pinned; document %s was seen before",
                            doc_text(root, "version"), product, doc_text(state, "root")),
                    "somebody put an old file back: compare a newer bundle with the publisher, `caisson trust bundle`");
}

struct err *pins_files(struct strs *ret, const char *product)
{
    OWN_STRS struct strs found = {0};
    TRY(products(&found));
    size_t before = ret->n;
    for (size_t i = 0; i < found.n; i++) {
        OWN_FREE char *path = NULL;
        if (product && !str_eq(product, found.at[i]))
            continue;
        TRY(check_root(found.at[i]));
        TRY(path_of(&path, found.at[i], "root.json"));
        TRY(strs_add(ret, path));
    }
    if (ret->n > before)
        return NULL;
    return err_hint(
        err_new(ERR_USAGE, product ? "no publisher of product %s is trusted" : "no publisher is trusted%s",
                product ? product : ""),
        "caisson trust bundle FILE pins one; or name a public key or root document as `trust` in cluster.yaml, "
        "or with --trust");
}

struct err *pins_trust(struct strs *ret, const struct cluster *c)
{
    if (!c || !c->trust.n)
        return pins_files(ret, c ? c->product : NULL);
    for (size_t i = 0; i < c->trust.n; i++)
        TRY(strs_add(ret, c->trust.at[i]));
    return NULL;
}

struct err *pins_floors(struct doc **ret, const char *product)
{
    OWN_DOC struct doc *state = NULL;
    TRY(read_state(&state, product));
    *ret = doc_clone(doc_get(state, "floors"));
    return NULL;
}

struct err *pins_newest(int64_t *ret)
{
    OWN_STRS struct strs found = {0};
    *ret = 0;
    TRY(products(&found));
    for (size_t i = 0; i < found.n; i++) {
        OWN_DOC struct doc *floors = NULL;
        TRY(pins_floors(&floors, found.at[i]));
        int64_t newest = floor_newest(floors);
        *ret = newest > *ret ? newest : *ret;
    }
    return NULL;
}

/* ---- pin ---- */

static bool is_same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

static struct err *other_is_pinned(const char *product, int64_t pinned, int64_t given)
{
    OWN_FREE char *folder = pins_folder(product);
    struct err *e =
        given < pinned
            ? err_new(ERR_UNTRUSTED, "E_ROOT_CHAIN: root document %lld of %s is pinned; this ends with %lld",
                      (long long)pinned, product, (long long)given)
            : err_new(ERR_UNTRUSTED,
                      "E_ROOT_PIN: another root document of %s is pinned, from which this does not follow", product);
    return err_hint(e, "what is pinned is never replaced: when the publisher confirms it, delete %s first",
                    folder ? folder : "it");
}

struct err *pins_look(enum pins_result *ret, const struct chain *c)
{
    OWN_DOC struct doc *root = NULL;
    OWN_BUF struct buf bytes = {0};
    const char *product = doc_text(chain_last(c), "product");
    struct err *e = read_root(&root, &bytes, product);
    *ret = PINS_NEW;
    if (e && err_errno(e) == ENOENT) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    for (size_t i = 0; i < c->n; i++)
        if (is_same(&c->raw[i].bytes, &bytes)) {
            *ret = i + 1 == c->n ? PINS_SAME : PINS_NEXT;
            return NULL;
        }
    return other_is_pinned(product, doc_int(root, "version", 0), doc_int(chain_last(c), "version", 0));
}

/* Root document first: it may be newer than what state.json says, never older. */
static struct err *put(const char *product, const struct buf *bytes, int64_t version, struct doc *state)
{
    TRY(write_file(product, "root.json", bytes->at, bytes->len));
    doc_set_int(state, "root", version);
    return write_state(product, state);
}

struct err *pins_put(const struct chain *c, bool compared)
{
    OWN_FD int lock = -1;
    OWN_DOC struct doc *state = NULL;
    const struct doc *last = chain_last(c);
    const char *product = doc_text(last, "product");
    int64_t version = doc_int(last, "version", 0);
    enum pins_result is;
    TRY(hold(&lock, product));
    TRY(pins_look(&is, c)); /* it may be another one since it was looked at first, or none */
    if (is == PINS_NEW && !compared)
        return err_hint(err_new(ERR_REFUSED, "what was pinned of %s has gone meanwhile", product), "run it again");
    TRY(read_state(&state, product));
    if (version < doc_int(state, "root", 0))
        return err_hint(err_new(ERR_UNTRUSTED,
                                "E_ROOT_CHAIN: this ends with root document %lld of %s; %s was seen before",
                                (long long)version, product, doc_text(state, "root")),
                        "ask the publisher for a bundle with all root documents");
    return put(product, &c->raw[c->n - 1].bytes, version, state);
}

/* ---- after a bundle was accepted ---- */

/* Somebody may have pinned another publisher's since the bundle was opened; a later one of this publisher stays. */
static struct err *check_pinned(const struct bundle *b, const struct doc *root, const struct buf *bytes)
{
    char hex[DIGEST_HEX];
    int64_t pinned = doc_int(root, "version", 0), given = doc_int(bundle_root(b), "version", 0);
    TRY(digest_hex(hex, bytes->at, bytes->len));
    if (pinned > given || strs_has(bundle_chain(b), hex))
        return NULL;
    return other_is_pinned(doc_text(root, "product"), pinned, given);
}

struct err *pins_accept(const struct bundle *b, const struct doc *floors)
{
    OWN_FD int lock = -1;
    OWN_DOC struct doc *state = NULL, *root = NULL;
    OWN_BUF struct buf bytes = {0};
    const struct doc *last = bundle_root(b);
    const char *product = doc_text(last, "product");
    int64_t version = doc_int(last, "version", 0);
    TRY(hold(&lock, product));
    TRY(read_root(&root, &bytes, product));
    TRY(check_pinned(b, root, &bytes));
    TRY(read_state(&state, product));
    if (floors) /* another cluster's release of that number stays: it binds none that has a record of its own */
        err_ignore(floor_merge(doc_get(state, "floors"), floors));
    if (version > doc_int(root, "version", 0))
        return put(product, bundle_root_bytes(b), version, state);
    return write_state(product, state);
}
