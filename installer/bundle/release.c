#include "bundle/release.h"

#include "base/clock.h"
#include "base/str.h"
#include "bundle/canon.h"
#include "bundle/format.h"
#include "doc/schema.h"
#include "pack/ustar.h"

#include <errno.h>
#include <string.h>

/* ---- rules for single values ---- */

static struct err *check_digest(const struct doc *v)
{
    return format_hex(v->text) ? NULL : err_new(ERR_UNTRUSTED, "%s is not \"sha256:\" and 64 hex digits", v->key);
}

static struct err *check_count(const struct doc *v)
{
    return v->num >= 0 ? NULL : err_new(ERR_UNTRUSTED, "%s is negative", v->key);
}

static struct err *check_epoch(const struct doc *v)
{
    return v->num >= 0 && v->num <= UINT32_MAX ? NULL : err_new(ERR_UNTRUSTED, "%s is not within 32 bits", v->key);
}

static struct err *check_plain(const struct doc *v)
{
    return format_name(v->text);
}

static struct err *check_image_name(const struct doc *v)
{
    return format_ref(v->text);
}

/* Digits and letters with .-+ between, as they go into file names and onto terminals. */
static struct err *check_version(const struct doc *v)
{
    size_t n = strlen(v->text);
    size_t good = strspn(v->text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-+~_");
    return n > 0 && n == good && n <= 64 ? NULL : err_new(ERR_UNTRUSTED, "%s \"%s\" is not a version", v->key, v->text);
}

static struct err *check_time(const struct doc *v)
{
    int64_t t;
    return clock_parse(v->text, &t) ? NULL : err_new(ERR_UNTRUSTED, "%s \"%s\" is not a time", v->key, v->text);
}

static struct err *check_not_empty(const struct doc *v)
{
    return v->child ? NULL : err_new(ERR_UNTRUSTED, "%s is empty", v->key);
}

/* A file's name inside a component: where it stood below the folder of definitions. */
static struct err *check_file_name(const struct doc *v)
{
    struct ustar_entry e = {0};
    unsigned char block[USTAR_BLOCK];
    size_t n = strlen(v->text);
    memcpy(e.name, v->text, n <= USTAR_NAME_MAX ? n : 0);
    struct err *bad = ustar_encode(block, &e); /* has the same idea of a plain path */
    if (bad)
        return err_as(err_wrap(bad, "E_PATH"), ERR_UNTRUSTED);
    return NULL;
}

/* ---- the tables: unknown keys are accepted (that is what `crit` is for), known ones have one form ---- */

#define MUST .required = true
#define ANY_OTHER                                                                                                      \
    {                                                                                                                  \
        .key = "*"                                                                                                     \
    }

static const struct field digest_fields[] = {{"digest", DOC_STRING, MUST, .check = check_digest}, ANY_OTHER, {0}};
static const struct field file_fields[] = {{"name", DOC_STRING, MUST, .check = check_file_name},
                                           {"digest", DOC_STRING, MUST, .check = check_digest},
                                           ANY_OTHER,
                                           {0}};
static const struct field artifact_fields[] = {{"name", DOC_STRING, MUST, .check = check_plain},
                                               {"digest", DOC_STRING, MUST, .check = check_digest},
                                               {"mediaType", DOC_STRING, MUST},
                                               {"enc", DOC_STRING, MUST},
                                               {"rawSize", DOC_INT, MUST, .check = check_count},
                                               {"rawDigest", DOC_STRING, MUST, .check = check_digest},
                                               {"platform", DOC_STRING, MUST},
                                               {"role", DOC_LIST, MUST, .elem = DOC_STRING},
                                               ANY_OTHER,
                                               {0}};
static const struct field image_fields[] = {{"name", DOC_STRING, MUST, .check = check_image_name},
                                            {"indexDigest", DOC_STRING, .check = check_digest},
                                            {"manifestDigest", DOC_STRING, MUST, .check = check_digest},
                                            {"platform", DOC_STRING, MUST},
                                            {"role", DOC_LIST, MUST, .elem = DOC_STRING},
                                            {"pin", DOC_BOOL, MUST},
                                            {"seed", DOC_BOOL, MUST},
                                            ANY_OTHER,
                                            {0}};
static const struct field component_fields[] = {{"name", DOC_STRING, MUST, .check = check_plain},
                                                {"version", DOC_STRING, MUST, .check = check_version},
                                                {"kind", DOC_STRING, MUST},
                                                {"license", DOC_STRING, MUST},
                                                {"supplier", DOC_STRING, MUST},
                                                {"purl", DOC_STRING, MUST},
                                                {"definition", DOC_MAP, MUST, .map = digest_fields},
                                                {"files", DOC_LIST, .map = file_fields},
                                                {"artifacts", DOC_LIST, MUST, .map = artifact_fields},
                                                {"images", DOC_LIST, MUST, .map = image_fields},
                                                ANY_OTHER,
                                                {0}};
static const struct field member_fields[] = {{"path", DOC_STRING, MUST},
                                             {"size", DOC_INT, MUST, .check = check_count},
                                             {"digest", DOC_STRING, MUST, .check = check_digest},
                                             ANY_OTHER,
                                             {0}};
static const struct field totals_fields[] = {{"members", DOC_INT, MUST, .check = check_count},
                                             {"bytes", DOC_INT, MUST, .check = check_count},
                                             {"rawBytes", DOC_INT, MUST, .check = check_count},
                                             {"seedBytesPerNode", DOC_INT, MUST, .check = check_count},
                                             ANY_OTHER,
                                             {0}};
static const struct field requires_fields[] = {{"profile", DOC_STRING, MUST, .check = check_plain},
                                               {"releaseDigest", DOC_STRING, MUST, .check = check_digest},
                                               ANY_OTHER,
                                               {0}};
static const struct field rollback_fields[] = {
    {"epoch", DOC_INT, MUST, .check = check_epoch}, {"sequence", DOC_INT, MUST, .check = check_count}, ANY_OTHER, {0}};
static const struct field kubernetes_fields[] = {{"version", DOC_STRING, MUST, .check = check_version},
                                                 {"upgradeFrom", DOC_LIST, MUST, .elem = DOC_STRING},
                                                 ANY_OTHER,
                                                 {0}};
static const struct field provenance_fields[] = {{"lockDigest", DOC_STRING, MUST, .check = check_digest},
                                                 {"builder", DOC_STRING, MUST},
                                                 {"sourceDateEpoch", DOC_INT, MUST, .check = check_count},
                                                 ANY_OTHER,
                                                 {0}};
static const struct field sbom_fields[] = {{"digest", DOC_STRING, MUST, .check = check_digest},
                                           {"format", DOC_STRING, MUST},
                                           {"scope", DOC_STRING, MUST},
                                           ANY_OTHER,
                                           {0}};
static const struct field predicate_fields[] = {
    {"schema", DOC_INT, MUST},
    {"crit", DOC_LIST, MUST, .elem = DOC_STRING},
    {"product", DOC_STRING, MUST, .check = check_plain},
    {"profile", DOC_STRING, MUST, .check = check_plain},
    {"channel", DOC_STRING, MUST, .check = check_plain},
    {"version", DOC_STRING, MUST, .check = check_version},
    {"epoch", DOC_INT, MUST, .check = check_epoch},
    {"sequence", DOC_INT, MUST, .check = check_count},
    {"issued", DOC_STRING, MUST, .check = check_time},
    {.key = "expires", .kind = DOC_STRING, .check = check_time},
    {"platforms", DOC_LIST, MUST, .elem = DOC_STRING, .check = check_not_empty},
    {"minTool", DOC_STRING, MUST, .check = check_version},
    {"kubernetes", DOC_MAP, .map = kubernetes_fields},
    {"requires", DOC_LIST, MUST, .map = requires_fields},
    {"rollbackTo", DOC_LIST, MUST, .map = rollback_fields},
    {"totals", DOC_MAP, MUST, .map = totals_fields},
    {"members", DOC_LIST, MUST, .map = member_fields, .check = check_not_empty},
    {"components", DOC_LIST, MUST, .map = component_fields},
    {"profileDefinition", DOC_MAP, MUST, .map = digest_fields},
    {"sbom", DOC_LIST, MUST, .map = sbom_fields},
    {"provenance", DOC_MAP, MUST, .map = provenance_fields},
    ANY_OTHER,
    {0}};
static const struct field subject_digest_fields[] = {{"sha256", DOC_STRING, MUST}, ANY_OTHER, {0}};
static const struct field subject_fields[] = {
    {"name", DOC_STRING, MUST}, {"digest", DOC_MAP, MUST, .map = subject_digest_fields}, ANY_OTHER, {0}};
static const struct field statement_fields[] = {
    {"_type", DOC_STRING, MUST},
    {"predicateType", DOC_STRING, MUST},
    {"subject", DOC_LIST, MUST, .map = subject_fields, .check = check_not_empty},
    {"predicate", DOC_MAP, MUST, .map = predicate_fields},
    ANY_OTHER,
    {0}};

/* ---- rules between values ---- */

/* Compares "1.2.3" with "1.10" number by number; what is not a number counts as 0. */
static int compare_versions(const char *a, const char *b)
{
    for (int i = 0; i < 3; i++) {
        char *a_end, *b_end;
        unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);
        if (x != y)
            return x < y ? -1 : 1;
        a = a_end + (*a_end == '.');
        b = b_end + (*b_end == '.');
    }
    return 0;
}

