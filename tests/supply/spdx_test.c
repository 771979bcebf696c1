/* A bill of materials in SPDX. */
#include "check.h"

#include "supply/spdx.h"

static const char good[] =
    "{\"serialNumber\":\"urn:uuid:12345678-1234-8234-a234-123456789012\","
    "\"metadata\":{\"timestamp\":\"2026-11-21T00:00:00Z\",\"authors\":[{\"name\":\"plant\"}],"
    "\"tools\":{\"components\":[{\"name\":\"caisson\",\"version\":\"1\"}]},"
    "\"component\":{\"type\":\"platform\",\"bom-ref\":\"release\",\"name\":\"tiny\",\"version\":\"1.0\"}},"
    "\"components\":[{\"type\":\"application\",\"bom-ref\":\"component/a\",\"name\":\"a\",\"version\":\"2\","
    "\"supplier\":{\"name\":\"example\"},\"purl\":\"pkg:generic/a@2\",\"licenses\":[{\"expression\":\"MIT\"}],"
    "\"components\":[{\"type\":\"file\",\"bom-ref\":\"component-a\",\"name\":\"bin/a\",\"hashes\":["
    "{\"alg\":\"SHA-256\",\"content\":\"00\"},{\"alg\":\"SHA-512\",\"content\":\"11\"}],"
    "\"properties\":[{\"name\":\"caisson:mode\",\"value\":\"0755\"},{\"name\":\"x\",\"value\":\"y\"}]}]}],"
    "\"dependencies\":[{\"ref\":\"release\",\"dependsOn\":[\"component/a\"]}],"
    "\"compositions\":[{\"aggregate\":\"complete\",\"dependencies\":[\"component/a\"]},"
    "{\"aggregate\":\"unknown\",\"dependencies\":[\"component-a\"]}]}";

static struct err *convert(struct doc **ret, const char *text)
{
    OWN_DOC struct doc *sbom = NULL;
    OK(doc_json(&sbom, "test", text, strlen(text)));
    return spdx_from(ret, sbom);
}

static void all_of_it(void **state)
{
    (void)state;
    OWN_DOC struct doc *spdx = NULL;
    OWN_BUF struct buf text = {0};
    OK(convert(&spdx, good));
    OK(doc_json_write(&text, spdx));
    assert_string_equal(
        text.at,
        "{\"SPDXID\":\"SPDXRef-DOCUMENT\",\"creationInfo\":{\"created\":\"2026-11-21T00:00:00Z\","
        "\"creators\":[\"Organization: plant\",\"Tool: caisson-1\"]},\"dataLicense\":\"CC0-1.0\","
        "\"documentNamespace\":\"https://caisson.dev/spdx/tiny-1.0-12345678-1234-8234-a234-123456789012\","
        "\"name\":\"tiny-1.0\",\"packages\":["
        "{\"SPDXID\":\"SPDXRef-release\",\"copyrightText\":\"NOASSERTION\",\"downloadLocation\":\"NOASSERTION\","
        "\"filesAnalyzed\":false,\"licenseConcluded\":\"NOASSERTION\",\"licenseDeclared\":\"NOASSERTION\","
        "\"name\":\"tiny\",\"primaryPackagePurpose\":\"INSTALL\",\"supplier\":\"NOASSERTION\",\"versionInfo\":\"1.0\"},"
        "{\"SPDXID\":\"SPDXRef-component--a\",\"copyrightText\":\"NOASSERTION\","
        "\"downloadLocation\":\"NOASSERTION\",\"externalRefs\":[{\"referenceCategory\":\"PACKAGE-MANAGER\","
        "\"referenceLocator\":\"pkg:generic/a@2\",\"referenceType\":\"purl\"}],\"filesAnalyzed\":false,"
        "\"licenseConcluded\":\"NOASSERTION\",\"licenseDeclared\":\"MIT\",\"name\":\"a\","
        "\"primaryPackagePurpose\":\"APPLICATION\",\"supplier\":\"Organization: example\",\"versionInfo\":\"2\"},"
        "{\"SPDXID\":\"SPDXRef-component-2Da\",\"checksums\":[{\"algorithm\":\"SHA256\",\"checksumValue\":\"00\"},"
        "{\"algorithm\":\"SHA512\",\"checksumValue\":\"11\"}],\"comment\":\"caisson:mode=0755\\nx=y\","
        "\"copyrightText\":\"NOASSERTION\",\"downloadLocation\":\"NOASSERTION\",\"filesAnalyzed\":false,"
        "\"licenseConcluded\":\"NOASSERTION\",\"licenseDeclared\":\"NOASSERTION\",\"name\":\"bin/a\","
        "\"primaryPackagePurpose\":\"FILE\",\"supplier\":\"NOASSERTION\"}],\"relationships\":["
        "{\"relatedSpdxElement\":\"SPDXRef-release\",\"relationshipType\":\"DESCRIBES\","
        "\"spdxElementId\":\"SPDXRef-DOCUMENT\"},"
        "{\"relatedSpdxElement\":\"SPDXRef-component-2Da\",\"relationshipType\":\"CONTAINS\","
        "\"spdxElementId\":\"SPDXRef-component--a\"},"
        "{\"relatedSpdxElement\":\"SPDXRef-component--a\",\"relationshipType\":\"DEPENDS_ON\","
        "\"spdxElementId\":\"SPDXRef-release\"},"
        "{\"relatedSpdxElement\":\"NOASSERTION\",\"relationshipType\":\"DEPENDS_ON\","
        "\"spdxElementId\":\"SPDXRef-component-2Da\"}],\"spdxVersion\":\"SPDX-2.3\"}");
}

/* It was signed, but a signer can be wrong too. */
static void other_documents(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\"serialNumber\":\"urn:uuid:", "\"serialNumber\":\"urn:x:"},
        {"\"timestamp\"", "\"time\""},
        {"\"name\":\"tiny\",", ""},
        {"\"bom-ref\":\"component/a\",", ""},
        {"{\"ref\":\"release\",", "{"},
        {"\"SHA-256\"", "\"MD5\""},
        {",\"content\":\"11\"", ""},
        {"\"aggregate\":\"unknown\",\"dependencies\":[\"component-a\"]",
         "\"aggregate\":\"unknown\",\"dependencies\":[{}]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct doc *spdx = NULL;
        const char *at = strstr(good, cases[i][0]);
        assert_non_null(at);
        OWN_FREE char *text = str_fmt("%.*s%s%s", (int)(at - good), good, cases[i][1], at + strlen(cases[i][0]));
        FAILS(ERR_UNTRUSTED, "E_SCHEMA", convert(&spdx, text));
        assert_null(spdx);
    }
    struct doc *spdx = NULL;
    FAILS(ERR_UNTRUSTED, "E_SCHEMA", convert(&spdx, "[]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_of_it), cmocka_unit_test(other_documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
