/* What the API should have against what it has. */
#include "check.h"
#include "kube/inventory.h"
#include "ops/objects_diff.h"

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml_all(&d, "objects.yaml", text, strlen(text)));
    return d;
}

#define CONFIG_A "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: n}, data: {k: v}}\n---\n"
#define CONFIG_A_CHANGED "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: n}, data: {k: w}}\n---\n"
#define CONFIG_B "{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: n}}\n---\n"

/* Names of what is to be applied over `before`, each followed by a blank; *ret_inventory is what comes of it. */
static char *applied(struct doc **ret_inventory, const struct doc *before, const char *manifests)
{
    OWN_DOC struct doc *all = yaml(manifests), *apply = doc_new_list();
    struct buf names = {0};
    *ret_inventory = doc_new_list();
    OK(objects_diff(apply, *ret_inventory, before, all));
    assert_int_equal(doc_len(*ret_inventory), doc_len(all));
    DOC_EACH (o, apply)
        OK(buf_fmt(&names, "%s ", doc_text(o, "metadata.name")));
    return names.at ? buf_take(&names) : strdup("");
}

static void manifests(void **state)
{
    (void)state;
    OWN_DOC struct doc *none = doc_new_list(), *first = NULL, *same = NULL, *changed = NULL;
    OWN_FREE char *at_first = applied(&first, none, CONFIG_A CONFIG_B);
    assert_string_equal(at_first, "a b ");
    OWN_FREE char *again = applied(&same, first, CONFIG_B CONFIG_A);
    assert_string_equal(again, "");
    OWN_FREE char *later = applied(&changed, first, CONFIG_A_CHANGED);
    assert_string_equal(later, "a ");
    OWN_DOC struct doc *plan = prune_plan(first, changed, 0);
    assert_int_equal(doc_len(plan), 1);
    assert_string_equal(doc_text(plan->child, "name"), "b");
}

static void twins(void **state)
{
    (void)state;
    OWN_DOC struct doc *good =
        yaml(CONFIG_A CONFIG_B "{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: n}}\n---\n"
                               "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: other}}\n---\n"
                               "{apiVersion: other/v1, kind: ConfigMap, metadata: {name: a, namespace: n}}\n");
    OK(objects_unique(good));
    OWN_DOC struct doc *twins = yaml(CONFIG_A CONFIG_B CONFIG_A_CHANGED);
    FAILS(ERR_USAGE, "objects.yaml:5:1: ConfigMap n/a is there twice", objects_unique(twins));
    OWN_DOC struct doc *versions = yaml("{apiVersion: g/v1, kind: X, metadata: {name: a}}\n---\n"
                                        "{apiVersion: g/v1beta1, kind: X, metadata: {name: a}}\n");
    FAILS(ERR_USAGE, "X a is there twice", objects_unique(versions));
}

/* ---- nodes ---- */

#define LABELS_CP "node-role.kubernetes.io/control-plane: \"\""
#define LABELS_WORKER "node-role.kubernetes.io/worker: \"\""
#define TAINT_CP "{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}"

struct node_case {
    const char *what;
    bool control_plane, worker;
    const char *labels, *taints; /* of cluster.yaml */
    const char *live;            /* the node in the API, NULL: none */
    const char *patch;           /* as JSON, NULL: none */
    const char *old;             /* the roster's entry, NULL: none */
};

