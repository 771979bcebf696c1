/* release.json under a good signature: bad-input rows 29 to 32, 36, 38. */
#include "forge.h"

#include <stdlib.h>

/* ---- JSON ---- */

/* The good document of a fresh bundle as text. */
static char *good_text(void)
{
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    return buf_take(&forge_find(f, "caisson/release.json")->body);
}

/* A copy of `text` with the first `from` replaced. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    char *s = str_fmt("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_non_null(s);
    return s;
}

static void text_refused(const char *text, const char *code)
{
    OWN_FORGE struct forge *f = forge_new();
    f->release_text = text;
    forge_refused(f, code, "caisson/release.json at byte ");
}

static void bad_json(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"\"crit\":[]", "\"crit\":[],\"crit\":[]"},
        {"\"crit\":[]", "\"crit\":[],"},
        {"\"crit\":[]", "\"crit\":[,]"},
        {"\"crit\":[]", "\"crit\": []"},
        {"\"crit\":[]", "\"crit\":[]/* none */"},
        {"\"crit\":[]", "\"crit\":[]\n"},
        {"{\"_type\"", "\xef\xbb\xbf{\"_type\""},
        {"\"epoch\":0", "\"epoch\":NaN"},
        {"\"epoch\":0", "\"epoch\":-0"},
        {"\"epoch\":0", "\"epoch\":00"},
        {"\"epoch\":0", "\"epoch\":0.0"},
        {"\"epoch\":0", "\"epoch\":+0"},
        {"\"epoch\":0", "\"epoch\":0x0"},
        {"\"sequence\":1", "\"sequence\":1.0"},
        {"\"sequence\":1", "\"sequence\":1e3"},
        {"\"sequence\":1", "\"sequence\":9007199254740992"},
        {"\"sequence\":1", "\"sequence\":-9007199254740992"},
        {"\"sequence\":1", "\"sequence\":18446744073709551617"},
        {"\"supplier\":\"example\"", "\"supplier\":\"\\ud800\""},
        {"\"supplier\":\"example\"", "\"supplier\":\"\xff\xfe\""},
        {"\"supplier\":\"example\"", "\"supplier\":\"\xc0\xaf\""},
        {"\"supplier\":\"example\"", "\"supplier\":\"\\u0000\""},
        {"\"supplier\":\"example\"", "\"supplier\":\"\\u0065xample\""},
        {"\"supplier\":\"example\"", "\"supplier\":\"a\tb\""},
        {"\"supplier\":\"example\"", "supplier:\"example\""},
        {"\"supplier\":\"example\"", "\"supplier\":'example'"},
        {"\"_type\":\"https", "\"zz\":1,\"_type\":\"https"}, /* keys in another order */
    };
    OWN_FREE char *good = good_text();
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        OWN_FREE char *bad = replaced(good, changes[i][0], changes[i][1]);
        print_message("json: %s\n", changes[i][1]);
        text_refused(bad, "E_JSON");
    }
    OWN_FREE char *more = str_fmt("%s{}", good);
    text_refused(more, "E_JSON");
    text_refused("", "E_JSON");
    text_refused("null", "E_SCHEMA");
    text_refused("[]", "E_SCHEMA");
}

