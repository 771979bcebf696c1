#include "supply/chain.h"

#include "base/clock.h"
#include "base/file.h"
#include "supply/keys.h"
#include "supply/statement.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* ---- read ---- */

static struct err *read_file(struct buf *out, int dirfd, const char *name, size_t max)
{
    out->max = max;
    return err_as(file_read(out, dirfd, name), ERR_USAGE);
}

/* "<64 hex>.sig" */
static bool is_sig(const char *name)
{
    char hex[65];
    (void)snprintf(hex, sizeof hex, "%.64s", name);
    return str_is_sha256(hex) && strcmp(name + 64, ".sig") == 0;
}

struct listing {
    struct strs *names;
    bool (*want)(const char *);
};

static struct err *add_wanted(void *self, const char *name)
{
    const struct listing *l = self;
    return l->want(name) ? strs_add(l->names, name) : NULL;
}

/* The names in a folder that `want` wants, sorted. */
static struct err *list(struct strs *ret, int dirfd, bool (*want)(const char *))
{
    TRY(folder_each(dirfd, add_wanted, &(struct listing){ret, want}));
    strs_sort(ret);
    return NULL;
}

static struct err *read_sigs(struct sigs *ret, int dirfd)
{
    OWN_STRS struct strs names = {0};
    TRY(list(&names, dirfd, is_sig));
    for (size_t i = 0; i < names.n; i++) {
        OWN_BUF struct buf bytes = {0};
        char keyid[65];
        (void)snprintf(keyid, sizeof keyid, "%.64s", names.at[i]);
        TRY(read_file(&bytes, dirfd, names.at[i], FORMAT_SIG_BYTES_MAX));
        TRY(sigs_add(ret, keyid, bytes.at, bytes.len));
    }
    return NULL;
}

static struct err *read_raw(struct root_raw *ret, int dirfd, const char *name)
{
    OWN_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_os(errno, "open");
    TRY(read_file(&ret->bytes, fd, "root.json", FORMAT_ROOT_BYTES_MAX));
    return read_sigs(&ret->sigs, fd);
}

static bool is_version(const char *name)
{
    return strlen(name) == 4 && strspn(name, "0123456789") == 4;
}

static struct err *list_versions(struct strs *ret, int dirfd)
{
    TRY(list(ret, dirfd, is_version));
    for (size_t i = 0; i < ret->n; i++) {
        char want[32];
        (void)snprintf(want, sizeof want, "%04zu", i + 1);
        if (strcmp(ret->at[i], want) != 0)
            return err_new(ERR_USAGE, "E_ROOT_CHAIN: %s where %s belongs", ret->at[i], want);
    }
    return ret->n <= FORMAT_ROOTS_MAX ? NULL
                                      : err_new(ERR_USAGE, "E_LIMIT: more than %d root documents", FORMAT_ROOTS_MAX);
}

/* Root keys of `root` that signed document `i`. */
static struct err *signers(struct strs *ret, const struct chain *c, const struct doc *root, size_t i)
{
    return root_signers(ret, root, "root", &c->raw[i].sigs, FORMAT_ROOT_PAYLOAD, &c->raw[i].bytes);
}

/* Document `i` is the last: it may lack signatures, and the ones it has are good. */
static struct err *parse_last(struct chain *c, size_t i)
{
    OWN_STRS struct strs who = {0};
    TRY(root_parse(&c->doc[i], (unsigned)i + 1, &c->raw[i].bytes));
    TRY(signers(&who, c, c->doc[i], i));
    if (i == 0)
        return NULL;
    TRY(signers(&who, c, c->doc[i - 1], i));
    return root_continues(c->doc[i], c->doc[i - 1]);
}

static struct err *parse(struct chain *c, size_t i)
{
    if (i > 0 && i + 1 < c->n)
        return root_follow(&c->doc[i], c->doc[i - 1], &c->raw[i]);
    return parse_last(c, i);
}

static struct err *load(struct chain *c, int dirfd, const struct strs *versions)
{
    c->raw = calloc(versions->n, sizeof *c->raw);
    c->doc = calloc(versions->n, sizeof *c->doc);
    if (!c->raw || !c->doc)
        return err_os(ENOMEM, "root documents");
    c->n = versions->n;
    for (size_t i = 0; i < c->n; i++)
        TRY_CTX(read_raw(&c->raw[i], dirfd, versions->at[i]), "%s", versions->at[i]);
    for (size_t i = 0; i < c->n; i++)
        TRY_CTX(parse(c, i), "%s", versions->at[i]);
    return NULL;
}

