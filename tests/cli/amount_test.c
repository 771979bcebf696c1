/* Bytes, speeds and times as text; foreign text made safe. */
#include "check.h"

#include "cli/amount.h"
#include "base/text.h"

static void amounts(void **state)
{
    (void)state;
    char t[160];
    amount_text(t, sizeof t, 312400000, 480000000, 210e6);
    assert_string_equal(t, "312.4 MB of 480.0 MB, 210 MB/s, 1 s left");
    amount_text(t, sizeof t, 5000, 0, 0);
    assert_string_equal(t, "5.0 kB");
    amount_text(t, sizeof t, 10, 4000000, 1500);
    assert_string_equal(t, "10 B of 4.0 MB, 1.5 kB/s, 44 min 27 s left");
    amount_text(t, sizeof t, 480, 480, 99);
    assert_string_equal(t, "480 B of 480 B");
    amount_text(t, sizeof t, 0, UINT64_MAX, 1);
    assert_non_null(strstr(t, " h "));
}

static void meter_follows_the_last_seconds(void **state)
{
    (void)state;
    struct meter m = {0};
    meter_add(&m, 0, 1000);
    assert_true(meter_rate(&m) < 1);
    for (int i = 1; i <= 20; i++)
        meter_add(&m, (uint64_t)i * 1000, 1000 + i * 500); /* 2000 B/s */
    assert_true(meter_rate(&m) > 1990 && meter_rate(&m) < 2010);
    for (int i = 21; i <= 40; i++)
        meter_add(&m, 20000, 1000 + i * 500); /* stalled */
    assert_true(meter_rate(&m) < 1);
    meter_add(&m, 5, 30000); /* another transfer */
    assert_true(meter_rate(&m) < 1);
}

static void clean(const char *from, const char *to, int lines)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s", from);
    text_clean(text, strlen(text), lines);
    assert_string_equal(text, to);
}

static void text_from_elsewhere(void **state)
{
    (void)state;
    clean("a\033[2Jb\nc\td", "a?[2Jb c d", 0);
    clean("a\nb\r", "a\nb?", 1);
    clean("gr\xc3\xb6\xc3\x9f\x65", "gr\xc3\xb6\xc3\x9f\x65", 0);
    clean("\xc2\x9b\x32J \xff\xfe \xc3", "??2J ?? ?", 0);
    clean("\xe0\x80\x80 \xed\xa0\x80", "??? ???", 0);
    assert_int_equal(text_clip("gr\xc3\xb6\xc3\x9f\x65", 3), 4);
    assert_int_equal(text_clip("ab", 9), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts),
        cmocka_unit_test(meter_follows_the_last_seconds),
        cmocka_unit_test(text_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
