/* Lists of digests, as upstream publishes them. */
#include "check.h"
#include "supply/attest.h"

#define A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define B "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void sums(void **state)
{
    (void)state;
    static const char *const good[] = {
        A,
        A "\n",
        A "\r\n",
        A "  f\n",
        A " *f\n",
        B "  g\n" A "  ./f\n",
        "-----BEGIN\n" B "  ff\n\n" A "  f\r\n" A "  f",
    };
    static const struct {
        const char *list, *says;
    } bad[] = {
        {"", "not in the list"},          {B "  g\n", "not in the list"},       {A "\n" A "\n", "not in the list"},
        {A "  f2\n", "not in the list"},  {A "  F\n", "not in the list"},       {A "f\n", "not in the list"},
        {"0123  f\n", "not in the list"}, {A "  f\n" B "  f\n", "two digests"},
    };
    char hex[65];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        OK(attest_sum(hex, good[i], strlen(good[i]), "f"));
        assert_string_equal(hex, A);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        FAILS(ERR_UNTRUSTED, bad[i].says, attest_sum(hex, bad[i].list, strlen(bad[i].list), "f"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