/* All of `c`, which is left empty. */
static struct chain take(struct chain *c)
{
    struct chain all = *c;
    *c = (struct chain){0};
    return all;
}

struct err *chain_load(struct chain *ret, const char *dir)
{
    OWN_STRS struct strs versions = {0};
    OWN_CHAIN struct chain c = {0};
    OWN_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_hint(err_as(err_os(errno, "root documents %s", dir), ERR_USAGE), "caisson root create makes them");
    TRY_CTX(list_versions(&versions, fd), "root documents %s", dir);
    if (versions.n == 0)
        return err_hint(err_new(ERR_USAGE, "root documents %s: there are none", dir), "caisson root create makes them");
    TRY_CTX(load(&c, fd, &versions), "root documents %s", dir);
    *ret = take(&c);
    return NULL;
}

void chain_done(struct chain *c)
{
    for (size_t i = 0; i < c->n; i++) {
        buf_done(&c->raw[i].bytes);
        doc_free(c->doc[i]);
    }
    free(c->raw);
    free(c->doc);
}

const struct doc *chain_last(const struct chain *c)
{
    return c->doc[c->n - 1];
}

/* ---- who signed, who has to ---- */

/* Adds to `needs` how far the root keys of document `of` are with document `i`. */
static struct err *add_need(struct doc *needs, const struct chain *c, size_t of, size_t i)
{
    OWN_STRS struct strs who = {0};
    TRY(signers(&who, c, c->doc[of], i));
    struct doc *v = doc_add(needs, doc_new_map());
    doc_set_int(v, "version", (int64_t)of + 1);
    doc_set_int(v, "have", (int64_t)who.n);
    doc_set_int(v, "threshold", (int64_t)root_threshold(c->doc[of], "root"));
    return NULL;
}

static struct err *needs_of(struct doc *needs, const struct chain *c, size_t i)
{
    if (i > 0)
        TRY(add_need(needs, c, i - 1, i));
    return add_need(needs, c, i, i);
}

struct err *chain_complete(const struct chain *c)
{
    OWN_DOC struct doc *needs = doc_new_list();
    TRY(needs_of(needs, c, c->n - 1));
    DOC_EACH (v, needs)
        if (doc_int(v, "have", 0) < doc_int(v, "threshold", 0))
            return err_hint(err_new(ERR_REFUSED, "root document %04zu has %s of the %s signatures by root keys of %04d",
                                    c->n, doc_text(v, "have"), doc_text(v, "threshold"), (int)doc_int(v, "version", 0)),
                            "caisson root sign adds one; caisson root show says whose are missing");
    return NULL;
}

static void show_role(struct doc *roles, const struct chain *c, size_t i, const struct doc *role)
{
    struct doc *to = doc_add(roles, doc_new_map());
    doc_set_text(to, "name", role->key);
    doc_set(to, "threshold", doc_clone(doc_get(role, "threshold")));
    struct doc *keys = doc_set(to, "keys", doc_new_list());
    DOC_EACH (v, doc_get(role, "keyids")) {
        struct doc *k = doc_add(keys, doc_new_map());
        doc_set_text(k, "id", v->text);
        doc_set_text(k, "scheme", doc_text(doc_get(doc_get(c->doc[i], "keys"), v->text), "scheme"));
        if (strcmp(role->key, "root") == 0)
            doc_set_bool(k, "signed", sigs_find(&c->raw[i].sigs, v->text));
    }
}

struct err *chain_describe(struct doc *to, const struct chain *c, size_t i)
{
    static const char *const copied[] = {"version", "product", "epoch", "created", "expires", "deny"};
    char hex[DIGEST_HEX];
    TRY(digest_hex(hex, c->raw[i].bytes.at, c->raw[i].bytes.len));
    doc_set_fmt(to, "digest", "sha256:%s", hex);
    for (size_t k = 0; k < ARRAY_LEN(copied); k++)
        if (doc_get(c->doc[i], copied[k]))
            doc_set(to, copied[k], doc_clone(doc_get(c->doc[i], copied[k])));
    struct doc *who = doc_set(to, "signers", doc_new_list());
    for (size_t k = 0; k < c->raw[i].sigs.n; k++)
        doc_add_text(who, c->raw[i].sigs.at[k].keyid);
    struct doc *roles = doc_set(to, "roles", doc_new_list());
    DOC_EACH (v, doc_get(c->doc[i], "roles"))
        show_role(roles, c, i, v);
    return needs_of(doc_set(to, "needs", doc_new_list()), c, i);
}

