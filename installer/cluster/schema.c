#include "cluster/schema.h"

#include "base/str.h"
#include "cluster/cluster.h"
#include "cluster/net.h"
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

/* Labels with dots between them, at most 253 bytes. */
static bool is_dns_name(const char *s, size_t n)
{
    const char *end = s + n;
    for (const char *at = s; n <= 253; at++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        if (!is_label(at, (size_t)((dot ? dot : end) - at)))
            return false;
        if (!dot)
            return true;
        at = dot;
    }
    return false;
}

bool cluster_name_is_valid(const char *name)
{
    return is_dns_name(name, strlen(name));
}

static struct err *check_dns_name(const struct doc *v)
{
    if (cluster_name_is_valid(v->text))
        return NULL;
    return err_hint(doc_err(ERR_USAGE, v, "%s: not a DNS-1123 name", v->key),
                    "lower-case letters, digits and '-', beginning and ending with a letter or digit");
}

/* Also U+0080 to U+009F, which terminals obey, and U+2028 and U+2029, which some readers take for line ends. */
static bool is_control(const char *at)
{
    return (unsigned char)*at < 0x20 || *at == 0x7f ||
           (at[0] == '\xc2' && (unsigned char)at[1] >= 0x80 && (unsigned char)at[1] < 0xa0) ||
           str_starts(at, "\xe2\x80\xa8") || str_starts(at, "\xe2\x80\xa9");
}

/* Control characters have no use in any value, and are how a line of one file becomes two of another. */
static struct err *check_plain(const struct doc *v)
{
    for (const char *at = v->text; *at; at++)
        if (is_control(at))
            return err_hint(doc_err(ERR_USAGE, v, "%s: a control character in the value", v->key ? v->key : "entry"),
                            "write it in one line, without tabs and escapes");
    return *v->text ? NULL
                    : err_hint(doc_err(ERR_USAGE, v, "%s: empty", v->key ? v->key : "entry"),
                               "write the value, or take the line out");
}

