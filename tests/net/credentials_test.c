/* Logins for registries: the file, what a refusal asks for, tokens. */
#include "check.h"
#include "net/credentials.h"

#include <sys/stat.h>

static char *file_of(const char *folder, const char *text, mode_t mode)
{
    char *path = check_path(folder, "auth.json");
    check_write(folder, "auth.json", text, strlen(text));
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void logins(void **state)
{
    (void)state;
    static const struct {
        const char *host, *want;
    } cases[] = {
        {"plain.example", "Basic dTpw"},
        {"port.example:5000", "Basic dTpw"},
        {"url.example", "Basic dTpw"},
        {"split.example", "Basic YTpiOmM="},
        {"docker.io", "Basic ZDpk"},
        {"none.example", ""},
        {"port.example", ""},
        {"example", ""},
        {"plain.example.evil", ""},
    };
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path =
        file_of(folder,
                "{\"auths\":{\"plain.example\":{\"auth\":\"dTpw\"},\"port.example:5000\":{\"auth\":\"dTpw\"},"
                "\"https://url.example/v2/\":{\"auth\":\"dTpw\"},\"https://index.docker.io/v1/\":{\"auth\":\"ZDpk\"},"
                "\"split.example\":{\"username\":\"a\",\"password\":\"b:c\"},\"empty.example\":{},"
                "\"line.example\":{\"auth\":\"a\\nX: y\"}}}",
                0600);
    OWN_DOC struct doc *auths = NULL;
    OWN_BUF struct buf bad = {0};
    OK(credentials_load(&auths, path));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_BUF struct buf out = {0};
        OK(credentials_basic(&out, auths, cases[i].host));
        assert_string_equal(buf_text(&out), cases[i].want);
    }
    FAILS(ERR_USAGE, "neither", credentials_basic(&bad, auths, "empty.example"));
    FAILS(ERR_USAGE, "neither", credentials_basic(&bad, auths, "line.example"));
}

static void files(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = file_of(folder, "{\"auths\":{}}", 0600);
    OWN_DOC struct doc *good = NULL, *bad = NULL;
    OK(credentials_load(&good, path));
    assert_int_equal(chmod(path, 0640), 0);
    FAILS(ERR_REFUSED, "others may read it", credentials_load(&bad, path));
    FAILS(ERR_USAGE, "no regular file", credentials_load(&bad, folder));
    for (int i = 0; i < 3; i++) {
        static const char *const texts[] = {"{}", "{\"auths\":[]}", "{"};
        OWN_FREE char *same = file_of(folder, texts[i], 0600);
        FAILS(ERR_USAGE, "--auth", credentials_load(&bad, same));
    }
    OWN_FREE char *broken = file_of(folder, "{\"auths\":{\"a.example\":{\"password\":\"hunter2\" oops}}}", 0600);
    struct err *e = credentials_load(&bad, broken);
    assert_non_null(e);
    assert_non_null(strstr(err_text(e), "it is no JSON"));
    assert_null(strstr(err_text(e), "hunter2")); /* what is near the fault may be a password */
    err_free(e);
    OWN_FREE char *link = check_path(folder, "link");
    assert_int_equal(symlink("auth.json", link), 0);
    FAILS(ERR_USAGE, "link", credentials_load(&bad, link));
}

static void challenges(void **state)
{
    (void)state;
    static const struct {
        const char *text, *url;
    } cases[] = {
        {"Bearer realm=\"https://a.example/token\",service=\"s s\",scope=\"repository:x/y:pull\"",
         "https://a.example/token?scope=repository%3Ax%2Fy%3Apull&service=s%20s"},
        {"bearer realm=https://a.example/token", "https://a.example/token?scope=repository%3Ap%2Fq%3Apull"},
        {"Bearer realm=\"https://a.example/t?x=1\", error=\"a \\\"b\\\", c=d\", service=\"z\"",
         "https://a.example/t?x=1&scope=repository%3Ap%2Fq%3Apull&service=z"},
        {"Bearer realm=\"https://a.example/token\",scope=\"repository:x:pull,push\"", /* we only ever read */
         "https://a.example/token?scope=repository%3Ap%2Fq%3Apull"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_CHALLENGE struct challenge c = {0};
        OWN_FREE char *url = NULL;
        OK(challenge_parse(&c, cases[i].text));
        assert_true(c.bearer);
        OK(challenge_url(&url, &c, "p/q"));
        assert_string_equal(url, cases[i].url);
    }
    OWN_CHALLENGE struct challenge basic = {0};
    OK(challenge_parse(&basic, "Basic realm=\"x\""));
    assert_false(basic.bearer);
    static const char *const bad[] = {
        "",
        "Negotiate",
        "Bearer",
        "Bearer ",
        "Bearer realm",
        "Bearer realm=\"https://a",
        "Bearer realm=http://a/t",
        "Bearer realm=\"https://a/\r\nX: y\"",
        "Bearer =x",
        "Bearer averyveryverylongkey=1",
        "Bearer service=\"x\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        OWN_CHALLENGE struct challenge c = {0};
        print_message("%s\n", bad[i]);
        FAILS(ERR_FAILED, "E_REG_AUTH", challenge_parse(&c, bad[i]));
    }
}

static struct err *token(struct buf *out, int64_t *seconds, const char *answer)
{
    struct buf text = {.at = (char *)answer, .len = strlen(answer)};
    return challenge_token(out, seconds, &text);
}

static void tokens(void **state)
{
    (void)state;
    OWN_BUF struct buf one = {0}, two = {0}, bad = {0};
    int64_t seconds = 0;
    OK(token(&one, &seconds, "{\"token\":\"abc\",\"expires_in\":300}"));
    assert_string_equal(buf_text(&one), "Bearer abc");
    assert_int_equal(seconds, 300);
    OK(token(&two, &seconds, "{\"access_token\":\"abc\",\"expires_in\":99999999}"));
    assert_int_equal(seconds, 60);
    two.len = 0;
    OK(token(&two, &seconds, "{\"access_token\":\"abc\",\"expires_in\":5}"));
    assert_int_equal(seconds, 60);
    static const char *const answers[] = {
        "", "secret", "{}", "[]", "{\"token\":\"a b\"}", "{\"token\":\"a\\nb\"}", "{\"token\":\"\"}"};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        FAILS(ERR_FAILED, "no token", token(&bad, &seconds, answers[i]));
    struct err *e = token(&bad, &seconds, "secret");
    assert_null(strstr(err_text(e), "secret"));
    err_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logins),
        cmocka_unit_test(files),
        cmocka_unit_test(challenges),
        cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
