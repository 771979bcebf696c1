/*
 * libFuzzer target: the chain of root documents, from the trusted keys to the release. The input is lines: a root
 * document, `release` and the release's bytes, or a signature of the line before: a key id, a space, bytes. Keys and
 * signatures are stand-ins, or the fuzzer would have to guess real ones: a key is one hex digit, and "good" is a
 * signature that holds. Whatever is accepted is counted again here, by rules of bundles/README.md.
 */
#include "base/file.h"
#include "bundle/trust.h"
#include "crypt/key.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* ---- stand-ins, linked in place of crypt/'s functions ---- */

#define ED25519 "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA"
#define P256 "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"

struct key {
    char pem[96]; /* scheme and digit */
    char id[65];
};

struct err *__wrap_key_public_from_pem(struct key **ret, const char *pem, size_t len);
struct err *__wrap_key_id(char ret[DIGEST_HEX], const struct key *k);
struct err *__wrap_key_public_pem(struct buf *out, const struct key *k);
struct err *__wrap_key_verify(const struct key *k, const void *sig, size_t sig_len, const void *msg, size_t n);
void __wrap_key_free(struct key *k);

struct err *__wrap_key_public_from_pem(struct key **ret, const char *pem, size_t len)
{
    size_t fixed = strlen(str_starts(pem, P256) ? P256 : ED25519);
    if (!format_scheme(pem) || len <= fixed || !strchr("0123456789abcdef", pem[fixed]))
        return err_new(ERR_UNTRUSTED, "no key");
    struct key *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    (void)snprintf(k->pem, sizeof k->pem, "%.*s", (int)fixed + 1, pem);
    memset(k->id, pem[fixed], 64);
    k->id[0] = fixed == strlen(P256) ? 'a' : 'e';
    *ret = k;
    return NULL;
}

struct err *__wrap_key_id(char ret[DIGEST_HEX], const struct key *k)
{
    memcpy(ret, k->id, DIGEST_HEX);
    return NULL;
}

struct err *__wrap_key_public_pem(struct buf *out, const struct key *k)
{
    return buf_str(out, k->pem);
}

static bool is_good(const void *sig, size_t len)
{
    return len == 4 && memcmp(sig, "good", 4) == 0;
}

struct err *__wrap_key_verify(const struct key *k, const void *sig, size_t sig_len, const void *msg, size_t n)
{
    (void)k;
    (void)msg;
    (void)n;
    return is_good(sig, sig_len) ? NULL : err_new(ERR_UNTRUSTED, "no signature");
}

void __wrap_key_free(struct key *k)
{
    free(k);
}

/* ---- what is trusted: two keys and one root document ---- */

enum { TRUSTED = 3 };

#define KEY_2 "e222222222222222222222222222222222222222222222222222222222222222"
#define ROLE_2 "{\"keyids\":[\"" KEY_2 "\"],\"threshold\":1}"
static const char pinned[] =
    "{\"_type\":\"caisson-root\",\"deny\":[],\"epoch\":0,\"keys\":{\"" KEY_2 "\":{\"scheme\":\"ed25519\",\"spki\":"
    "\"-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEA2\"}},\"product\":\"caisson\",\"roles\":{\"release\":" ROLE_2
    ",\"root\":" ROLE_2 "},\"schema\":1,\"version\":1}";
static char trusted_ids[2][65]; /* of the keys */
static char trust_paths[TRUSTED][32];

static void trust_make(void)
{
    static const char *const texts[TRUSTED] = {ED25519 "0", P256 "1", pinned};
    for (int i = 0; i < TRUSTED; i++) {
        int fd = memfd_create("trust", MFD_CLOEXEC); /* for the life of the process */
        if (fd < 0 || fd_write_all(fd, texts[i], strlen(texts[i])))
            abort();
        (void)snprintf(trust_paths[i], sizeof trust_paths[i], "/proc/self/fd/%d", fd);
    }
    memset(trusted_ids[0], '0', 64);
    memset(trusted_ids[1], '1', 64);
    trusted_ids[0][0] = 'e';
    trusted_ids[1][0] = 'a';
}

/* ---- the input ---- */

