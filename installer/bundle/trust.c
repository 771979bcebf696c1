#include "bundle/trust.h"

#include "base/file.h"
#include "crypt/digest.h"
#include "crypt/key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* ---- what the operator trusts ---- */

struct anchor {
    struct key *key; /* or NULL: a root document */
    char id[DIGEST_HEX];
    struct buf document;
};

struct anchors {
    struct anchor *at;
    size_t n;
};

static void anchors_done(struct anchors *a)
{
    for (size_t i = 0; i < a->n; i++) {
        key_free(a->at[i].key);
        buf_done(&a->at[i].document);
    }
    free(a->at);
}

static struct err *load_anchor(struct anchor *ret, const char *file)
{
    OWN_BUF struct buf text = {.max = FORMAT_ROOT_BYTES_MAX};
    TRY(err_hint(file_read_named(&text, "public key", file),
                 "name the publisher's public key in `trust`, or with --trust"));
    if (str_starts(buf_text(&text), "{")) {
        ret->document = text;
        text = (struct buf){0};
        return NULL;
    }
    struct err *e = key_public_from_pem(&ret->key, buf_text(&text), text.len);
    if (!e && !format_key_scheme(ret->key))
        e = err_new(ERR_UNTRUSTED, "neither P-256 nor Ed25519");
    if (!e)
        e = key_id(ret->id, ret->key);
    return err_hint(err_wrap(e, "E_KEY_SCHEME: public key %s", file),
                    "it must be a public key in PEM, as `caisson key generate` writes it (NAME.pub), or a root.json");
}

static struct err *load_anchors(struct anchors *ret, const char *const files[], size_t n)
{
    ret->at = calloc(n, sizeof *ret->at);
    if (!ret->at)
        return err_os(ENOMEM, "public keys");
    while (ret->n < n) {
        size_t i = ret->n++;
        TRY(load_anchor(&ret->at[i], files[i]));
    }
    return NULL;
}

/* ---- the anchor ---- */

/* How near the nearest root document came. */
struct search {
    const struct anchors *trusted;
    struct doc *root;        /* found */
    size_t number;           /* of it; while there is none, of the last one that a trusted key signed, or 0 */
    size_t good, need;       /* signatures by root keys there: trusted, and asked for */
    char signer[DIGEST_HEX]; /* a trusted key that signed it */
};

static bool is_pinned(const struct anchors *trusted, const struct buf *bytes)
{
    for (size_t i = 0; i < trusted->n; i++) {
        const struct buf *d = &trusted->at[i].document;
        if (bytes->len && d->len == bytes->len && memcmp(d->at, bytes->at, d->len) == 0)
            return true;
    }
    return false;
}

/* The trusted keys that signed the document, each once. Raw signatures only: nothing is parsed yet. */
static struct err *trusted_signers(struct strs *ret, const struct anchors *trusted, const struct root_raw *raw)
{
    OWN_BUF struct buf pae = {0};
    TRY(format_pae(&pae, FORMAT_ROOT_PAYLOAD, raw->bytes.at, raw->bytes.len));
    for (size_t i = 0; i < trusted->n; i++) {
        const struct anchor *a = &trusted->at[i];
        const struct sig *sig = a->key ? sigs_find(&raw->sigs, a->id) : NULL;
        if (!sig || strs_has(ret, a->id))
            continue;
        TRY_CTX(key_verify(a->key, sig->bytes, sig->len, pae.at, pae.len), "E_SIG_BAD: signature of key %.16s", a->id);
        TRY(strs_add(ret, a->id));
    }
    return NULL;
}

static struct err *try_anchor(struct search *s, size_t number, const struct root_raw *raw)
{
    OWN_STRS struct strs who = {0};
    OWN_DOC struct doc *root = NULL;
    bool pinned = is_pinned(s->trusted, &raw->bytes);
    TRY(trusted_signers(&who, s->trusted, raw));
    if (!pinned && who.n == 0)
        return NULL;
    TRY(root_parse(&root, (unsigned)number, &raw->bytes));
    s->number = number;
    s->need = root_threshold(root, "root");
    s->good = 0;
    for (size_t i = 0; i < who.n; i++)
        s->good += root_has(root, "root", who.at[i]);
    if (who.n)
        memcpy(s->signer, who.at[0], sizeof s->signer);
    if (pinned || s->good >= s->need)
        s->root = TAKE(root);
    return NULL;
}

/* The lowest version of the trusted documents; 0 when a key is among them, or something that is no root document. */
static int64_t oldest_pin(const struct anchors *trusted)
{
    int64_t oldest = 0;
    for (size_t i = 0; i < trusted->n; i++) {
        OWN_DOC struct doc *root = NULL;
        if (trusted->at[i].key)
            return 0;
        err_ignore(root_parse(&root, ROOT_ANY_VERSION, &trusted->at[i].document)); /* it just is not the one */
        int64_t version = doc_int(root, "version", 0);
        oldest = i && oldest < version ? oldest : version;
    }
    return oldest;
}

