#include "check.h"
#include "plan/diff.h"

#define D(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define DIGEST_A D("aa")
#define DIGEST_B D("bb")

enum { NOW = 1000000000 };

static const struct host host = {.name = "n1"};

/* A small generation, and the state of a node that has exactly it. */
struct pair {
    struct generation want;
    struct doc *state;
};

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml(&d, "t", text, strlen(text)));
    return d;
}

static void pair_init(struct pair *p)
{
    char hex[DIGEST_HEX];
    p->want = (struct generation){
        .host = &host,
        .manifest =
            yaml("units: [{name: a.service, inputs: i1}, {name: b.service, inputs: i2}, {name: c.socket, inputs: i3}]\n"
                 "images: [\"x/y:1@sha256:1\", \"x/z:1@sha256:2\"]\n"),
        .leafs = yaml("{api: {description: d1}, peer: {description: d2}}"),
        .runtime = yaml("{lb.targets: \"10.0.0.1:6443\"}"),
        .digest = DIGEST_A,
    };
    p->state =
        yaml("generation: 7\npending: false\ndigest: " DIGEST_A "\n"
             "units: [{name: a.service, inputs: i1}, {name: b.service, inputs: i2}, {name: c.socket, inputs: i3}]\n"
             "leafs: {api: {description: d1}, peer: {description: d2}}\n"
             "images: [\"x/z:1@sha256:2\", \"x/y:1@sha256:1\"]\n");
    DOC_EACH (l, doc_get(p->state, "leafs"))
        doc_set_int(l, "notAfter", NOW + LEAF_LIFE_S);
    OK(digest_hex(hex, "10.0.0.1:6443", 13));
    doc_set_text(doc_set(p->state, "runtime", doc_new_map()), "lb.targets", hex);
}

static void pair_done(struct pair *p)
{
    doc_free(p->want.manifest);
    doc_free(p->want.leafs);
    doc_free(p->want.runtime);
    doc_free(p->state);
}

static struct doc *named(struct doc *list, const char *name)
{
    DOC_EACH (v, list)
        if (str_eq(doc_text(v, "name"), name))
            return v;
    fail_msg("no %s", name);
    return NULL;
}

/* ---- one thing differs ---- */

static void nothing(struct pair *p)
{
    (void)p;
}

static void other_digest(struct pair *p)
{
    doc_set_text(p->state, "digest", DIGEST_B);
}

static void other_input(struct pair *p)
{
    other_digest(p);
    doc_set_text(named(doc_get(p->state, "units"), "b.service"), "inputs", "old");
}

static void input_of_the_same_generation(struct pair *p)
{
    doc_set_text(named(doc_get(p->state, "units"), "b.service"), "inputs", "old");
}

static void new_unit(struct pair *p)
{
    other_digest(p);
    doc_set(p->state, "units", yaml("[{name: a.service, inputs: i1}, {name: c.socket, inputs: i3}]"));
}

static void old_unit(struct pair *p)
{
    other_digest(p);
    doc_add(doc_get(p->state, "units"), yaml("{name: z.service, inputs: i9}"));
}

static void all_units(struct pair *p)
{
    other_digest(p);
    doc_set(p->state, "units", yaml("[{name: z.service, inputs: i9}, {name: a.service, inputs: old}]"));
}

static void pending(struct pair *p)
{
    doc_set_bool(p->state, "pending", true);
}

static void empty_node(struct pair *p)
{
    doc_free(p->state);
    p->state = yaml("{generation: 0, units: [], leafs: {}, runtime: {}, images: []}");
}

static void silent_node(struct pair *p)
{
    doc_free(p->state);
    p->state = doc_new_map();
}

static void leaf_ages(struct pair *p, int64_t left)
{
    doc_set_int(doc_path(p->state, "leafs.peer"), "notAfter", NOW + left);
}

static void leaf_before_half(struct pair *p)
{
    leaf_ages(p, LEAF_LIFE_S / 2 + 1);
}

static void leaf_after_half(struct pair *p)
{
    leaf_ages(p, LEAF_LIFE_S / 2 - 1);
}

static void leaf_expired(struct pair *p)
{
    leaf_ages(p, -5);
}

static void leaf_without_date(struct pair *p)
{
    doc_remove(doc_path(p->state, "leafs.peer"), "notAfter");
}

static void leaf_missing(struct pair *p)
{
    doc_remove(doc_get(p->state, "leafs"), "peer");
}

static void leaf_described(struct pair *p)
{
    doc_set_text(doc_path(p->state, "leafs.peer"), "description", "old");
}