static void deep_and_long(void **state)
{
    (void)state;
    OWN_FREE char *good = good_text();
    for (int depth = 62; depth <= 100000; depth = depth == 62 ? 63 : depth * 40) {
        OWN_BUF struct buf nest = {0};
        OK(buf_str(&nest, "\"crit\":[],\"deep\":"));
        for (int i = 0; i < depth; i++)
            OK(buf_str(&nest, "["));
        for (int i = 0; i < depth; i++)
            OK(buf_str(&nest, "]"));
        OWN_FREE char *bad = replaced(good, "\"crit\":[]", nest.at);
        if (depth > 62) {
            text_refused(bad, "E_JSON");
            continue;
        }
        OWN_FORGE struct forge *f = forge_new();
        struct doc *d = doc_set(f->predicate, "deep", doc_new_list());
        while (--depth)
            d = doc_add(d, doc_new_list());
        depth = 62; /* 64 levels with statement and predicate: still fine */
        forge_seal(f);
        forge_write(f);
        OK(forge_check(f));
    }
    OWN_BUF struct buf key = {0};
    OK(buf_str(&key, "\"crit\":[],\"d"));
    for (int i = 0; i < 1 << 20; i++)
        OK(buf_str(&key, "d"));
    OK(buf_str(&key, "\":1"));
    OWN_FREE char *bad = replaced(good, "\"crit\":[]", key.at);
    text_refused(bad, "E_JSON");
}

/* ---- schema ---- */

enum how { REMOVE, NUMBER, TEXT, LIST, NEGATIVE };

static const struct {
    const char *path, *key;
    enum how how;
    const char *text, *code;
} schema_cases[] = {
    {NULL, "product", REMOVE, NULL, "E_SCHEMA"},
    {NULL, "product", NUMBER, NULL, "E_SCHEMA"},
    {NULL, "profile", TEXT, "../x", "E_PATH"},
    {NULL, "channel", LIST, NULL, "E_SCHEMA"},
    {NULL, "version", TEXT, "1.0;rm", "E_SCHEMA"},
    {NULL, "version", TEXT, "", "E_SCHEMA"},
    {NULL, "epoch", TEXT, "0", "E_SCHEMA"},
    {NULL, "epoch", NEGATIVE, NULL, "E_SCHEMA"},
    {NULL, "sequence", NEGATIVE, NULL, "E_SCHEMA"},
    {NULL, "schema", NUMBER, NULL, "E_FORMAT"},
    {NULL, "minTool", TEXT, "99.0.0", "E_FORMAT"},
    {NULL, "minTool", TEXT, "0.2", "E_FORMAT"},
    {NULL, "platforms", LIST, NULL, "E_SCHEMA"},
    {NULL, "crit", REMOVE, NULL, "E_SCHEMA"},
    {NULL, "requires", REMOVE, NULL, "E_SCHEMA"},
    {NULL, "components", TEXT, "none", "E_SCHEMA"},
    {NULL, "profileDefinition", REMOVE, NULL, "E_SCHEMA"},
    {"provenance", "lockDigest", TEXT, "sha256:12", "E_SCHEMA"},
    {"provenance", "sourceDateEpoch", NEGATIVE, NULL, "E_SCHEMA"},
    {"component", "name", TEXT, "Tool", "E_PATH"},
    {"component", "name", TEXT, "a/b", "E_PATH"},
    {"component", "version", REMOVE, NULL, "E_SCHEMA"},
    {"component", "definition", REMOVE, NULL, "E_SCHEMA"},
    {"component", "license", NUMBER, NULL, "E_SCHEMA"},
    {"artifact", "name", TEXT, "../tool", "E_PATH"},
    {"artifact", "name", TEXT, "", "E_PATH"},
    {"artifact", "digest", TEXT, "sha256:AB", "E_SCHEMA"},
    {"artifact", "digest", TEXT, "md5:00", "E_SCHEMA"},
    {"artifact", "mediaType", TEXT, "text/x-shellscript", "E_SCHEMA"},
    {"artifact", "enc", TEXT, "gzip", "E_SCHEMA"},
    {"artifact", "rawSize", NEGATIVE, NULL, "E_SCHEMA"},
    {"artifact", "platform", TEXT, "linux/arm64", "E_PLATFORM"},
    {"artifact", "role", LIST, NULL, "E_SCHEMA"},
    {"artifact", "role", TEXT, "worker", "E_SCHEMA"},
    {"image", "name", TEXT, "pause:1.0", "E_REF"},
    {"image", "name", TEXT, "registry.example/Pause:1.0", "E_REF"},
    {"image", "name", TEXT, "registry.example/pause", "E_REF"},
    {"image", "name", TEXT, "registry.example/pause:1.0@sha256:00", "E_REF"},
    {"image", "name", TEXT, "docker.io/busybox:1", "E_REF"},
    {"image", "name", TEXT, "registry.example/../pause:1", "E_REF"},
    {"image", "name", TEXT, "registry.example/pause:1;x", "E_REF"},
    {"image", "name", TEXT, "registry.example/other:1.0", "E_REF"},
    {"image", "manifestDigest", REMOVE, NULL, "E_SCHEMA"},
    {"image", "platform", TEXT, "windows/amd64", "E_PLATFORM"},
    {"image", "pin", TEXT, "yes", "E_SCHEMA"},
    {"image", "seed", REMOVE, NULL, "E_SCHEMA"},
};

