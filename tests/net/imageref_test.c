/* Names of images, as Docker's tools understand them. */
#include "check.h"
#include "net/imageref.h"

static void good(void **state)
{
    (void)state;
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const struct {
        const char *text, *host, *path, *tag, *sha256, *name;
    } cases[] = {
        {"busybox", "docker.io", "library/busybox", "latest", NULL, "docker.io/library/busybox:latest"},
        {"busybox:1.37", "docker.io", "library/busybox", "1.37", NULL, "docker.io/library/busybox:1.37"},
        {"user/app", "docker.io", "user/app", "latest", NULL, "docker.io/user/app:latest"},
        {"docker.io/app:1", "docker.io", "library/app", "1", NULL, "docker.io/library/app:1"},
        {"index.docker.io/library/app:1", "docker.io", "library/app", "1", NULL, "docker.io/library/app:1"},
        {"oci://registry-1.docker.io/b:1", "registry-1.docker.io", "b", "1", NULL, "registry-1.docker.io/b:1"},
        {"oci://registry.k8s.io/pause:3.10", "registry.k8s.io", "pause", "3.10", NULL, "registry.k8s.io/pause:3.10"},
        {"localhost/x", "localhost", "x", "latest", NULL, "localhost/x:latest"},
        {"localhost:5000/a/b/c:v1", "localhost:5000", "a/b/c", "v1", NULL, "localhost:5000/a/b/c:v1"},
        {"localhost:5000/a", "localhost:5000", "a", "latest", NULL, "localhost:5000/a:latest"},
        {"ghcr.io/x/y@sha256:" HEX, "ghcr.io", "x/y", NULL, HEX, "ghcr.io/x/y@sha256:" HEX},
        {"app@sha256:" HEX, "docker.io", "library/app", NULL, HEX, "docker.io/library/app@sha256:" HEX},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_IMAGEREF struct imageref r = {0};
        OK(imageref_parse(&r, cases[i].text));
        assert_string_equal(r.host, cases[i].host);
        assert_string_equal(r.path, cases[i].path);
        assert_true(str_eq(r.tag, cases[i].tag));
        assert_true(str_eq(r.sha256, cases[i].sha256));
        assert_string_equal(r.name, cases[i].name);
    }
}

static void refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "oci://",
        "/",
        "host.x/",
        "Busybox",
        "host.x/App:1",
        "host.x/a:",
        "host.x/a:b c",
        "host.x/a@sha256:12",
        "host.x/a@md5:0123",
        "host.x/a:1@sha256:" HEX,
        "host.x/../a:1",
        "host.x//a:1",
        "user@host.x/a:1",
        "a:1:2",
        "host.x/a:1\n",
        "https://host.x/a:1",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        OWN_IMAGEREF struct imageref r = {0};
        print_message("%s\n", texts[i]);
        FAILS(ERR_USAGE, "E_REF", imageref_parse(&r, texts[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
