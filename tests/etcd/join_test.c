/* How a host becomes an etcd member: the decision, and the environment it starts with. */
#include "etcd/join.h"

#include "../check.h"

#define URL "https://10.0.0.12:2380"
#define M(id, name, url) "{ID: \"" id "\", name: " name ", peerURLs: [\"" url "\"]}"

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml(&d, "test", text, strlen(text)));
    return d;
}

static void decision(void **state)
{
    (void)state;
    static const char one[] = "[" M("1", "cp1", "https://10.0.0.11:2380") "]";
    static const char started[] = "[" M("1", "cp1", "https://10.0.0.11:2380") ", " M("2", "cp2", URL) "]";
    static const char added[] = "[" M("1", "cp1", "https://10.0.0.11:2380") ", " M("2", "\"\"", URL) "]";
    static const char moved[] = "[" M("2", "cp2", "https://10.0.0.99:2380") "]";
    static const struct {
        const char *members;
        bool data;
        enum join_action action;
        const char *id;
    } table[] = {
        {"[]", false, JOIN_ADD, NULL},       /* nobody knows it */
        {one, false, JOIN_ADD, NULL},        /* the ordinary case */
        {one, true, JOIN_REFUSE, NULL},      /* was removed, its data stayed */
        {added, false, JOIN_START, "2"},     /* the last run stopped behind the adding */
        {added, true, JOIN_START, "2"},      /* or behind the first start */
        {started, true, JOIN_START, "2"},    /* or before the promotion */
        {started, false, JOIN_REPLACE, "2"}, /* its disk was lost */
        {moved, false, JOIN_REPLACE, "2"},   /* another machine under its name */
        {moved, true, JOIN_REFUSE, "2"},     /* data of another place */
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        OWN_DOC struct doc *members = yaml(table[i].members);
        const char *id = "unset";
        assert_int_equal(join_decide(&id, members, "cp2", URL, table[i].data), table[i].action);
        assert_true(str_eq(id, table[i].id) || (!id && !table[i].id));
    }
}

static void environment(void **state)
{
    (void)state;
    OWN_DOC struct doc *members = yaml(
        "[" M("1", "cp1", "https://10.0.0.11:2380") ", " M("2", "\"\"", URL) ", " M("3", "\"\"", "https://x:1") "]");
    OWN_BUF struct buf text = {0};
    OK(join_env(&text, members, "cp2", URL));
    assert_string_equal(buf_text(&text), "ETCD_INITIAL_CLUSTER=cp2=" URL ",cp1=https://10.0.0.11:2380\n"
                                         "ETCD_INITIAL_CLUSTER_STATE=existing\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decision), cmocka_unit_test(environment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