static struct doc *place_of(struct forge *f, const char *path)
{
    if (!path)
        return f->predicate;
    struct doc *component = doc_get(f->predicate, "components")->child;
    if (strcmp(path, "component") == 0)
        return component;
    if (strcmp(path, "artifact") == 0)
        return doc_get(component, "artifacts")->child;
    if (strcmp(path, "image") == 0)
        return doc_get(component, "images")->child;
    return doc_path(f->predicate, path);
}

static void bad_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(schema_cases); i++) {
        OWN_FORGE struct forge *f = forge_new();
        struct doc *at = place_of(f, schema_cases[i].path);
        const char *key = schema_cases[i].key;
        doc_remove(at, key);
        if (schema_cases[i].how == TEXT)
            doc_set_text(at, key, schema_cases[i].text);
        else if (schema_cases[i].how == LIST)
            doc_set(at, key, doc_new_list());
        else if (schema_cases[i].how != REMOVE)
            doc_set_int(at, key, schema_cases[i].how == NUMBER ? 42 : -1);
        print_message("schema: %s %s\n", key, schema_cases[i].text ? schema_cases[i].text : "");
        forge_refused(f, schema_cases[i].code, "test.csn.tar");
    }
}

static void unknown_keys(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    doc_set_text(f->predicate, "later", "ignored");
    doc_set_text(doc_get(f->predicate, "components")->child, "later", "ignored");
    doc_add_text(doc_get(f->predicate, "crit"), "members"); /* known: nothing to refuse */
    forge_seal(f);
    forge_write(f);
    OK(forge_check(f));
    OWN_FORGE struct forge *g = forge_new();
    doc_set_text(g->predicate, "later", "must be understood");
    doc_add_text(doc_get(g->predicate, "crit"), "later");
    forge_refused(g, "E_CRIT", "\"later\"");
}

static void same_component_twice(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    struct doc *list = doc_get(f->predicate, "components");
    doc_add(list, doc_clone(list->child));
    forge_refused(f, "E_SCHEMA", "there twice");
}

/* ---- members ---- */

static struct doc *member(struct forge *f, size_t i)
{
    struct doc *m = doc_get(f->predicate, "members")->child;
    while (i--)
        m = m->next;
    return m;
}

/* Members and totals as forge_seal() would make them, then the test's own. */
static struct forge *with_members(void)
{
    struct forge *f = forge_new();
    forge_seal(f);
    while (f->n)
        buf_done(&f->entries[--f->n].body);
    memset(f->entries, 0, sizeof f->entries);
    f->keep_members = true;
    return f;
}

