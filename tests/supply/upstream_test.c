/* What our own definitions say of upstream: well formed, and there for all that packages and images need. */
#include "check.h"
#include "supply/upstream.h"

static size_t found;

static void find(const struct part *part, const char *kind, const struct doc *at)
{
    const struct doc *item = NULL, *member = NULL;
    OWN_FREE char *name = NULL;
    OK(recipe_expand(&name, part, at));
    OK(upstream_find(&item, &member, part, kind, name, at));
    assert_true(doc_bool(item, "untested", false)); /* until somebody with a way to the net has tried */
    found++;
}

static void check_part(const struct part *part)
{
    OK(upstream_check(part));
    DOC_EACH (package, doc_get(part->definition, "packages"))
        DOC_EACH (file, doc_get(package, "files"))
            if (doc_get(file, "from"))
                find(part, "file", doc_get(file, "from"));
    DOC_EACH (image, doc_get(part->definition, "images"))
        find(part, "oci", doc_get(image, "name"));
}

static void definitions(void **state)
{
    (void)state;
    static const char *const profiles[] = {"minimal", "minimal-test", "bench"};
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        OWN_FREE char *profile = str_fmt(SOURCE_DIR "/profiles/%s.yaml", profiles[i]);
        OWN(recipe_done) struct recipe r = {0};
        const struct build_opts o = {.profile = profile, .bundles_dir = SOURCE_DIR "/bundles"};
        OK(recipe_open(&r, &o));
        for (size_t k = 0; k < r.n; k++)
            DOC_EACH (version, doc_get(r.parts[k].definition, "versions")) {
                struct part part = r.parts[k];
                part.version = doc_text(version, "version");
                check_part(&part);
            }
    }
    assert_true(found > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(definitions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