struct err *chain_show(struct doc **ret, const char *dir)
{
    OWN_CHAIN struct chain c = {0};
    OWN_DOC struct doc *d = doc_new_map();
    TRY(chain_load(&c, dir));
    doc_set_text(d, "path", dir);
    struct doc *documents = doc_set(d, "documents", doc_new_list());
    for (size_t i = 0; i < c.n; i++)
        TRY(chain_describe(doc_add(documents, doc_new_map()), &c, i));
    struct err *e = chain_complete(&c);
    doc_set_bool(d, "complete", !e);
    err_free(e); /* what is missing stands in `needs` */
    *ret = TAKE(d);
    return NULL;
}

/* ---- write ---- */

struct loaded {
    struct key **at;
    size_t n;
};

static void loaded_done(struct loaded *l)
{
    for (size_t i = 0; i < l->n; i++)
        key_free(l->at[i]);
    free(l->at);
}

/* The role's old keys under another threshold. */
static struct err *change_threshold(struct doc *role, const char *name, int64_t threshold)
{
    size_t n = doc_len(doc_get(role, "keyids"));
    if (!role)
        return err_hint(err_new(ERR_USAGE, "role %s has no key", name), "--%s-key FILE.pub", name);
    if ((uint64_t)threshold > n)
        return err_new(ERR_USAGE, "role %s: a threshold of %lld with %zu keys", name, (long long)threshold, n);
    doc_set_int(role, "threshold", threshold);
    return NULL;
}

static struct err *change_role(struct doc *root, const char *name, const struct chain_role *role)
{
    OWN(loaded_done) struct loaded keys = {.at = calloc(role->n + 1, sizeof(struct key *))};
    struct doc *has = doc_get(doc_get(root, "roles"), name);
    int64_t threshold = role->threshold ? role->threshold : doc_int(has, "threshold", role->n == 1);
    if (!keys.at)
        return err_os(ENOMEM, "keys");
    if (role->n == 0)
        return change_threshold(has, name, threshold);
    for (; keys.n < role->n; keys.n++)
        TRY(keys_load_public(&keys.at[keys.n], role->keys[keys.n]));
    return err_hint(statement_role(root, name, threshold, keys.at, keys.n), "--%s-threshold N", name);
}

/* Keys that no role names any more go. */
static void drop_unused(struct doc *root)
{
    OWN_DOC struct doc *all = doc_clone(doc_get(root, "keys"));
    DOC_EACH (k, all) {
        bool used = false;
        DOC_EACH (role, doc_get(root, "roles"))
            used = used || doc_list_has(doc_get(role, "keyids"), k->key);
        if (!used)
            doc_remove(doc_get(root, "keys"), k->key);
    }
}

static struct err *apply(struct doc *root, const struct chain_change *x)
{
    char now[32];
    clock_rfc3339(now, clock_wall_s());
    doc_set_text(root, "created", now);
    TRY(change_role(root, "root", &x->root));
    TRY(change_role(root, "release", &x->release));
    drop_unused(root);
    if (x->expires)
        doc_set_text(root, "expires", x->expires);
    if (x->epoch >= 0)
        doc_set_int(root, "epoch", x->epoch);
    for (size_t i = 0; i < x->n_deny; i++)
        if (!doc_list_has(doc_get(root, "deny"), x->deny[i]))
            doc_add_text(doc_get(root, "deny"), x->deny[i]);
    return NULL;
}