static void bad_member_lists(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t i;
        const char *key, *text;
        int64_t number;
        const char *code;
    } cases[] = {
        {"no index", 0, "path", "blobs/x", 0, "E_SCHEMA"},
        {"index again", 1, "path", "index.json", 0, "E_SCHEMA"},
        {"other path", 2, "path", "../../etc/passwd", 0, "E_SCHEMA"},
        {"other digest", 2, "digest", "sha256:0000000000000000000000000000000000000000000000000000000000000000", 0,
         "E_SCHEMA"},
        {"short digest", 2, "digest", "sha256:00", 0, "E_SCHEMA"},
        {"size 0", 2, "size", NULL, 0, "E_SIZE"},
        {"negative", 2, "size", NULL, -5, "E_SCHEMA"},
        {"other size", 2, "size", NULL, 9, "E_LIMIT"}, /* totals tell */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FORGE struct forge *f = with_members();
        if (cases[i].text)
            doc_set_text(member(f, cases[i].i), cases[i].key, cases[i].text);
        else
            doc_set_int(member(f, cases[i].i), cases[i].key, cases[i].number);
        print_message("member: %s\n", cases[i].what);
        forge_refused(f, cases[i].code, "caisson/release.json at byte ");
    }
}

static void sizes_that_lie(void **state)
{
    (void)state;
    /* totals agree, so that the header of the member has to tell */
    OWN_FORGE struct forge *f = with_members();
    int64_t size = doc_int(member(f, 2), "size", 0);
    doc_set_int(member(f, 2), "size", size + 1);
    doc_set_int(doc_get(f->predicate, "totals"), "bytes", doc_int(f->predicate, "totals.bytes", 0) + 1);
    forge_refused(f, "E_SIZE", "member blobs/sha256/");
    OWN_FORGE struct forge *g = with_members();
    doc_set_int(doc_get(g->predicate, "totals"), "bytes", 1);
    forge_refused(g, "E_LIMIT", "totals");
    OWN_FORGE struct forge *h = with_members();
    doc_set_int(doc_get(h->predicate, "totals"), "members", 1);
    forge_refused(h, "E_LIMIT", "totals");
}

static void member_twice(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = with_members();
    struct doc *twin = doc_add(doc_get(f->predicate, "members"), doc_clone(member(f, 2)));
    struct doc *totals = doc_get(f->predicate, "totals");
    doc_set_int(totals, "members", doc_int(totals, "members", 0) + 1);
    doc_set_int(totals, "bytes", doc_int(totals, "bytes", 0) + doc_int(twin, "size", 0));
    forge_refused(f, "E_SCHEMA", "is there twice");
}

static void too_many_members(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = with_members();
    struct doc *list = doc_get(f->predicate, "members");
    for (int i = 0; i < 100001; i++) {
        struct doc *m = doc_add(list, doc_new_map());
        doc_set_fmt(m, "path", "blobs/sha256/%064x", i);
        doc_set_fmt(m, "digest", "sha256:%064x", i);
        doc_set_int(m, "size", 1);
    }
    /* the document itself is over 16 MiB by then; both limits are E_LIMIT */
    forge_refused(f, "E_LIMIT", "at byte ");
}

static void more_than_all_bytes(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = with_members();
    struct doc *list = doc_get(f->predicate, "members");
    for (int i = 0; i < 2100; i++) {
        struct doc *m = doc_add(list, doc_new_map());
        doc_set_fmt(m, "path", "blobs/sha256/%064x", i);
        doc_set_fmt(m, "digest", "sha256:%064x", i);
        doc_set_int(m, "size", INT64_C(9007199254740991));
    }
    forge_refused(f, "E_LIMIT", "2^63");
}

static void missing_and_extra(void **state)
{
    (void)state;
    /* a member less in the file, then the end mark */
    OWN_FORGE struct forge *f = forge_new();
    forge_seal(f);
    forge_remove(f, f->entries[f->n - 1].name);
    forge_refused(f, "E_MISSING", "before member blobs/sha256/");
    /* a member more, at the end and in the middle */
    for (int i = 0; i < 2; i++) {
        OWN_FORGE struct forge *g = forge_new();
        forge_seal(g);
        forge_insert(g, i ? g->n : g->n - 2,
                     "blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000", "x");
        forge_refused(g, "E_EXTRA", "member blobs/sha256/0000");
    }
    /* two blobs have changed places */
    OWN_FORGE struct forge *h = forge_new();
    forge_seal(h);
    char name[128];
    memcpy(name, h->entries[h->n - 1].name, sizeof name);
    forge_move(h, name, h->n - 2);
    forge_refused(h, "E_ORDER", "member blobs/sha256/");
}

