#include "bundle/head.h"

#include "base/str.h"
#include "bundle/sigstore.h"

#include <errno.h>
#include <string.h>

/* Classes of members in the order in which they may follow one another. */
enum class { LAYOUT, FORMAT, ROOT, ROOT_SIG, RELEASE, SIG, SIGSTORE, INDEX, BLOB };

struct name {
    enum class class;
    unsigned number; /* of a root document, of a sigstore bundle */
    char hex[65];    /* key id or digest */
};

/* "<64 hex><suffix>" and nothing else. */
static bool take_hex(char ret[65], const char *s, const char *suffix)
{
    if (strlen(s) != 64 + strlen(suffix) || strcmp(s + 64, suffix) != 0)
        return false;
    memcpy(ret, s, 64);
    ret[64] = '\0';
    return str_is_sha256(ret);
}

/* caisson/root/0001/root.json and caisson/root/0001/<keyid>.sig */
static bool classify_root(struct name *ret, const char *s)
{
    char digits[5] = {0};
    int64_t number;
    if (strlen(s) < 6 || s[4] != '/')
        return false;
    memcpy(digits, s, 4);
    if (strspn(digits, "0123456789") != 4 || !str_int(digits + strspn(digits, "0"), 1, 9999, &number))
        return false;
    ret->number = (unsigned)number;
    ret->class = strcmp(s + 5, "root.json") == 0 ? ROOT : ROOT_SIG;
    return ret->class == ROOT || take_hex(ret->hex, s + 5, ".sig");
}

/* caisson/release.<n>.sigstore.json, n from 0 without leading zeros */
static bool classify_sigstore(struct name *ret, const char *s)
{
    size_t digits = str_starts(s, "release.") ? strspn(s + 8, "0123456789") : 0;
    if (digits == 0 || digits > 3 || (digits > 1 && s[8] == '0') || strcmp(s + 8 + digits, ".sigstore.json") != 0)
        return false;
    ret->number = (unsigned)strtoul(s + 8, NULL, 10);
    return true;
}

static struct err *classify(struct name *ret, const char *s)
{
    static const struct {
        const char *name;
        enum class class;
    } fixed[] = {
        {"oci-layout", LAYOUT}, {"caisson/format", FORMAT}, {"caisson/release.json", RELEASE}, {"index.json", INDEX}};
    *ret = (struct name){0};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (strcmp(s, fixed[i].name) == 0) {
            ret->class = fixed[i].class;
            return NULL;
        }
    if (str_starts(s, "caisson/root/") && classify_root(ret, s + 13))
        return NULL;
    ret->class = SIG;
    if (str_starts(s, "caisson/sig/") && take_hex(ret->hex, s + 12, ".sig"))
        return NULL;
    ret->class = SIGSTORE;
    if (str_starts(s, "caisson/") && classify_sigstore(ret, s + 8))
        return NULL;
    ret->class = BLOB;
    if (str_starts(s, "blobs/sha256/") && take_hex(ret->hex, s + 13, ""))
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_NAME: no member of a bundle has this name");
}

static bool is_text(const struct buf *b, const char *text)
{
    return strcmp(buf_text(b), text) == 0 && b->len == strlen(text);
}

static struct err *must_equal(const struct walk *w, const char *want, const char *what)
{
    OWN_BUF struct buf got = {0};
    TRY(walk_body(&got, w, 64));
    return is_text(&got, want) ? NULL : err_new(ERR_UNTRUSTED, "E_FORMAT: %s", what);
}

static struct err *read_format(struct head *h, const struct walk *w)
{
    OWN_BUF struct buf got = {0};
    TRY(walk_body(&got, w, 64));
    h->delta = is_text(&got, FORMAT_DELTA);
    if (h->delta || is_text(&got, FORMAT_FULL))
        return NULL;
    if (str_starts(buf_text(&got), "caisson-bundle 1 "))
        return err_new(ERR_UNTRUSTED, "E_FORMAT: not a bundle of format 1");
    return err_new(ERR_UNTRUSTED, "E_FORMAT: another format; this bundle needs a newer caisson than %s",
                   CAISSON_VERSION);
}

static struct err *read_sig(struct sigs *sigs, const struct walk *w, const char *keyid)
{
    OWN_BUF struct buf body = {0};
    TRY(walk_body(&body, w, FORMAT_SIG_BYTES_MAX));
    return sigs_add(sigs, keyid, body.at, body.len);
}

