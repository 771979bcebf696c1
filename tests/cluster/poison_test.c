/* Every string field and key of cluster.yaml: what is no plain data is refused, the rest comes out as it went in. */
#include "check.h"
#include "cluster/cluster.h"

static const struct poison {
    const char *text;
    bool control; /* must be refused everywhere */
} poisons[] = {
    {"$(touch /tmp/pwned)", false},
    {"`id`", false},
    {"a; reboot", false},
    {"a && reboot", false},
    {"a | sh", false},
    {"a > /etc/passwd", false},
    {"'\"\\", false},
    {"${HOME}", false},
    {"${secret.encryptionKey}", false},
    {"-oProxyCommand=id", false},
    {"--config=/etc/shadow", false},
    {"../../../etc/shadow", false},
    {"%n%n%s%i", false},
    {"* ? [a] {b,c} ~root !1 #", false},
    {"a\nb", true},
    {"a\r\nExecStart=/bin/sh", true},
    {"a\tb", true},
    {"\x1b[31mred", true},
    {"a\x7f", true},
    {"a\x01", true},
    {"\xc2\x9b"
     "31m",
     true}, /* CSI as one character */
    {"a\xe2\x80\xa8"
     "b",
     true}, /* a line separator */
    {"a\n", true},
};

static bool has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f || (unsigned char)*s == 0x9b)
            return true;
    return false;
}

struct sweep {
    char *folder;
    struct doc *doc;
    int fields, accepted;
};

/* Loads the tree as it is now. JSON is YAML, with every character escaped that needs it. */
static struct err *load(struct cluster **ret, const struct sweep *s)
{
    OWN_BUF struct buf json = {0};
    OWN_FREE char *path = check_path(s->folder, "cluster.yaml");
    OK(doc_json_write(&json, s->doc));
    check_write(s->folder, "cluster.yaml", json.at, json.len);
    return cluster_load(ret, path);
}

static void poison_one(struct sweep *s, struct doc *v, const char *path, const struct poison *p)
{
    OWN(cluster_freep) struct cluster *c = NULL;
    char *kept = v->text;
    v->text = strdup(p->text);
    OWN(err_freep) struct err *e = load(&c, s);
    if (e) {
        assert_int_equal(err_kind(e), ERR_USAGE);
        assert_int_equal(err_exit_code(e), 64);
        assert_non_null(strstr(err_text(e), "/cluster.yaml:1:"));
        if (has_control(err_text(e)))
            fail_msg("%s: a control character in the error", path);
    } else {
        if (p->control)
            fail_msg("%s: \"%s\" was accepted", path, p->text);
        if (!str_eq(path, ".spec.release") && !str_eq(path, ".spec.trust[]") && !str_eq(path, ".spec.addons[]") &&
            !str_ends(path, ".ssh.key"))
            fail_msg("%s: accepts \"%s\"; only file names may", path, p->text);
        assert_true(doc_equal(c->doc, s->doc));
        s->accepted++;
    }
    free(v->text);
    v->text = kept;
}

static void poison_key(struct sweep *s, struct doc *v, const char *path, const struct poison *p)
{
    OWN(cluster_freep) struct cluster *c = NULL;
    char *kept = v->key;
    v->key = strdup(p->text);
    OWN(err_freep) struct err *e = load(&c, s);
    if (!e || err_exit_code(e) != 64)
        fail_msg("%s: the key \"%s\" was accepted", path, p->text);
    free(v->key);
    v->key = kept;
}

static void sweep(struct sweep *s, struct doc *at, const char *path)
{
    DOC_EACH (v, at) {
        OWN_FREE char *here = v->key ? str_fmt("%s.%s", path, v->key) : str_fmt("%s[]", path);
        if (str_eq(here, ".spec.overrides"))
            continue; /* settings of the release: checked by the planner (tests/plan) */
        for (size_t i = 0; v->kind == DOC_STRING && i < ARRAY_LEN(poisons); i++)
            poison_one(s, v, here, &poisons[i]);
        for (size_t i = 0; v->key && i < ARRAY_LEN(poisons); i++)
            poison_key(s, v, here, &poisons[i]);
        s->fields += v->kind == DOC_STRING;
        sweep(s, v, here);
    }
}

static void poisoned_strings(void **state)
{
    (void)state;
    OWN_BUF struct buf text = {0};
    OWN_FOLDER char *folder = check_folder();
    OWN_DOC struct doc *d = NULL;
    OK(file_read(&text, AT_FDCWD, SOURCE_DIR "/tests/cluster/corpus/good")); /* holds every field there is */
    OK(doc_yaml(&d, "good", text.at, text.len));
    struct sweep s = {.folder = folder, .doc = d};
    sweep(&s, d, "");
    assert_int_equal(s.fields, 21);
    assert_true(s.accepted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(poisoned_strings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