static void named_but_no_member(void **state)
{
    (void)state;
    static const char digest[] = "sha256:00000000000000000000000000000000000000000000000000000000000000ff";
    static const char *const places[][2] = {
        {"component", "definition"}, {"artifact", NULL}, {NULL, "profileDefinition"}};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        OWN_FORGE struct forge *f = forge_new();
        struct doc *at = place_of(f, places[i][0]);
        doc_set_text(places[i][1] ? doc_get(at, places[i][1]) : at, "digest", digest);
        forge_refused(f, "E_MISSING", "0000ff");
    }
}

/* A bill of materials: a blob of its own manifest, named by the release. */
static struct forge *with_sbom(const char *digest, const char *missing)
{
    struct forge *f = forge_new();
    char blob[72];
    size_t size;
    struct doc *m = doc_new_map();
    doc_set_int(m, "schemaVersion", 2);
    doc_set_text(m, "artifactType", "application/vnd.caisson.sbom.v1");
    doc_set(m, "config", forge_descriptor("application/vnd.oci.empty.v1+json", forge_blob(blob, f, "{}", 2), 2));
    forge_blob(blob, f, "{\"bomFormat\":1}", 15);
    doc_add(doc_set(m, "layers", doc_new_list()), forge_descriptor("application/vnd.cyclonedx+json", blob, 15));
    struct doc *entry = doc_add(doc_get(f->predicate, "sbom"), doc_new_map());
    doc_set_text(entry, "digest", digest ? digest : blob);
    doc_set_text(entry, "format", "CycloneDX-1.6");
    doc_set_text(entry, "scope", "release");
    doc_remove(entry, missing ? missing : "");
    forge_json(blob, f, m, &size);
    doc_add(doc_get(f->index, "manifests"), forge_descriptor("application/vnd.oci.image.manifest.v1+json", blob, size));
    return f;
}

static void bill_of_materials(void **state)
{
    (void)state;
    static const char *const keys[] = {"digest", "format", "scope"};
    OWN_FORGE struct forge *good = with_sbom(NULL, NULL);
    forge_seal(good);
    forge_write(good);
    OK(forge_check(good));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        OWN_FORGE struct forge *f = with_sbom(NULL, keys[i]);
        forge_refused(f, "E_SCHEMA", keys[i]);
    }
    OWN_FORGE struct forge *none =
        with_sbom("sha256:00000000000000000000000000000000000000000000000000000000000000ff", NULL);
    forge_refused(none, "E_MISSING", "sbom: sha256:0000");
}

static void wrong_statement(void **state)
{
    (void)state;
    OWN_FREE char *good = good_text();
    static const char *const changes[][2] = {{"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v2"},
                                             {"https://caisson.dev/release/v1", "https://slsa.dev/provenance/v1"},
                                             {"\"name\":\"index.json\"", "\"name\":\"other.json\""},
                                             {"\"subject\":[{", "\"subject\":[],\"subjects\":[{"}};
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        OWN_FREE char *bad = replaced(good, changes[i][0], changes[i][1]);
        text_refused(bad, "E_SCHEMA");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_json),
        cmocka_unit_test(deep_and_long),
        cmocka_unit_test(bad_schema),
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(same_component_twice),
        cmocka_unit_test(bad_member_lists),
        cmocka_unit_test(sizes_that_lie),
        cmocka_unit_test(member_twice),
        cmocka_unit_test(too_many_members),
        cmocka_unit_test(more_than_all_bytes),
        cmocka_unit_test(missing_and_extra),
        cmocka_unit_test(named_but_no_member),
        cmocka_unit_test(bill_of_materials),
        cmocka_unit_test(wrong_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
