#include "supply/lock.h"

#include "base/file.h"
#include "base/str.h"
#include "base/text.h"
#include "bundle/format.h"
#include "doc/schema.h"
#include "net/cache.h"
#include "pack/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* ---- values ---- */

static struct err *check_sha256(const struct doc *v)
{
    return str_is_sha256(v->text) ? NULL : err_new(ERR_UNTRUSTED, "%s must be 64 lower-case hex digits", v->key);
}

static struct err *check_size(const struct doc *v)
{
    if (v->num > 0 && v->num <= CACHE_BLOB_MAX)
        return NULL;
    return err_new(ERR_UNTRUSTED, "%s %s is not between 1 and %lld", v->key, v->text, (long long)CACHE_BLOB_MAX);
}

/* One line that can be shown. */
static struct err *check_plain(const struct doc *v)
{
    OWN_FREE char *same = strdup(v->text);
    if (!same)
        return err_os(ENOMEM, "lock");
    text_clean(same, strlen(same), 0);
    return strcmp(same, v->text) == 0 ? NULL : err_new(ERR_UNTRUSTED, "%s is not plain text", v->key);
}

static struct err *check_filled(const struct doc *v)
{
    return *v->text ? check_plain(v) : err_new(ERR_UNTRUSTED, "%s is empty", v->key);
}

static struct err *check_evidence(const struct doc *v)
{
    static const char *const known[] = {"none", "sha256sums", "gpg"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(v->text, known[i]) == 0)
            return NULL;
    return err_new(ERR_UNTRUSTED, "upstream.type \"%s\" is none, sha256sums or gpg", v->text);
}

static struct err *check_key(const struct doc *v)
{
    size_t n = strspn(v->text, "0123456789ABCDEF");
    return (n == 40 || n == 64) && !v->text[n] ? NULL : err_new(ERR_UNTRUSTED, "upstream.key is no fingerprint");
}

static struct err *check_member(const struct doc *v)
{
    return tree_check_path(v->text);
}

static const struct field upstream_fields[] = {{"type", DOC_STRING, .required = true, .check = check_evidence},
                                               {"ref", DOC_STRING, .required = true, .check = check_filled},
                                               {"sha256", DOC_STRING, .check = check_sha256},
                                               {"key", DOC_STRING, .check = check_key},
                                               {0}};
static const struct field from_fields[] = {{"archive", DOC_STRING, .required = true, .check = check_filled},
                                           {"member", DOC_STRING, .required = true, .check = check_member},
                                           {0}};
static const struct field index_fields[] = {{"sha256", DOC_STRING, .required = true, .check = check_sha256},
                                            {"size", DOC_INT, .required = true, .check = check_size},
                                            {0}};
static const struct field entry_fields[] = {{"id", DOC_STRING, .required = true, .check = check_filled},
                                            {"kind", DOC_STRING, .required = true},
                                            {"component", DOC_STRING, .required = true, .check = check_filled},
                                            {"version", DOC_STRING, .required = true, .check = check_filled},
                                            {"file", DOC_STRING, .check = check_filled},
                                            {"name", DOC_STRING, .check = check_filled},
                                            {"size", DOC_INT, .required = true, .check = check_size},
                                            {"sha256", DOC_STRING, .required = true, .check = check_sha256},
                                            {"index", DOC_MAP, .map = index_fields},
                                            {"from", DOC_MAP, .map = from_fields},
                                            {"urls", DOC_LIST, .required = true, .elem = DOC_STRING},
                                            {"upstream", DOC_MAP, .required = true, .map = upstream_fields},
                                            {"platform", DOC_STRING, .required = true, .check = check_filled},
                                            {"license", DOC_STRING, .required = true, .check = check_plain},
                                            {"purl", DOC_STRING, .required = true, .check = check_plain},
                                            {0}};
static const struct field lock_fields[] = {{"schema", DOC_INT, .required = true},
                                           {"profile", DOC_STRING, .required = true, .check = check_filled},
                                           {"platform", DOC_STRING, .required = true, .check = check_filled},
                                           {"entries", DOC_LIST, .required = true},
                                           {0}};

