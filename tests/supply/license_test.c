/* Which licence expressions are well-formed. */
#include "check.h"

#include "supply/license.h"

static void good_and_bad(void **state)
{
    (void)state;
    static const char *const good[] = {"MIT",
                                       "Apache-2.0 AND GPL-2.0-or-later",
                                       "GPL-2.0+",
                                       "GPL-2.0-only WITH Linux-syscall-note",
                                       "MIT OR (Apache-2.0 AND (BSD-3-Clause))",
                                       "(MIT) AND(X)",
                                       "ANDY OR ORB",
                                       "DocumentRef-a:LicenseRef-b",
                                       "  MIT  "};
    static const char *const bad[] = {"",
                                      " ",
                                      "GPL v2",
                                      "MIT,X",
                                      "MIT AND",
                                      "AND MIT OR",
                                      "MIT AND OR X",
                                      "(MIT",
                                      "MIT)",
                                      "()",
                                      "MIT WITH",
                                      "MIT WITH (X)",
                                      "MIT/X11",
                                      "MIT\nX",
                                      "(((((((((((((((((MIT)))))))))))))))))",
                                      "+",
                                      "MIT ++",
                                      "MIT Apache-2.0",
                                      "MIT and X"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!license_is_valid(good[i]))
            fail_msg("\"%s\" was refused", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (license_is_valid(bad[i]))
            fail_msg("\"%s\" was accepted", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_and_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