static struct err *check_type(const struct doc *release)
{
    const char *tool = doc_text(release, "predicate.minTool");
    if (!str_eq(doc_text(release, "_type"), FORMAT_STATEMENT) ||
        !str_eq(doc_text(release, "predicateType"), FORMAT_PREDICATE))
        return err_new(ERR_UNTRUSTED, "E_SCHEMA: not a release statement");
    if (doc_int(release, "predicate.schema", 0) != 1)
        return err_new(ERR_UNTRUSTED, "E_FORMAT: schema %s; this bundle needs a newer caisson than %s",
                       doc_text(release, "predicate.schema"), CAISSON_VERSION);
    if (compare_versions(tool, CAISSON_VERSION) > 0)
        return err_new(ERR_UNTRUSTED, "E_FORMAT: this bundle needs caisson %s or newer; this is %s", tool,
                       CAISSON_VERSION);
    return NULL;
}

static struct err *check_crit(const struct doc *predicate)
{
    DOC_EACH (v, doc_get(predicate, "crit")) {
        const struct field *f = predicate_fields;
        while (strcmp(f->key, "*") != 0 && strcmp(f->key, v->text) != 0)
            f++;
        if (strcmp(f->key, "*") == 0)
            return err_new(ERR_UNTRUSTED, "E_CRIT: \"%s\" must be understood and is not; a newer caisson is needed",
                           v->text);
    }
    return NULL;
}