struct err *lock_check_url(const char *url, const char *kind)
{
    const char *scheme = strcmp(kind, "oci") == 0 ? "oci://" : "https://";
    const char *host = url + strlen(scheme);
    if (!str_starts(url, scheme))
        return err_new(ERR_USAGE, "address \"%s\" must begin with %s", url, scheme);
    if (strlen(url) > LOCK_URL_MAX)
        return err_new(ERR_USAGE, "an address has more than %d bytes", LOCK_URL_MAX);
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}#", *p))
            return err_new(ERR_USAGE, "address \"%s\": a character that must be escaped", url);
    size_t n = strcspn(host, "/");
    if (!n || !host[n] || memchr(host, '@', n))
        return err_new(ERR_USAGE, "address \"%s\" must be %shost/path, without a user", url, scheme);
    return NULL;
}

/* ---- entries ---- */

/* What a kind must have and what it may not. */
static struct err *check_kind(const struct doc *v)
{
    const char *kind = doc_text(v, "kind");
    bool oci = strcmp(kind, "oci") == 0, archive = strcmp(kind, "archive") == 0;
    if (!oci && !archive && strcmp(kind, "file") != 0)
        return err_new(ERR_UNTRUSTED, "kind \"%s\" is none of file, archive and oci", kind);
    if (!doc_get(v, oci ? "name" : "file") || doc_get(v, oci ? "file" : "name"))
        return err_new(ERR_UNTRUSTED, "kind %s has `%s` alone", kind, oci ? "name" : "file");
    if (oci)
        TRY(format_ref(doc_text(v, "name")));
    if (!oci && doc_get(v, "index"))
        return err_new(ERR_UNTRUSTED, "only an image has an index");
    if (doc_get(v, "from") && (oci || archive || doc_len(doc_get(v, "urls"))))
        return err_new(ERR_UNTRUSTED, "only a file without an address of its own comes from an archive");
    if (archive && !doc_len(doc_get(v, "urls")))
        return err_new(ERR_UNTRUSTED, "an archive without an address");
    return NULL;
}

static struct err *check_id(const struct doc *v)
{
    const char *id = doc_text(v, "id"), *name = doc_text(v, "component"), *version = doc_text(v, "version");
    size_t n = strlen(name), m = strlen(version);
    if (strncmp(id, name, n) == 0 && id[n] == '/' && strncmp(id + n + 1, version, m) == 0 && id[n + 1 + m] == '/')
        return NULL;
    return err_new(ERR_UNTRUSTED, "the id must begin with \"%s/%s/\"", name, version);
}

/* `before` is the previous entry or NULL. */
static struct err *check_order(const struct doc *v, const struct doc *before)
{
    int order = before ? strcmp(doc_text(before, "id"), doc_text(v, "id")) : -1;
    if (order == 0)
        return err_new(ERR_UNTRUSTED, "the id is there twice");
    return order < 0 ? NULL : err_new(ERR_UNTRUSTED, "entries must be sorted by id");
}

static struct err *check_from(const struct doc *lock, const struct doc *v)
{
    if (!doc_get(v, "from"))
        return NULL;
    const struct doc *archive = lock_entry(lock, doc_text(v, "from.archive"));
    if (archive && str_eq(doc_text(archive, "kind"), "archive"))
        return NULL;
    return err_new(ERR_UNTRUSTED, "there is no archive \"%s\"", doc_text(v, "from.archive"));
}

static struct err *check_entry(const struct doc *v, const struct doc *before, const char *platform)
{
    TRY(schema_check(v, entry_fields));
    TRY(check_kind(v));
    TRY(check_id(v));
    TRY(check_order(v, before));
    DOC_EACH (url, doc_get(v, "urls"))
        TRY(lock_check_url(url->text, doc_text(v, "kind")));
    if (strcmp(doc_text(v, "platform"), platform) != 0)
        return err_new(ERR_UNTRUSTED, "it is for %s, the lock for %s", doc_text(v, "platform"), platform);
    return NULL;
}

/* Where it is: the number, and the id for who searches the text. */
static struct err *at_entry(struct err *e, const struct doc *v, size_t i)
{
    OWN_FREE char *id = strdup(doc_text(v, "id") ? doc_text(v, "id") : "");
    if (id)
        text_clean(id, strlen(id), 0);
    return id && *id ? err_wrap(e, "entry %zu (%s)", i, id) : err_wrap(e, "entry %zu", i);
}