static const struct node_case node_cases[] = {
    {"not there yet", true, false, NULL, NULL, NULL,
     "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/control-plane\":\"\"}},"
     "\"spec\":{\"taints\":[{\"effect\":\"NoSchedule\",\"key\":\"node-role.kubernetes.io/control-plane\"}]}}"},
    {"as it should be", true, false, NULL, NULL,
     "{metadata: {labels: {" LABELS_CP ", other: x}}, spec: {taints: [{key: other, effect: NoExecute}, " TAINT_CP "]}}",
     NULL},
    {"both roles take no taint", true, true, NULL, NULL, "{metadata: {labels: {" LABELS_CP ", " LABELS_WORKER "}}}",
     NULL},
    {"label missing", false, true, "{zone: a}", NULL, "{metadata: {labels: {" LABELS_WORKER "}}}",
     "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/worker\":\"\",\"zone\":\"a\"}},\"spec\":{\"taints\":[]}}"},
    {"label with another value", false, true, "{zone: a}", NULL, "{metadata: {labels: {" LABELS_WORKER ", zone: b}}}",
     "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/worker\":\"\",\"zone\":\"a\"}},\"spec\":{\"taints\":[]}}"},
    {"a number is text", false, true, "{zone: 1, on: true}", NULL,
     "{metadata: {labels: {" LABELS_WORKER ", zone: \"1\", on: \"true\"}}}", NULL},
    {"and goes out as text", false, true, "{zone: 1}", NULL, "{metadata: {labels: {" LABELS_WORKER "}}}",
     "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/worker\":\"\",\"zone\":\"1\"}},\"spec\":{\"taints\":[]}}"},
    {"taint with its value", false, true, NULL, "[{key: only, value: db, effect: NoSchedule}]",
     "{metadata: {labels: {" LABELS_WORKER "}}, spec: {taints: [{key: only, value: db, effect: NoSchedule}]}}", NULL},
    {"taint with another value", false, true, NULL, "[{key: only, value: db, effect: NoSchedule}]",
     "{metadata: {labels: {" LABELS_WORKER "}}, spec: {taints: [{key: only, value: web, effect: NoSchedule}]}}",
     "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/worker\":\"\"}},"
     "\"spec\":{\"taints\":[{\"effect\":\"NoSchedule\",\"key\":\"only\",\"value\":\"db\"}]}}"},
    {"taint with an empty value", false, true, NULL, "[{key: only, value: \"\", effect: NoSchedule}]",
     "{metadata: {labels: {" LABELS_WORKER "}}, spec: {taints: [{key: only, effect: NoSchedule}]}}", NULL},
    {"same key, other effect", false, true, NULL, "[{key: only, effect: NoExecute}]",
     "{metadata: {labels: {" LABELS_WORKER "}}, spec: {taints: [{key: only, effect: NoSchedule}]}}",
     "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/worker\":\"\"}},"
     "\"spec\":{\"taints\":[{\"effect\":\"NoExecute\",\"key\":\"only\"}]}}"},
    {"a label that is wanted no more", false, true, NULL, NULL,
     "{metadata: {labels: {" LABELS_WORKER ", zone: a, foreign: b}}}",
     "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/worker\":\"\",\"zone\":null}},\"spec\":{\"taints\":[]}}",
     "{labels: {" LABELS_WORKER ", zone: a}}"},
    {"and is gone already", false, true, NULL, NULL, "{metadata: {labels: {" LABELS_WORKER "}}}", NULL,
     "{labels: {" LABELS_WORKER ", zone: a}, taints: [{key: only, effect: NoExecute}]}"},
    {"a taint that is wanted no more", false, true, NULL, NULL,
     "{metadata: {labels: {" LABELS_WORKER
     "}}, spec: {taints: [{key: only, effect: NoSchedule}, {key: theirs, effect: NoExecute}]}}",
     "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/worker\":\"\"}},"
     "\"spec\":{\"taints\":[{\"effect\":\"NoSchedule\",\"gone\":true,\"key\":\"only\"}]}}",
     "{labels: {" LABELS_WORKER "}, taints: [{key: only, effect: NoSchedule}]}"},
    {"a control-plane host that becomes a worker too", true, true, NULL, NULL,
     "{metadata: {labels: {" LABELS_CP ", " LABELS_WORKER "}}, spec: {taints: [" TAINT_CP "]}}",
     "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/control-plane\":\"\",\"node-role.kubernetes.io/"
     "worker\":\"\"}},"
     "\"spec\":{\"taints\":[{\"effect\":\"NoSchedule\",\"gone\":true,\"key\":\"node-role.kubernetes.io/"
     "control-plane\"}]}}",
     "{labels: {" LABELS_CP "}, taints: [" TAINT_CP "]}"},
};

static struct doc *yaml_or_null(const char *text)
{
    struct doc *d = NULL;
    if (text)
        OK(doc_yaml(&d, "node", text, strlen(text)));
    return d;
}

static void nodes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(node_cases); i++) {
        const struct node_case *c = &node_cases[i];
        OWN_DOC struct doc *labels = yaml_or_null(c->labels), *taints = yaml_or_null(c->taints),
                           *live = yaml_or_null(c->live), *old = yaml_or_null(c->old), *patches = doc_new_list();
        struct host h = {
            .name = "m", .control_plane = c->control_plane, .worker = c->worker, .labels = labels, .taints = taints};
        OWN_BUF struct buf json = {0};
        objects_diff_node(patches, &h, old, live);
        print_message("%s\n", c->what);
        assert_int_equal(doc_len(patches), c->patch != NULL);
        if (!c->patch)
            continue;
        assert_string_equal(doc_text(patches->child, "name"), "m");
        OK(doc_json_write(&json, doc_get(patches->child, "body")));
        assert_string_equal(buf_text(&json), c->patch);
    }
}

/* What others put on a node stays, whatever of ours comes and goes. */
static void taints_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *ours, *live, *want;
    } cases[] = {
        {"[]", "[{key: theirs, effect: NoExecute, timeAdded: t}]",
         "[{\"effect\":\"NoExecute\",\"key\":\"theirs\",\"timeAdded\":\"t\"}]"},
        {"[{key: a, effect: NoSchedule}]", "[]", "[{\"effect\":\"NoSchedule\",\"key\":\"a\"}]"},
        {"[{key: a, effect: NoSchedule, value: new}]",
         "[{key: a, effect: NoSchedule, value: old}, {key: a, effect: NoExecute}]",
         "[{\"effect\":\"NoExecute\",\"key\":\"a\"},{\"effect\":\"NoSchedule\",\"key\":\"a\",\"value\":\"new\"}]"},
        {"[{key: a, effect: NoSchedule, gone: true}]",
         "[{key: a, effect: NoSchedule}, {key: theirs, effect: NoSchedule}]",
         "[{\"effect\":\"NoSchedule\",\"key\":\"theirs\"}]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_FREE char *patch_text = str_fmt("{body: {metadata: {labels: {l: v}}, spec: {taints: %s}}}", cases[i].ours);
        OWN_FREE char *live_text = str_fmt("{metadata: {resourceVersion: '7'}, spec: {taints: %s}}", cases[i].live);
        OWN_FREE char *want = str_fmt("{\"metadata\":{\"labels\":{\"l\":\"v\"},\"resourceVersion\":\"7\"},"
                                      "\"spec\":{\"taints\":%s}}",
                                      cases[i].want);
        OWN_DOC struct doc *patch = yaml_or_null(patch_text), *live = yaml_or_null(live_text);
        OWN_DOC struct doc *body = objects_node_patch(patch, live);
        OWN_BUF struct buf json = {0};
        OK(doc_json_write(&json, body));
        assert_string_equal(buf_text(&json), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifests),
        cmocka_unit_test(twins),
        cmocka_unit_test(nodes),
        cmocka_unit_test(taints_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