static struct err *check_user(const struct doc *v)
{
    size_t n = strspn(v->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (n == 0 || v->text[n] || v->text[0] == '-')
        return err_hint(doc_err(ERR_USAGE, v, "user: not a user's name"),
                        "letters, digits, '_', '.' and '-', not beginning with '-'");
    return NULL;
}

static struct err *check_port(const struct doc *v)
{
    return v->num >= 1 && v->num <= 65535
               ? NULL
               : err_hint(doc_err(ERR_USAGE, v, "port: not a port"), "a number from 1 to 65535; sshd's is usually 22");
}

static struct err *check_host_key(const struct doc *v)
{
    static const char base64[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
    if (str_starts(v->text, "SHA256:") && strlen(v->text) == 7 + 43 && strspn(v->text + 7, base64) == 43)
        return NULL;
    return err_hint(doc_err(ERR_USAGE, v, "hostKey: not a fingerprint \"SHA256:...\""),
                    "as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it on the machine");
}

static struct err *check_role(const struct doc *list)
{
    static const char *const roles[] = {"control-plane", "worker"};
    DOC_EACH (v, list) {
        TRY(check_plain(v));
        if (str_eq(v->text, roles[0]) || str_eq(v->text, roles[1]))
            continue;
        struct err *e = doc_err(ERR_USAGE, v, "unknown role \"%s\"", v->text);
        const char *near = schema_nearest(v->text, roles, ARRAY_LEN(roles));
        return near ? err_hint(e, "did you mean \"%s\"?", near) : err_hint(e, "roles are control-plane and worker");
    }
    return NULL;
}

#define LABEL_HINT                                                                                                     \
    "names such as zone or example.com/zone; up to 63 letters, digits, '-', '_' and '.', beginning and ending with a " \
    "letter or digit"

/* Kubernetes: up to 63 of [A-Za-z0-9_.-], beginning and ending with a letter or digit. */
static bool is_label_part(const char *s)
{
    static const char chars[] = "_.-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t n = strspn(s, chars);
    return n >= 1 && n <= 63 && !s[n] && !strchr("_.-", s[0]) && !strchr("_.-", s[n - 1]);
}

/* [prefix/]name, the prefix a DNS-1123 name. */
static bool is_label_key(const char *s)
{
    const char *slash = strchr(s, '/');
    return slash ? is_dns_name(s, (size_t)(slash - s)) && is_label_part(slash + 1) : is_label_part(s);
}

static bool is_label_value(const char *s)
{
    return !*s || is_label_part(s);
}

static struct err *check_labels(const struct doc *map)
{
    DOC_EACH (v, map)
        if (!is_label_key(v->key) || v->kind == DOC_NULL || !v->text || !is_label_value(v->text))
            return err_hint(doc_err(ERR_USAGE, v, "labels: not a Kubernetes label name and value"), LABEL_HINT);
    return NULL;
}

static struct err *check_taint_key(const struct doc *v)
{
    return is_label_key(v->text) ? NULL
                                 : err_hint(doc_err(ERR_USAGE, v, "key: not a Kubernetes label name"), LABEL_HINT);
}

static struct err *check_taint_value(const struct doc *v)
{
    return is_label_value(v->text) ? NULL
                                   : err_hint(doc_err(ERR_USAGE, v, "value: not a Kubernetes label value"), LABEL_HINT);
}

static struct err *check_effect(const struct doc *v)
{
    if (str_eq(v->text, "NoSchedule") || str_eq(v->text, "PreferNoSchedule") || str_eq(v->text, "NoExecute"))
        return NULL;
    return err_hint(doc_err(ERR_USAGE, v, "effect: not an effect of a taint"),
                    "one of NoSchedule, PreferNoSchedule, NoExecute");
}

/* Files here: what is installed must not depend on what a server gives at that moment. */
static struct err *check_path(const struct doc *v)
{
    TRY(check_plain(v));
    if (!strstr(v->text, "://"))
        return NULL;
    return err_hint(doc_err(ERR_USAGE, v, "%s: an address; it must be a file here", v->key ? v->key : "entry"),
                    "bring it here first: caisson bundle ingest URL says what to write for a release");
}

static struct err *check_paths(const struct doc *list)
{
    DOC_EACH (v, list)
        TRY(check_path(v));
    return NULL;
}

static struct err *check_path_list(const struct doc *list)
{
    TRY(check_paths(list));
    return list->child ? NULL
                       : err_hint(doc_err(ERR_USAGE, list, "%s: an empty list", list->key),
                                  "name the public key that the bundle was signed with: [release.pub]");
}

static struct err *check_upstream(const struct doc *list)
{
    uint32_t address;
    DOC_EACH (v, list)
        if (!net_parse_address(v->text, &address))
            return err_hint(doc_err(ERR_USAGE, v, "upstream: not the IPv4 address of a name server"),
                            "addresses such as [10.0.0.53], or [] for none");
    return NULL;
}

static struct err *check_acknowledge(const struct doc *list)
{
    static const char *const names[] = {"single-control-plane", "even-control-plane"};
    DOC_EACH (v, list) {
        TRY(check_plain(v));
        if (str_eq(v->text, names[0]) || str_eq(v->text, names[1]))
            continue;
        const char *near = schema_nearest(v->text, names, ARRAY_LEN(names));
        struct err *e = doc_err(ERR_USAGE, v, "no warning is called \"%s\"", v->text);
        return near ? err_hint(e, "did you mean \"%s\"?", near)
                    : err_hint(e, "there are %s and %s", names[0], names[1]);
    }
    return NULL;
}

static struct err *check_api_version(const struct doc *v)
{
    return str_eq(v->text, "caisson.dev/v1")
               ? NULL
               : err_hint(doc_err(ERR_USAGE, v, "apiVersion: not one that this caisson reads"), "caisson.dev/v1");
}

static struct err *check_kind(const struct doc *v)
{
    return str_eq(v->text, "Cluster") ? NULL
                                      : err_hint(doc_err(ERR_USAGE, v, "kind: must be Cluster"),
                                                 "is this the cluster's file? -c FILE names it");
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
    {"key", DOC_STRING, .required = true, .check = check_taint_key},
    {"value", DOC_STRING, .check = check_taint_value},
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
    {"upstream", DOC_LIST, .elem = DOC_STRING, .check = check_upstream},
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
    {"release", DOC_STRING, .required = true, .check = check_path},
    {"addons", DOC_LIST, .elem = DOC_STRING, .check = check_paths},
    {"trust", DOC_LIST, .elem = DOC_STRING, .check = check_path_list},
    {"product", DOC_STRING, .check = check_dns_name},
    {"channel", DOC_STRING, .check = check_dns_name},
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