static struct err *add_root(struct head *h, const char *line, size_t n)
{
    struct root_raw *more = realloc(h->roots, (h->n_roots + 1) * sizeof *more);
    if (!more)
        abort();
    h->roots = more;
    more[h->n_roots] = (struct root_raw){0};
    return buf_add(&more[h->n_roots++].bytes, line, n);
}

static struct err *add_line(struct head *h, const char *line, size_t n)
{
    bool of_release = h->release.len > 0;
    char id[65] = "";
    if (n > 8 && memcmp(line, "release ", 8) == 0)
        return of_release ? NULL : buf_add(&h->release, line + 8, n - 8);
    if (*line == '{' && !of_release && h->n_roots < FORMAT_ROOTS_MAX)
        return add_root(h, line, n);
    if (n < 66 || h->n_roots == 0)
        return NULL;
    memcpy(id, line, 64);
    struct sigs *sigs = of_release ? &h->sigs : &h->roots[h->n_roots - 1].sigs;
    return str_is_sha256(id) ? sigs_add(sigs, id, line + 65, n - 65) : NULL;
}

static struct err *read_lines(struct head *h, const char *p, size_t n)
{
    while (n) {
        const char *end = memchr(p, '\n', n);
        size_t len = end ? (size_t)(end - p) : n;
        if (len)
            TRY(add_line(h, p, len));
        n -= end ? len + 1 : len;
        p += end ? len + 1 : len;
    }
    return NULL;
}

/* What head_read() promises: signatures on everything. */
static bool is_head(const struct head *h)
{
    for (size_t i = 0; i < h->n_roots; i++)
        if (!h->roots[i].sigs.n)
            return false;
    return h->n_roots && h->sigs.n;
}

/* ---- the rules again ---- */

static bool good_of(const struct sigs *sigs, const char *id)
{
    const struct sig *s = sigs_find(sigs, id);
    return s && is_good(s->bytes, s->len);
}

/* Enough keys of the role signed; of all keys, or of the trusted ones alone. */
static bool reached(const struct doc *root, const char *role, const struct sigs *sigs, bool trusted_only)
{
    const struct doc *r = doc_get(doc_get(root, "roles"), role);
    int64_t n = 0, need = doc_int(r, "threshold", 0);
    DOC_EACH (v, doc_get(r, "keyids"))
        if (!trusted_only || str_eq(v->text, trusted_ids[0]) || str_eq(v->text, trusted_ids[1]))
            n += good_of(sigs, v->text);
    return need > 0 && n >= need;
}

static bool is_anchor(const struct doc *root, const struct root_raw *raw)
{
    bool same = raw->bytes.len == strlen(pinned) && memcmp(raw->bytes.at, pinned, raw->bytes.len) == 0;
    return same || reached(root, "root", &raw->sigs, true);
}

/* NULL for what is no JSON: what stands before the anchor may be anything. */
static struct doc *parsed(const struct root_raw *raw)
{
    struct doc *d = NULL;
    err_free(doc_json(&d, "root", raw->bytes.at, raw->bytes.len));
    return d;
}

static void must_be_right(const struct head *h)
{
    OWN_DOC struct doc *before = NULL;
    bool anchored = false;
    for (size_t i = 0; i < h->n_roots; i++) {
        const struct root_raw *raw = &h->roots[i];
        struct doc *root = parsed(raw);
        if (anchored && (!reached(before, "root", &raw->sigs, false) || !reached(root, "root", &raw->sigs, false)))
            abort();
        anchored = anchored || is_anchor(root, raw);
        doc_free(before);
        before = root;
    }
    if (!anchored || !reached(before, "release", &h->sigs, false) ||
        doc_int(before, "version", 0) != (int64_t)h->n_roots)
        abort();
}

static struct err *check(struct head *h, const char *p, size_t n)
{
    OWN(trust_done) struct trust_result who = {0};
    const char *const trust[TRUSTED] = {trust_paths[0], trust_paths[1], trust_paths[2]};
    TRY(read_lines(h, p, n));
    if (!is_head(h))
        return NULL;
    TRY(trust_check(&who, h, "fuzz", trust, TRUSTED, false));
    must_be_right(h);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    OWN(head_done) struct head h = {0};
    if (!*trust_paths[0])
        trust_make();
    struct err *e = check(&h, (const char *)p, n);
    if (e && err_kind(e) != ERR_UNTRUSTED)
        abort();
    err_free(e);
    return 0;
}
