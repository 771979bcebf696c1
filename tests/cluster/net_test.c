#include "check.h"
#include "cluster/net.h"

static const struct {
    const char *text;
    bool good;
    uint32_t value;
} addresses[] = {
    {"0.0.0.0", true, 0},
    {"10.0.0.1", true, 0x0a000001},
    {"192.168.254.9", true, 0xc0a8fe09},
    {"255.255.255.255", true, UINT32_MAX},
    {"", false, 0},
    {"10.0.0", false, 0},
    {"10.0.0.", false, 0},
    {"10.0.0.0.1", false, 0},
    {"10.0.0.256", false, 0},
    {"10.0.0.01", false, 0},
    {"010.0.0.1", false, 0},
    {"0x0a.0.0.1", false, 0},
    {"167772161", false, 0},
    {"10.0.0.-1", false, 0},
    {"10.0.0.+1", false, 0},
    {" 10.0.0.1", false, 0},
    {"10.0.0.1 ", false, 0},
    {"10.0.0.1\n", false, 0},
    {"10.0.0.1/32", false, 0},
    {"10.0.0.1:22", false, 0},
    {"::1", false, 0},
    {"::ffff:10.0.0.1", false, 0},
    {"localhost", false, 0},
    {"$(id)", false, 0},
};

static void address_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        uint32_t value = 0;
        bool good = net_parse_address(addresses[i].text, &value);
        if (good != addresses[i].good || (good && value != addresses[i].value))
            fail_msg("\"%s\": %s 0x%08x", addresses[i].text, good ? "good" : "bad", value);
    }
}

static const struct {
    const char *text;
    bool good;
    struct cidr value;
} blocks[] = {
    {"10.244.0.0/16", true, {0x0af40000, 16}},
    {"10.96.0.0/12", true, {0x0a600000, 12}},
    {"0.0.0.0/0", true, {0, 0}},
    {"128.0.0.0/1", true, {0x80000000, 1}},
    {"10.0.0.254/31", true, {0x0a0000fe, 31}},
    {"10.0.0.1/32", true, {0x0a000001, 32}},
    {"10.96.0.0/11", true, {0x0a600000, 11}},
    {"10.96.0.0/10", false, {0}}, /* a bit beyond the mask */
    {"10.0.0.1/31", false, {0}},
    {"10.0.0.1/0", false, {0}},
    {"10.0.0.0", false, {0}},
    {"10.0.0.0/", false, {0}},
    {"/16", false, {0}},
    {"/", false, {0}},
    {"", false, {0}},
    {"10.0.0.0/33", false, {0}},
    {"10.0.0.0/-1", false, {0}},
    {"10.0.0.0/+8", false, {0}},
    {"10.0.0.0/08", false, {0}},
    {"10.0.0.0/ 8", false, {0}},
    {"10.0.0.0/8 ", false, {0}},
    {"10.0.0.0/8/8", false, {0}},
    {"10.0.0.0/255.0.0.0", false, {0}},
    {"10.0.0.0/99999999999999999999", false, {0}},
    {"10.0.0.0000000000000000000000/8", false, {0}},
    {"fd00::/8", false, {0}},
};

static void block_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        struct cidr value = {0};
        bool good = net_parse_cidr(blocks[i].text, &value);
        const struct cidr *want = &blocks[i].value;
        if (good != blocks[i].good || (good && (value.base != want->base || value.bits != want->bits)))
            fail_msg("\"%s\": %s 0x%08x/%d", blocks[i].text, good ? "good" : "bad", value.base, value.bits);
    }
}

static const struct {
    const char *a, *b;
    bool overlap;
} pairs[] = {
    {"10.244.0.0/16", "10.96.0.0/12", false},  {"10.96.0.0/12", "10.111.255.255/32", true},
    {"10.96.0.0/12", "10.112.0.0/12", false},  {"10.0.0.0/8", "10.244.0.0/16", true},
    {"0.0.0.0/0", "192.168.0.0/16", true},     {"10.0.0.0/25", "10.0.0.128/25", false},
    {"0.0.0.0/1", "128.0.0.0/1", false},       {"10.0.0.0/8", "10.0.0.0/8", true},
    {"255.255.255.255/32", "0.0.0.0/0", true},
};

static void overlap_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct cidr a, b;
        assert_true(net_parse_cidr(pairs[i].a, &a) && net_parse_cidr(pairs[i].b, &b));
        assert_int_equal(net_overlap(&a, &b), pairs[i].overlap);
        assert_int_equal(net_overlap(&b, &a), pairs[i].overlap);
    }
}

/* xorshift: the same numbers in every run */
static uint32_t noise(void)
{
    static uint64_t x = 88172645463325252u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (uint32_t)(x >> 16);
}

static struct cidr any_block(void)
{
    struct cidr c = {.bits = (int)(noise() % 33)};
    /* few first bits, so that blocks meet often */
    uint32_t base = (noise() & 0x3u) << 30 | (noise() & 0x3fffffffu);
    c.base = c.bits ? base & UINT32_MAX << (32 - c.bits) : 0;
    return c;
}

static uint64_t block_size(const struct cidr *c)
{
    return (uint64_t)1 << (32 - c->bits);
}

/* Every address of a block, and none beside it, is inside; texts read back as the same value. */
static void nth_is_inside(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct cidr c = any_block(), again;
        uint32_t n = (uint32_t)(noise() % block_size(&c)), value;
        char text[16];
        net_nth(text, &c, n);
        assert_true(net_parse_address(text, &value));
        assert_true(net_contains(&c, value));
        assert_int_equal(value - c.base, n);
        OWN_FREE char *block = NULL;
        net_nth(text, &c, 0);
        block = str_fmt("%s/%d", text, c.bits);
        assert_true(net_parse_cidr(block, &again));
        assert_true(again.base == c.base && again.bits == c.bits);
        if (c.bits) {
            assert_false(net_contains(&c, c.base - 1));
            assert_false(net_contains(&c, (uint32_t)(c.base + block_size(&c))));
        }
    }
}

static void overlap_is_symmetric(void **state)
{
    (void)state;
    int met = 0;
    for (int round = 0; round < 20000; round++) {
        struct cidr a = any_block(), b = any_block();
        uint64_t a_end = a.base + block_size(&a), b_end = b.base + block_size(&b);
        bool meet = a.base < b_end && b.base < a_end;
        assert_int_equal(net_overlap(&a, &b), meet);
        assert_int_equal(net_overlap(&b, &a), meet);
        assert_true(net_overlap(&a, &a));
        met += meet;
    }
    assert_true(met > 1000 && met < 19000); /* both cases were seen */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_table), cmocka_unit_test(block_table),          cmocka_unit_test(overlap_table),
        cmocka_unit_test(nth_is_inside), cmocka_unit_test(overlap_is_symmetric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