static struct err *check_entries(const struct doc *lock)
{
    const struct doc *before = NULL;
    size_t i = 0;
    if (doc_len(doc_get(lock, "entries")) > LOCK_ENTRIES_MAX)
        return err_new(ERR_UNTRUSTED, "more than %d entries", LOCK_ENTRIES_MAX);
    DOC_EACH (v, doc_get(lock, "entries")) {
        struct err *e = check_entry(v, before, doc_text(lock, "platform"));
        if (e)
            return at_entry(e, v, i);
        before = v;
        i++;
    }
    i = 0;
    DOC_EACH (v, doc_get(lock, "entries")) { /* an archive may stand behind its files */
        struct err *e = check_from(lock, v);
        if (e)
            return at_entry(e, v, i);
        i++;
    }
    return NULL;
}

static struct err *check(const struct doc *lock, const char *file)
{
    TRY_CTX(schema_check(lock, lock_fields), "%s", file);
    if (doc_int(lock, "schema", 0) != 1)
        return err_new(ERR_UNTRUSTED, "%s: schema %s; this caisson knows 1", file, doc_text(lock, "schema"));
    TRY_CTX(check_entries(lock), "%s", file);
    return NULL;
}

/* ---- whole locks ---- */

struct err *lock_parse(struct doc **ret, const char *file, const void *p, size_t n)
{
    OWN_DOC struct doc *lock = NULL;
    struct err *e = doc_json(&lock, file, p, n);
    if (!e)
        e = check(lock, file);
    if (e && !err_hint_text(e))
        e = err_hint(e, "find out who changed it; without it, caisson bundle lock makes it anew");
    if (e)
        return err_as(err_wrap(e, "E_LOCK"), ERR_UNTRUSTED);
    *ret = TAKE(lock);
    return NULL;
}

struct err *lock_load(struct doc **ret, struct buf *ret_text, const char *path)
{
    ret_text->max = LOCK_FILE_MAX;
    struct err *e = file_read(ret_text, AT_FDCWD, path);
    if (e && !err_errno(e))
        return err_as(err_wrap(e, "E_LOCK"), ERR_UNTRUSTED);
    if (e)
        return err_hint(err_as(err_wrap(e, "lock"), ERR_USAGE), "caisson bundle lock makes it");
    return lock_parse(ret, path, ret_text->at, ret_text->len);
}

static bool has_bytes(const char *path, const struct buf *want)
{
    OWN_BUF struct buf have = {0};
    struct err *e = file_read(&have, AT_FDCWD, path);
    bool same = !e && have.len == want->len && memcmp(have.at, want->at, want->len) == 0;
    err_ignore(e); /* what cannot be read is written anew */
    return same;
}

static struct err *make_folder(const char *path)
{
    OWN_FREE char *folder = strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (!slash || slash == folder)
        return folder ? NULL : err_os(ENOMEM, "%s", path);
    *slash = '\0';
    return file_mkdirs(AT_FDCWD, folder, 0755);
}

struct err *lock_save(const struct doc *lock, const char *path)
{
    OWN_BUF struct buf text = {0};
    TRY(doc_json_write(&text, lock));
    TRY(buf_str(&text, "\n"));
    if (has_bytes(path, &text))
        return NULL;
    TRY(make_folder(path));
    return file_replace(AT_FDCWD, path, text.at, text.len, 0644);
}

/* ---- look things up ---- */

const struct doc *lock_entry(const struct doc *lock, const char *id)
{
    return doc_find(doc_get(lock, "entries"), "id", id);
}

const struct doc *lock_find(const struct doc *lock, const char *kind, const char *component, const char *version,
                            const char *name)
{
    const char *key = strcmp(kind, "oci") == 0 ? "name" : "file";
    DOC_EACH (v, doc_get(lock, "entries"))
        if (str_eq(doc_text(v, "kind"), kind) && str_eq(doc_text(v, key), name) &&
            str_eq(doc_text(v, "component"), component) && str_eq(doc_text(v, "version"), version))
            return v;
    return NULL;
}
