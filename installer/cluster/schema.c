#include "cluster/schema.h"

#include "base/str.h"
#include "doc/schema.h"

#include <string.h>

/* RFC 1123 label: lower-case letters, digits, '-' inside, at most 63. Kubernetes wants it for node names. */
static bool is_label(const char *s, size_t n)
{
    static const char alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    if (n == 0 || n > 63 || !memchr(alnum, s[0], 36) || !memchr(alnum, s[n - 1], 36))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!memchr("abcdefghijklmnopqrstuvwxyz0123456789-", s[i], 37))
            return false;
    return true;
}

static struct err *check_dns_name(const struct doc *v)
{
    size_t total = strlen(v->text);
    for (const char *at = v->text;;) {
        size_t n = strcspn(at, ".");
        if (total > 253 || !is_label(at, n))
            return err_hint(doc_err(ERR_USAGE, v, "%s: not a DNS-1123 name", v->key),
                            "lower-case letters, digits and '-', beginning and ending with a letter or digit");
        if (!at[n])
            return NULL;
        at += n + 1;
    }
}

/* Control characters have no use in any value, and are how a line of one file becomes two of another. */
static struct err *check_plain(const struct doc *v)
{
    for (const char *at = v->text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return doc_err(ERR_USAGE, v, "%s: a control character in the value", v->key ? v->key : "entry");
    return *v->text ? NULL : doc_err(ERR_USAGE, v, "%s: empty", v->key ? v->key : "entry");
}

static struct err *check_user(const struct doc *v)
{
    size_t n = strspn(v->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (n == 0 || v->text[n] || v->text[0] == '-')
        return doc_err(ERR_USAGE, v, "user: letters, digits, '_', '.' and '-' only");
    return NULL;
}

static struct err *check_port(const struct doc *v)
{
    return v->num >= 1 && v->num <= 65535 ? NULL : doc_err(ERR_USAGE, v, "port: from 1 to 65535");
}

static struct err *check_host_key(const struct doc *v)
{
    if (str_starts(v->text, "SHA256:") && strlen(v->text) == 7 + 43)
        return NULL;
    return err_hint(doc_err(ERR_USAGE, v, "hostKey: not a fingerprint \"SHA256:...\""),
                    "as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it on the machine");
}

static struct err *check_role(const struct doc *list)
{
    static const char *const roles[] = {"control-plane", "worker"};
    DOC_EACH (v, list) {
        if (str_eq(v->text, roles[0]) || str_eq(v->text, roles[1]))
            continue;
        struct err *e = doc_err(ERR_USAGE, v, "unknown role \"%s\"", v->text);
        const char *near = schema_nearest(v->text, roles, ARRAY_LEN(roles));
        return near ? err_hint(e, "did you mean \"%s\"?", near) : err_hint(e, "roles are control-plane and worker");
    }
    return NULL;
}

/* Kubernetes: [prefix/]name, name up to 63 of [A-Za-z0-9_.-]; values the same or empty. */
static bool is_label_part(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return n <= 63 && !s[n];
}

static struct err *check_labels(const struct doc *map)
{
    DOC_EACH (v, map) {
        const char *slash = strchr(v->key, '/');
        if (!is_label_part(slash ? slash + 1 : v->key) || !v->text || !is_label_part(v->text))
            return doc_err(ERR_USAGE, v, "label \"%s\": not a Kubernetes label name and value", v->key);
    }
    return NULL;
}

static struct err *check_effect(const struct doc *v)
{
    if (str_eq(v->text, "NoSchedule") || str_eq(v->text, "PreferNoSchedule") || str_eq(v->text, "NoExecute"))
        return NULL;
    return doc_err(ERR_USAGE, v, "effect: one of NoSchedule, PreferNoSchedule, NoExecute");
}

static struct err *check_path_list(const struct doc *list)
{
    DOC_EACH (v, list)
        TRY(check_plain(v));
    return list->child ? NULL : doc_err(ERR_USAGE, list, "%s: an empty list", list->key);
}

static struct err *check_acknowledge(const struct doc *list)
{
    static const char *const names[] = {"single-control-plane", "even-control-plane"};
    DOC_EACH (v, list) {
        if (str_eq(v->text, names[0]) || str_eq(v->text, names[1]))
            continue;
        const char *near = schema_nearest(v->text, names, ARRAY_LEN(names));
        struct err *e = doc_err(ERR_USAGE, v, "no warning is called \"%s\"", v->text);
        return near ? err_hint(e, "did you mean \"%s\"?", near) : e;
    }
    return NULL;
}

static struct err *check_api_version(const struct doc *v)
{
    return str_eq(v->text, "caisson.dev/v1") ? NULL
                                             : doc_err(ERR_USAGE, v, "apiVersion: this caisson reads caisson.dev/v1");
}

static struct err *check_kind(const struct doc *v)
{
    return str_eq(v->text, "Cluster") ? NULL : doc_err(ERR_USAGE, v, "kind: must be Cluster");
}

static const struct field ssh_fields[] = {
    {"address", DOC_STRING, .required = true, .check = check_plain},
    {"user", DOC_STRING, .check = check_user},
    {"port", DOC_INT, .check = check_port},
    {"key", DOC_STRING, .check = check_plain},
    {"hostKey", DOC_STRING, .check = check_host_key},
    {0},
};
static const struct field default_ssh_fields[] = {
    {"user", DOC_STRING, .check = check_user},
    {"port", DOC_INT, .check = check_port},
    {"key", DOC_STRING, .check = check_plain},
    {0},
};
static const struct field taint_fields[] = {
    {"key", DOC_STRING, .required = true, .check = check_plain},
    {"value", DOC_STRING},
    {"effect", DOC_STRING, .required = true, .check = check_effect},
    {0},
};
static const struct field host_fields[] = {
    {"name", DOC_STRING, .required = true, .check = check_dns_name},
    {"roles", DOC_LIST, .required = true, .elem = DOC_STRING, .check = check_role},
    {"ssh", DOC_MAP, .required = true, .map = ssh_fields},
    {"labels", DOC_MAP, .check = check_labels},
    {"taints", DOC_LIST, .map = taint_fields},
    {0},
};
static const struct field dns_fields[] = {
    {"upstream", DOC_LIST, .elem = DOC_STRING},
    {0},
};
static const struct field network_fields[] = {
    {"pods", DOC_STRING, .check = check_plain},
    {"services", DOC_STRING, .check = check_plain},
    {"dns", DOC_MAP, .map = dns_fields},
    {0},
};
static const struct field defaults_fields[] = {
    {"ssh", DOC_MAP, .map = default_ssh_fields},
    {0},
};
static const struct field spec_fields[] = {
    {"release", DOC_STRING, .required = true, .check = check_plain},
    {"trust", DOC_LIST, .required = true, .elem = DOC_STRING, .check = check_path_list},
    {"profile", DOC_STRING, .required = true, .check = check_dns_name},
    {"network", DOC_MAP, .map = network_fields},
    {"hosts", DOC_LIST, .required = true, .map = host_fields},
    {"defaults", DOC_MAP, .map = defaults_fields},
    {"overrides", DOC_MAP}, /* keys are settings of the release's components: checked by the planner */
    {"acknowledge", DOC_LIST, .elem = DOC_STRING, .check = check_acknowledge},
    {0},
};
static const struct field metadata_fields[] = {
    {"name", DOC_STRING, .required = true, .check = check_dns_name},
    {0},
};
static const struct field cluster_fields[] = {
    {"apiVersion", DOC_STRING, .required = true, .check = check_api_version},
    {"kind", DOC_STRING, .required = true, .check = check_kind},
    {"metadata", DOC_MAP, .required = true, .map = metadata_fields},
    {"spec", DOC_MAP, .required = true, .map = spec_fields},
    {0},
};

struct err *cluster_schema_check(const struct doc *d)
{
    return schema_check(d, cluster_fields);
}