static struct err *no_anchor(const struct search *s, const struct head *h)
{
    int64_t pinned = oldest_pin(s->trusted);
    if (pinned > (int64_t)h->n_roots)
        return err_hint(err_new(ERR_UNTRUSTED, "E_ROOT_CHAIN: it ends with root document %zu; document %lld is trusted",
                                h->n_roots, (long long)pinned),
                        "ask its publisher for the same release with all root documents");
    if (s->number == 0)
        return err_hint(err_new(ERR_UNTRUSTED,
                                "E_ROOT_PIN: no root document is trusted; this one is signed by key %.16s, which is "
                                "not trusted",
                                h->roots[0].sigs.at[0].keyid),
                        "trust the publisher's root keys only after comparing their fingerprints with them");
    if (s->good == 0)
        return err_hint(err_new(ERR_UNTRUSTED, "E_KEY_ROLE: key %.16s is not in roles.root.keyids of document %zu",
                                s->signer, s->number),
                        "`trust` names the publisher's root keys");
    return err_hint(err_new(ERR_UNTRUSTED,
                            "E_SIG_THRESHOLD: document %zu asks for signatures of %zu root keys; trusted keys made %zu",
                            s->number, s->need, s->good),
                    "name more of the publisher's root keys in `trust`");
}

static struct err *place(struct err *e, const char *file, size_t number, const struct root_raw *raw)
{
    return err_wrap(e, "%s: member caisson/root/%04zu/root.json at byte %llu", file, number,
                    (unsigned long long)raw->at);
}

static struct err *find_anchor(struct search *s, const struct head *h, const char *file)
{
    for (size_t i = 0; i < h->n_roots && !s->root; i++)
        TRY(place(try_anchor(s, i + 1, &h->roots[i]), file, i + 1, &h->roots[i]));
    if (s->root)
        return NULL;
    size_t at = s->number ? s->number : 1;
    return place(no_anchor(s, h), file, at, &h->roots[at - 1]);
}

/* ---- the chain and the release ---- */

static struct err *follow(struct doc **root, size_t number, const struct head *h, const char *file)
{
    for (; number < h->n_roots; number++) {
        struct doc *next = NULL;
        TRY(place(root_follow(&next, *root, &h->roots[number]), file, number + 1, &h->roots[number]));
        doc_free(*root);
        *root = next;
    }
    return NULL;
}

static struct err *note_chain(struct strs *chain, size_t number, const struct head *h)
{
    char hex[DIGEST_HEX];
    for (; number <= h->n_roots; number++) {
        const struct buf *bytes = &h->roots[number - 1].bytes;
        TRY(digest_hex(hex, bytes->at, bytes->len));
        TRY(strs_add(chain, hex));
    }
    return NULL;
}

static struct err *check_signers(struct trust_result *ret, const struct head *h, bool to_sign)
{
    size_t need = root_threshold(ret->root, "release");
    TRY(root_signers(&ret->signers, ret->root, "release", &h->sigs, FORMAT_RELEASE_PAYLOAD, &h->release));
    if (ret->signers.n == 0)
        return err_hint(err_new(ERR_UNTRUSTED,
                                "E_KEY_ROLE: the release is signed by key %.16s, which is not in "
                                "roles.release.keyids of root document %s",
                                h->sigs.at[0].keyid, doc_text(ret->root, "version")),
                        "get the bundle again from where it was published");
    if (ret->signers.n >= need || to_sign)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_SIG_THRESHOLD: %zu of the %zu signatures that root document %s asks for",
                            ret->signers.n, need, doc_text(ret->root, "version")),
                    "the publisher's other officers sign it with `caisson bundle sign`");
}

static struct err *check_deny(const struct doc *root, const struct buf *release)
{
    bool denied = false;
    TRY(root_denies(&denied, root, release));
    if (!denied)
        return NULL;
    return err_hint(
        err_new(ERR_UNTRUSTED, "E_DENIED: root document %s forbids this release", doc_text(root, "version")),
        "the publisher withdrew it: ask for the release that replaces it");
}

struct err *trust_check(struct trust_result *ret, const struct head *h, const char *file, const char *const trust[],
                        size_t n_trust, bool to_sign)
{
    OWN(anchors_done) struct anchors trusted = {0};
    struct search s = {.trusted = &trusted};
    if (n_trust == 0)
        return err_hint(err_new(ERR_USAGE, "%s: no public key to check it against", file),
                        "name the publisher's public key in `trust`");
    TRY(load_anchors(&trusted, trust, n_trust));
    TRY(find_anchor(&s, h, file));
    ret->root = s.root;
    TRY(follow(&ret->root, s.number, h, file));
    TRY(note_chain(&ret->chain, s.number, h));
    TRY(buf_add(&ret->bytes, h->roots[h->n_roots - 1].bytes.at, h->roots[h->n_roots - 1].bytes.len));
    struct err *e = check_signers(ret, h, to_sign);
    if (!e)
        e = check_deny(ret->root, &h->release);
    return err_wrap(e, "%s: member caisson/release.json at byte %llu", file, (unsigned long long)h->release_at);
}

void trust_done(struct trust_result *t)
{
    strs_done(&t->signers);
    strs_done(&t->chain);
    doc_free(t->root);
    buf_done(&t->bytes);
}
