#include "node/manifest.h"

#include "base/file.h"
#include "base/own.h"
#include "crypt/digest.h"
#include "doc/schema.h"
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GENERATION_MAX INT32_MAX

static struct err *check_digest(const struct doc *v)
{
    return str_is_sha256(v->text) ? NULL : doc_err(ERR_USAGE, v, "\"%s\" is no sha256 digest", v->text);
}

static struct err *check_name(const struct doc *v)
{
    return name_is_plain(v->text) ? NULL : doc_err(ERR_USAGE, v, "\"%s\" is no plain name", v->text);
}

static struct err *check_path(const struct doc *v)
{
    return name_is_path(v->text) ? NULL : doc_err(ERR_USAGE, v, "\"%s\" is no plain relative path", v->text);
}

static struct err *check_absolute(const struct doc *v)
{
    return name_is_absolute(v->text) ? NULL : doc_err(ERR_USAGE, v, "\"%s\" is no plain absolute path", v->text);
}

static struct err *check_unit(const struct doc *v)
{
    static const char *const kinds[] = {".service", ".socket", ".target", ".timer", ".mount", ".path", ".slice"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (name_is_plain(v->text) && str_ends(v->text, kinds[i]))
            return str_eq(v->text, "caisson.target") || str_eq(v->text, "caisson-boot.service")
                       ? doc_err(ERR_USAGE, v, "%s is caisson's own", v->text)
                       : NULL;
    return doc_err(ERR_USAGE, v, "\"%s\" is no unit name", v->text);
}

static struct err *check_mode(const struct doc *v)
{
    char *end = NULL;
    unsigned long mode = strtoul(v->text, &end, 8);
    if (v->text[0] != '0' || *end || mode > 0777)
        return doc_err(ERR_USAGE, v, "mode \"%s\" is not like \"0644\"", v->text);
    return NULL;
}

static struct err *check_source(const struct doc *v)
{
    if (str_eq(v->text, "inline") || str_eq(v->text, "secret") || str_eq(v->text, "blob"))
        return NULL;
    return doc_err(ERR_USAGE, v, "source \"%s\" is none of inline, secret, blob", v->text);
}

static struct err *check_probe(const struct doc *v)
{
    static const char *const types[] = {"active", "tcp", "unix", "exec", "https"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(v->text, types[i]))
            return NULL;
    return doc_err(ERR_USAGE, v, "ready.type \"%s\" is not known", v->text);
}

static struct err *check_id(const struct doc *v)
{
    return v->num >= 0 && v->num < INT32_MAX ? NULL : doc_err(ERR_USAGE, v, "number out of range");
}

static struct err *check_port(const struct doc *v)
{
    return v->num > 0 && v->num < 65536 ? NULL : doc_err(ERR_USAGE, v, "port out of range");
}

static struct err *check_each_digest(const struct doc *list)
{
    DOC_EACH (v, list)
        TRY(check_digest(v));
    return NULL;
}

static struct err *check_each_absolute(const struct doc *list)
{
    DOC_EACH (v, list)
        TRY(check_absolute(v));
    return NULL;
}

/* "net.ipv4.ip_forward" or, where a part has dots itself, "net/ipv4/conf/eth0.1/rp_filter". */
static struct err *check_sysctl(const struct doc *map)
{
    DOC_EACH (v, map)
        if (!name_is_path(v->key) || !v->text || strchr(v->text, '\n') || strstr(v->key, ".."))
            return doc_err(ERR_USAGE, map, "sysctl \"%s\" is not sound", v->key);
    return NULL;
}

static const struct field file_fields[] = {
    {.key = "name", .kind = DOC_STRING, .required = true, .check = check_path},
    {.key = "mode", .kind = DOC_STRING, .required = true, .check = check_mode},
    {.key = "uid", .kind = DOC_INT, .check = check_id},
    {.key = "gid", .kind = DOC_INT, .check = check_id},
    {.key = "source", .kind = DOC_STRING, .required = true, .check = check_source},
    {.key = "digest", .kind = DOC_STRING, .required = true, .check = check_digest},
    {0},
};

static const struct field ready_fields[] = {
    {.key = "type", .kind = DOC_STRING, .required = true, .check = check_probe},
    {.key = "seconds", .kind = DOC_INT, .check = check_id},
    {.key = "address", .kind = DOC_STRING},
    {.key = "port", .kind = DOC_INT, .check = check_port},
    {.key = "path", .kind = DOC_STRING},
    {.key = "name", .kind = DOC_STRING},
    {.key = "argv", .kind = DOC_LIST, .elem = DOC_STRING},
    {.key = "ca", .kind = DOC_STRING, .check = check_absolute},
    {.key = "cert", .kind = DOC_STRING, .check = check_absolute},
    {.key = "key", .kind = DOC_STRING, .check = check_absolute},
    {.key = "deadlineMs", .kind = DOC_INT, .check = check_id},
    {0},
};

static const struct field unit_fields[] = {
    {.key = "name", .kind = DOC_STRING, .required = true, .check = check_unit},
    {.key = "digest", .kind = DOC_STRING, .required = true, .check = check_digest},
    {.key = "inputs", .kind = DOC_STRING, .required = true, .check = check_digest},
    {.key = "enabled", .kind = DOC_BOOL},
    {.key = "ready", .kind = DOC_MAP, .map = ready_fields},
    {.key = "startDeadlineMs", .kind = DOC_INT, .check = check_id},
    {0},
};

static const struct field leaf_fields[] = {
    {.key = "name", .kind = DOC_STRING, .required = true, .check = check_name},
    {.key = "description", .kind = DOC_NULL},
    {0},
};

static const struct field module_fields[] = {
    {.key = "name", .kind = DOC_STRING, .required = true, .check = check_name},
    {.key = "shows", .kind = DOC_STRING, .check = check_absolute},
    {0},
};

static const struct field manifest_fields[] = {
    {.key = "schema", .kind = DOC_INT, .required = true},
    {.key = "cluster", .kind = DOC_STRING, .required = true},
    {.key = "node", .kind = DOC_STRING, .required = true},
    {.key = "files", .kind = DOC_LIST, .map = file_fields},
    {.key = "trees", .kind = DOC_LIST, .elem = DOC_STRING, .check = check_each_digest},
    {.key = "units", .kind = DOC_LIST, .map = unit_fields},
    {.key = "leafs", .kind = DOC_LIST, .map = leaf_fields},
    {.key = "sysctl", .kind = DOC_MAP, .check = check_sysctl},
    {.key = "modules", .kind = DOC_LIST, .map = module_fields},
    {.key = "images", .kind = DOC_LIST, .elem = DOC_STRING},
    {.key = "owned", .kind = DOC_LIST, .elem = DOC_STRING, .check = check_each_absolute},
    {0},
};

/* No two elements of the list with the same name. */
static struct err *check_unique(const struct doc *list)
{
    DOC_EACH (v, list)
        for (const struct doc *w = v->next; w; w = w->next)
            if (str_eq(doc_text(v, "name"), doc_text(w, "name")))
                return doc_err(ERR_USAGE, w, "%s stands twice in the list", doc_text(w, "name"));
    return NULL;
}

struct err *manifest_check(const struct doc *m)
{
    if (!m || m->kind != DOC_MAP)
        return err_new(ERR_USAGE, "manifest is no map");
    if (doc_int(m, "schema", 0) != 1)
        return err_new(ERR_USAGE, "manifest schema %lld, this helper knows 1", (long long)doc_int(m, "schema", 0));
    TRY_CTX(schema_check(m, manifest_fields), "manifest");
    TRY_CTX(check_unique(doc_get(m, "units")), "manifest units");
    return err_wrap(check_unique(doc_get(m, "files")), "manifest files");
}

const struct doc *manifest_unit(const struct doc *m, const char *name)
{
    return doc_find(doc_get(m, "units"), "name", name);
}

struct err *manifest_load(struct doc **ret, char *ret_digest, int dir, int64_t generation)
{
    OWN_FREE char *name = str_fmt("generations/%lld/manifest.json", (long long)generation);
    OWN_BUF struct buf b = {.max = (size_t)16 << 20};
    OWN_DOC struct doc *m = NULL;
    if (!name)
        return err_os(ENOMEM, "manifest");
    TRY_CTX(file_read(&b, dir, name), "generation %lld", (long long)generation);
    TRY(doc_json(&m, name, b.at, b.len));
    TRY(manifest_check(m));
    if (ret_digest)
        TRY(digest_hex(ret_digest, b.at, b.len));
    *ret = TAKE(m);
    return NULL;
}

static char *activation_path(int64_t generation)
{
    return str_fmt("generations/%lld/activation.json", (long long)generation);
}

struct err *activation_load(struct doc **ret, int dir, int64_t generation)
{
    OWN_FREE char *path = activation_path(generation);
    return path ? json_load(ret, dir, path) : err_os(ENOMEM, "activation");
}

struct err *activation_store(int dir, int64_t generation, const struct doc *note)
{
    OWN_FREE char *path = activation_path(generation);
    return path ? json_store(dir, path, note) : err_os(ENOMEM, "activation");
}

struct err *generation_current(int64_t *ret, int dir)
{
    char target[64];
    *ret = 0;
    ssize_t n = readlinkat(dir, "current", target, sizeof target - 1);
    if (n < 0)
        return errno == ENOENT || errno == EBADF ? NULL : err_os(errno, "read link current");
    target[n] = '\0';
    if (!str_starts(target, "generations/") || !str_int(target + strlen("generations/"), 1, GENERATION_MAX, ret))
        return err_new(ERR_FAILED, "current points to %s, which is no generation", target);
    return NULL;
}