static void leaf_too_many(struct pair *p)
{
    doc_set(doc_get(p->state, "leafs"), "gone", yaml("{description: d, notAfter: 1}"));
}

static void image_missing(struct pair *p)
{
    doc_set(p->state, "images", yaml("[\"x/z:1@sha256:2\"]"));
}

static void image_of_that_name(struct pair *p)
{
    doc_set(p->state, "images", yaml("[\"x/z:1@sha256:2\", \"x/y:1@sha256:9\"]"));
}

static void image_left(struct pair *p)
{
    doc_add(doc_get(p->state, "images"), yaml("\"x/y:10@sha256:0\""));
}

static void images_exchanged(struct pair *p)
{
    doc_set(p->state, "images", yaml("[\"x/z:1@sha256:2\", \"x/y@sha256:1\", \"x/y@sha256:0\"]"));
}

static void runtime_changed(struct pair *p)
{
    doc_set_text(doc_get(p->state, "runtime"), "lb.targets", DIGEST_B);
}

static void runtime_missing(struct pair *p)
{
    doc_set(p->state, "runtime", doc_new_map());
}

static const struct {
    void (*change)(struct pair *p);
    int changes;
    const char *text;
} rows[] = {
    {nothing, 0, ""},
    {leaf_before_half, 0, ""},
    {leaf_too_many, 0, ""},                /* what nobody uses is left to the helper */
    {input_of_the_same_generation, 0, ""}, /* nothing to activate: the helper says what runs */
    {other_digest, 1, "n1: activate generation aaaaaaaaaaaa in place of bbbbbbbbbbbb\n"},
    {pending, 1, "n1: activate generation aaaaaaaaaaaa in place of aaaaaaaaaaaa\n"},
    {other_input, 1, "n1: activate generation aaaaaaaaaaaa in place of bbbbbbbbbbbb\nn1:   restart b.service\n"},
    {new_unit, 1, "n1: activate generation aaaaaaaaaaaa in place of bbbbbbbbbbbb\nn1:   start b.service\n"},
    {old_unit, 1, "n1: activate generation aaaaaaaaaaaa in place of bbbbbbbbbbbb\nn1:   stop z.service\n"},
    {all_units, 1,
     "n1: activate generation aaaaaaaaaaaa in place of bbbbbbbbbbbb\nn1:   restart a.service\nn1:   start b.service\n"
     "n1:   start c.socket\nn1:   stop z.service\n"},
    {leaf_after_half, 1, "n1: issue certificate peer (half of its life is over)\n"},
    {leaf_expired, 1, "n1: issue certificate peer (half of its life is over)\n"},
    {leaf_without_date, 1, "n1: issue certificate peer (half of its life is over)\n"},
    {leaf_missing, 1, "n1: issue certificate peer (missing)\n"},
    {leaf_described, 1, "n1: issue certificate peer (described otherwise)\n"},
    {image_missing, 1, "n1: import image x/y:1\n"},
    {image_of_that_name, 1, "n1: import image x/y:1\n"}, /* the import takes its pin over */
    {image_left, 1, "n1: unpin image x/y:10\n"},
    {images_exchanged, 2, "n1: import image x/y:1\nn1: unpin image x/y\n"},
    {runtime_changed, 1, "n1: write lb.targets\n"},
    {runtime_missing, 1, "n1: write lb.targets\n"},
    {empty_node, 6,
     "n1: issue certificate api (missing)\nn1: issue certificate peer (missing)\nn1: write lb.targets\n"
     "n1: activate generation aaaaaaaaaaaa on an empty node\nn1:   start a.service\nn1:   start b.service\n"
     "n1:   start c.socket\nn1: import image x/y:1\nn1: import image x/z:1\n"},
    {silent_node, 6,
     "n1: issue certificate api (missing)\nn1: issue certificate peer (missing)\nn1: write lb.targets\n"
     "n1: activate generation aaaaaaaaaaaa on an empty node\nn1:   start a.service\nn1:   start b.service\n"
     "n1:   start c.socket\nn1: import image x/y:1\nn1: import image x/z:1\n"},
};

static void nodes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN(pair_done) struct pair p;
        OWN_BUF struct buf text = {0};
        pair_init(&p);
        rows[i].change(&p);
        OWN_DOC struct doc *d = diff_node(&p.want, p.state, NOW);
        OK(diff_text(&text, d));
        assert_string_equal(buf_text(&text), rows[i].text);
        assert_int_equal(doc_int(d, "changes", -1), rows[i].changes);
        assert_string_equal(doc_text(d, "host"), "n1");
        assert_string_equal(doc_text(d, "to"), DIGEST_A);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