/* Appears whole as DIR/NNNN, or not at all. */
static struct err *put_document(const char *dir, int64_t version, const struct buf *text)
{
    OWN_FREE char *folder = str_fmt("%s/%04lld", dir, (long long)version);
    OWN_FREE char *tmp = str_fmt("%s/.%04lld.new", dir, (long long)version);
    OWN_FREE char *path = str_fmt("%s/.%04lld.new/root.json", dir, (long long)version);
    if (!folder || !tmp || !path)
        return err_os(ENOMEM, "root document");
    TRY(err_hint(err_as(file_mkdirs(AT_FDCWD, tmp, 0755), ERR_USAGE), "DIR is a folder for root documents"));
    TRY(file_replace(AT_FDCWD, path, text->at, text->len, 0644));
    if (rename(tmp, folder) < 0)
        return err_os(errno, "write %s", folder);
    return file_sync_parent(AT_FDCWD, folder);
}

/* The reader's own rules are the last word on what is written. */
static struct err *write_document(const char *dir, const struct doc *root, const struct doc *before)
{
    OWN_BUF struct buf text = {.max = FORMAT_ROOT_BYTES_MAX};
    OWN_DOC struct doc *again = NULL;
    int64_t version = doc_int(root, "version", 0);
    TRY(doc_json_write(&text, root));
    TRY(err_as(root_parse(&again, (unsigned)version, &text), ERR_USAGE));
    if (before)
        TRY(err_as(root_continues(again, before), ERR_USAGE));
    return put_document(dir, version, &text);
}

struct err *chain_create(const char *dir, const struct chain_change *change)
{
    OWN_DOC struct doc *root = statement_root(change->product ? change->product : "caisson", 1, 0);
    OWN_FREE char *first = str_fmt("%s/0001", dir);
    if (!first)
        return err_os(ENOMEM, "root document");
    if (file_exists(AT_FDCWD, first))
        return err_hint(err_new(ERR_REFUSED, "%s exists", first), "caisson root rotate makes the next version");
    TRY_CTX(err_as(format_name(doc_text(root, "product")), ERR_USAGE), "--product");
    TRY(apply(root, change));
    return write_document(dir, root, NULL);
}

struct err *chain_rotate(const char *dir, const struct chain_change *change)
{
    OWN_CHAIN struct chain c = {0};
    TRY(chain_load(&c, dir));
    TRY(chain_complete(&c));
    OWN_DOC struct doc *root = doc_clone(chain_last(&c));
    doc_remove(root, "expires"); /* a date is stated anew each time */
    doc_set_int(root, "version", (int64_t)c.n + 1);
    if (c.n == FORMAT_ROOTS_MAX)
        return err_new(ERR_REFUSED, "E_LIMIT: there are %d root documents already", FORMAT_ROOTS_MAX);
    TRY(apply(root, change));
    return write_document(dir, root, chain_last(&c));
}

struct err *chain_sign(const char *dir, const struct key *key)
{
    OWN_CHAIN struct chain c = {0};
    char id[DIGEST_HEX];
    TRY(chain_load(&c, dir));
    TRY(key_id(id, key));
    struct root_raw *raw = &c.raw[c.n - 1];
    bool asked = root_has(chain_last(&c), "root", id) || (c.n > 1 && root_has(c.doc[c.n - 2], "root", id));
    if (!asked)
        return err_hint(err_new(ERR_REFUSED,
                                "E_KEY_ROLE: key %.16s is no root key of document %04zu, nor of the one "
                                "before",
                                id, c.n),
                        "caisson root show lists them");
    if (sigs_find(&raw->sigs, id))
        return NULL; /* chain_load() made sure that it holds */
    TRY(keys_sign(&raw->sigs, key, FORMAT_ROOT_PAYLOAD, &raw->bytes));
    const struct sig *sig = sigs_find(&raw->sigs, id);
    OWN_FREE char *path = str_fmt("%s/%04zu/%s.sig", dir, c.n, id);
    return path ? file_replace(AT_FDCWD, path, sig->bytes, sig->len, 0644) : err_os(ENOMEM, "signature");
}

struct err *chain_of(struct chain *ret, const struct doc *root, const struct key *key)
{
    OWN_CHAIN struct chain c = {.raw = calloc(1, sizeof *c.raw), .doc = calloc(1, sizeof *c.doc)};
    if (!c.raw || !c.doc)
        return err_os(ENOMEM, "root document");
    c.n = 1;
    TRY(doc_json_write(&c.raw[0].bytes, root));
    TRY(keys_sign(&c.raw[0].sigs, key, FORMAT_ROOT_PAYLOAD, &c.raw[0].bytes));
    c.doc[0] = doc_clone(root);
    *ret = take(&c);
    return NULL;
}