static struct err *check_role_list(const struct doc *roles)
{
    DOC_EACH (v, roles)
        TRY_CTX(format_name(v->text), "role");
    return roles->child ? NULL : err_new(ERR_UNTRUSTED, "E_SCHEMA: an empty list of roles");
}

/* One platform each, of those the release is for; plain roles. */
static struct err *check_places(const struct doc *predicate, const struct doc *list)
{
    DOC_EACH (v, list) {
        const char *platform = doc_text(v, "platform");
        if (!doc_list_has(doc_get(predicate, "platforms"), platform))
            return err_new(ERR_UNTRUSTED, "E_PLATFORM: %s is for %s", doc_text(v, "name"), platform);
        TRY_CTX(check_role_list(doc_get(v, "role")), "%s", doc_text(v, "name"));
    }
    return NULL;
}

static struct err *check_components(const struct doc *predicate)
{
    DOC_EACH (c, doc_get(predicate, "components")) {
        TRY_CTX(check_places(predicate, doc_get(c, "artifacts")), "component %s", doc_text(c, "name"));
        TRY_CTX(check_places(predicate, doc_get(c, "images")), "component %s", doc_text(c, "name"));
        DOC_EACH (a, doc_get(c, "artifacts"))
            if (!str_eq(doc_text(a, "mediaType"), MEDIA_PACKAGE) || !str_eq(doc_text(a, "enc"), "zstd"))
                return err_new(ERR_UNTRUSTED, "E_SCHEMA: %s is no package", doc_text(a, "name"));
        for (const struct doc *d = c->next; d; d = d->next)
            if (str_eq(doc_text(c, "name"), doc_text(d, "name")))
                return err_new(ERR_UNTRUSTED, "E_SCHEMA: component %s is there twice", doc_text(c, "name"));
    }
    return NULL;
}

struct err *release_parse(struct doc **ret, const struct buf *bytes)
{
    OWN_DOC struct doc *release = NULL;
    TRY(canon_parse(&release, "release.json", bytes));
    struct err *e = schema_check(release, statement_fields);
    if (e && strncmp(err_text(e), "E_", 2) != 0)
        e = err_wrap(e, "E_SCHEMA: release.json");
    if (e)
        return err_as(e, ERR_UNTRUSTED);
    const struct doc *predicate = doc_get(release, "predicate");
    TRY(check_type(release));
    TRY(check_crit(predicate));
    TRY(check_components(predicate));
    *ret = TAKE(release);
    return NULL;
}

/* ---- members ---- */

static int by_hex(const void *a, const void *b)
{
    return strcmp((*(const struct member *const *)a)->hex, (*(const struct member *const *)b)->hex);
}

/* index.json first, then blobs that are called by their digest. */
static struct err *check_member(const struct member *m, bool first)
{
    bool good =
        first ? str_eq(m->path, "index.json") : str_starts(m->path, "blobs/sha256/") && str_eq(m->path + 13, m->hex);
    if (!good)
        return err_new(ERR_UNTRUSTED, "E_SCHEMA: members: \"%s\" does not belong there", m->path);
    return m->size ? NULL : err_new(ERR_UNTRUSTED, "E_SIZE: members: %s has no bytes", m->path);
}