static struct err *read_root(struct head *h, const struct walk *w, const struct name *name)
{
    if (name->number != h->n_roots + 1)
        return err_new(ERR_UNTRUSTED, "E_ROOT_CHAIN: root document %u where %zu belongs", name->number, h->n_roots + 1);
    if (h->n_roots == FORMAT_ROOTS_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: more than %d root documents", FORMAT_ROOTS_MAX);
    struct root_raw *more = realloc(h->roots, (h->n_roots + 1) * sizeof *more);
    if (!more)
        return err_os(ENOMEM, "root documents");
    h->roots = more;
    more[h->n_roots] = (struct root_raw){.at = w->at};
    return walk_body(&more[h->n_roots++].bytes, w, FORMAT_ROOT_BYTES_MAX);
}

static struct err *read_root_sig(struct head *h, const struct walk *w, const struct name *name)
{
    if (name->number != h->n_roots)
        return err_new(ERR_UNTRUSTED, "E_ORDER: a signature of another root document");
    return read_sig(&h->roots[h->n_roots - 1].sigs, w, name->hex);
}

static struct err *read_sigstore(struct head *h, const struct walk *w, const struct name *name)
{
    if (name->number != h->n_sigstores)
        return err_new(ERR_UNTRUSTED, "E_ORDER: sigstore bundle %u where %zu belongs", name->number, h->n_sigstores);
    if (h->n_sigstores == FORMAT_SIGS_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: more than %d sigstore bundles", FORMAT_SIGS_MAX);
    struct sigstore_raw *raw = &h->sigstores[h->n_sigstores++];
    raw->at = w->at;
    return walk_digest(raw->hex, w, FORMAT_SIGSTORE_BYTES_MAX);
}

static struct err *read_member(struct head *h, const struct walk *w, const struct name *name)
{
    switch (name->class) {
    case LAYOUT:
        return must_equal(w, FORMAT_LAYOUT, "not an OCI image layout 1.0.0");
    case FORMAT:
        return read_format(h, w);
    case ROOT:
        return read_root(h, w, name);
    case ROOT_SIG:
        return read_root_sig(h, w, name);
    case RELEASE:
        h->release_at = w->at;
        return walk_body(&h->release, w, FORMAT_RELEASE_BYTES_MAX);
    case SIG:
        return read_sig(&h->sigs, w, name->hex);
    case SIGSTORE:
        return read_sigstore(h, w, name);
    case INDEX:
    case BLOB:
        break;
    }
    return NULL;
}

/* True when `next` may stand behind `last`. */
static bool follows(enum class last, enum class next)
{
    switch (next) {
    case LAYOUT:
        return false;
    case FORMAT:
        return last == LAYOUT;
    case ROOT:
        return last == FORMAT || last == ROOT || last == ROOT_SIG;
    case ROOT_SIG:
    case RELEASE:
        return last == ROOT || last == ROOT_SIG;
    case SIG:
        return last == RELEASE || last == SIG;
    case SIGSTORE:
    case INDEX:
        return last == RELEASE || last == SIG || last == SIGSTORE;
    case BLOB:
        break;
    }
    return false;
}

static struct err *check_order(bool first, enum class last, enum class next)
{
    if (first ? next == LAYOUT : follows(last, next))
        return NULL;
    if (last == LAYOUT && !first)
        return err_new(ERR_UNTRUSTED, "E_FORMAT: caisson/format is missing: this is no caisson bundle");
    return err_new(ERR_UNTRUSTED, "E_ORDER: this member does not belong here");
}

/* Readers of a pipe keep the head in memory. */
static struct err *check_limit(const struct walk *w)
{
    return w->next <= FORMAT_HEAD_BYTES_MAX
               ? NULL
               : err_new(ERR_UNTRUSTED, "E_LIMIT: more than %d bytes up to the first blob", FORMAT_HEAD_BYTES_MAX);
}

static struct err *read_all(struct head *h, struct walk *w)
{
    enum class last = LAYOUT;
    for (bool first = true;; first = false) {
        struct name name;
        bool end;
        TRY(walk_next(&end, w));
        if (end)
            return err_new(ERR_UNTRUSTED, "%s: E_MISSING: the bundle ends before index.json", source_path(w->source));
        TRY(walk_place(classify(&name, w->entry.name), w));
        TRY(walk_place(check_order(first, last, name.class), w));
        TRY(walk_place(check_limit(w), w));
        if (name.class == INDEX)
            break;
        TRY(walk_place(read_member(h, w, &name), w));
        last = name.class;
    }
    h->index_at = w->at;
    h->mtime = w->mtime;
    return NULL;
}

static struct err *no_sig(const char *file, const char *name, uint64_t at)
{
    return err_hint(err_new(ERR_UNTRUSTED, "%s: member %s at byte %llu: E_SIG_NONE: it is not signed", file, name,
                            (unsigned long long)at),
                    "get the bundle again from where it was published");
}

struct err *head_read(struct head *ret, const struct source *source)
{
    struct walk w = {.source = source, .mtime = -1};
    const char *file = source_path(source);
    TRY(read_all(ret, &w));
    for (size_t i = 0; i < ret->n_roots; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "caisson/root/%04zu/root.json", i + 1);
        if (ret->roots[i].sigs.n == 0)
            return no_sig(file, name, ret->roots[i].at);
    }
    return ret->sigs.n ? NULL : no_sig(file, "caisson/release.json", ret->release_at);
}

/* What other tools read says the same as ours do, byte for byte: nothing in the file is anybody's to change. */
struct err *head_check_sigstores(const struct head *h, const char *file)
{
    char ours[FORMAT_SIGS_MAX][DIGEST_HEX];
    for (size_t i = 0; h->n_sigstores && i < h->sigs.n; i++) {
        OWN_BUF struct buf text = {0};
        TRY(sigstore_make(&text, &h->release, &h->sigs.at[i]));
        TRY(digest_hex(ours[i], text.at, text.len));
    }
    for (size_t i = 0, j; i < h->n_sigstores; i++) {
        for (j = 0; j < h->sigs.n && strcmp(h->sigstores[i].hex, ours[j]) != 0; j++)
            ;
        if (j == h->sigs.n)
            return err_new(ERR_UNTRUSTED,
                           "%s: member caisson/release.%zu.sigstore.json at byte %llu: E_SIG_BAD: none of the "
                           "release's signatures, as sigstore's tools read them",
                           file, i, (unsigned long long)h->sigstores[i].at);
    }
    return NULL;
}

void head_done(struct head *h)
{
    for (size_t i = 0; i < h->n_roots; i++)
        buf_done(&h->roots[i].bytes);
    free(h->roots);
    buf_done(&h->release);
}
