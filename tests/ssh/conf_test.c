/* What the ssh program says of a host, and user@host:port taken apart. */
#include "check.h"
#include "ssh/sshconf.h"

static void test_conf(void **state)
{
    (void)state;
    OWN_SSH_CONF struct ssh_conf c = {0};
    OK(ssh_conf_read(&c, "some-host.invalid"));
    if (c.address)
        assert_string_equal(c.address, "some-host.invalid");
    struct ssh_conf bad = {0};
    FAILS(ERR_USAGE, "not a host name", ssh_conf_read(&bad, "-oProxyCommand=x"));
}

static void test_conf_split(void **state)
{
    (void)state;
    static const struct {
        const char *text, *user, *host;
        int port;
    } cases[] = {
        {"h", NULL, "h", 0},
        {"u@h", "u", "h", 0},
        {"u@h:2222", "u", "h", 2222},
        {"ssh://u@h:22", "u", "h", 22},
        {"[fd00::1]:2222", NULL, "fd00::1", 2222},
        {"u@[fd00::1]", "u", "fd00::1", 0},
        {"fd00::1", NULL, "fd00::1", 0},
        {"h:0", NULL, NULL, 0},
        {"h:x", NULL, NULL, 0},
        {"@h", NULL, NULL, 0},
        {"", NULL, NULL, 0},
        {"-oX", NULL, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FREE char *user = NULL, *host = NULL;
        int port = 0;
        struct err *e = ssh_conf_split(&user, &host, &port, cases[i].text);
        if (!cases[i].host) {
            FAILS(ERR_USAGE, "user@host:port", e);
            continue;
        }
        OK(e);
        assert_true(str_eq(user, cases[i].user));
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conf),
        cmocka_unit_test(test_conf_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