static struct err *sort_members(struct members *m)
{
    m->by_hex = calloc(m->n + 1, sizeof *m->by_hex);
    if (!m->by_hex)
        return err_os(ENOMEM, "members");
    for (size_t i = 0; i < m->n; i++)
        m->by_hex[i] = &m->at[i];
    qsort(m->by_hex, m->n, sizeof *m->by_hex, by_hex);
    for (size_t i = 1; i < m->n; i++)
        if (strcmp(m->by_hex[i - 1]->hex, m->by_hex[i]->hex) == 0)
            return err_new(ERR_UNTRUSTED, "E_SCHEMA: members: sha256:%s is there twice", m->by_hex[i]->hex);
    return NULL;
}

static struct err *check_totals(const struct members *m, const struct doc *release, uint64_t bytes)
{
    if ((uint64_t)doc_int(release, "predicate.totals.members", 0) != m->n ||
        (uint64_t)doc_int(release, "predicate.totals.bytes", 0) != bytes)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: totals are not those of the members (%zu, %llu bytes)", m->n,
                       (unsigned long long)bytes);
    if (!str_eq(doc_text(doc_get(release, "subject")->child, "name"), "index.json") ||
        !str_eq(doc_text(doc_get(release, "subject")->child, "digest.sha256"), m->at[0].hex))
        return err_new(ERR_UNTRUSTED, "E_SCHEMA: the subject is not index.json");
    return NULL;
}

static struct err *fill(struct members *ret, const struct doc *list, const struct doc *release, uint64_t index_at)
{
    uint64_t bytes = 0, at = index_at;
    DOC_EACH (v, list) {
        struct member *m = &ret->at[ret->n];
        *m = (struct member){.path = doc_text(v, "path"),
                             .hex = format_hex(doc_text(v, "digest")),
                             .size = (uint64_t)doc_int(v, "size", 0),
                             .at = at};
        TRY(check_member(m, ret->n == 0));
        bytes += m->size; /* cannot wrap unless `at` does, which comes first */
        if (__builtin_add_overflow(at, ustar_span(m->size), &at) || at > INT64_MAX)
            return err_new(ERR_UNTRUSTED, "E_LIMIT: members: more than 2^63 bytes in all");
        ret->n++;
    }
    ret->end_at = at;
    TRY(check_totals(ret, release, bytes));
    return sort_members(ret);
}

struct err *release_members(struct members *ret, const struct doc *release, uint64_t index_at)
{
    const struct doc *list = doc_path(release, "predicate.members");
    size_t n = doc_len(list);
    if (n > FORMAT_MEMBERS_MAX)
        return err_new(ERR_UNTRUSTED, "E_LIMIT: %zu members, at most %d are allowed", n, FORMAT_MEMBERS_MAX);
    OWN(members_done) struct members m = {.at = calloc(n + 1, sizeof *m.at)};
    if (!m.at)
        return err_os(ENOMEM, "members");
    TRY(fill(&m, list, release, index_at));
    *ret = m;
    m = (struct members){0};
    return NULL;
}

const struct member *members_find(const struct members *m, const char *hex)
{
    const struct member key = {.hex = hex}, *at = &key;
    const struct member **found = m->n ? bsearch(&at, m->by_hex, m->n, sizeof at, by_hex) : NULL;
    return found ? *found : NULL;
}

static struct err *must_have(const struct members *m, const char *digest, const char *what)
{
    return members_find(m, format_hex(digest)) ? NULL
                                               : err_new(ERR_UNTRUSTED, "E_MISSING: %s: %s is no member", what, digest);
}

static struct err *check_list(const struct members *m, const struct doc *list, const char *key)
{
    DOC_EACH (v, list)
        TRY(must_have(m, doc_text(v, key), doc_text(v, "name")));
    return NULL;
}

struct err *release_check_digests(const struct doc *release, const struct members *m)
{
    TRY(must_have(m, doc_text(release, "predicate.profileDefinition.digest"), "profileDefinition"));
    DOC_EACH (v, doc_path(release, "predicate.sbom"))
        TRY(must_have(m, doc_text(v, "digest"), "sbom"));
    DOC_EACH (c, doc_path(release, "predicate.components")) {
        TRY(must_have(m, doc_text(c, "definition.digest"), doc_text(c, "name")));
        TRY(check_list(m, doc_get(c, "files"), "digest"));
        TRY(check_list(m, doc_get(c, "artifacts"), "digest"));
        TRY(check_list(m, doc_get(c, "images"), "manifestDigest"));
    }
    return NULL;
}

void members_done(struct members *m)
{
    free(m->at);
    free(m->by_hex);
}
