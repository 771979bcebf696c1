/* A thousand hosts: rendered, compared with their states, and found as they should be. */
#include "rig.h"

enum { HOSTS = 1000, CONTROL_PLANES = 5 };

static struct cluster *fleet(void)
{
    OWN_BUF struct buf more = {0};
    OK(buf_str(&more, "  network: {pods: 172.16.0.0/12}\n  hosts:\n"));
    for (int i = 0; i < HOSTS; i++)
        OK(buf_fmt(&more, "    - {name: n%d, roles: [%s], ssh: {address: 10.9.%d.%d}}\n", i,
                   i < CONTROL_PLANES ? "control-plane" : "worker", i / 250, 1 + i % 250));
    return rig_cluster(buf_text(&more));
}

static void thousand_hosts(void **state)
{
    (void)state;
    OWN_RIG struct rig g;
    OWN(cluster_freep) struct cluster *c = fleet();
    OWN_DOC struct doc *vars = NULL;
    size_t leafs = 0;
    rig_init(&g);
    assert_int_equal(c->n_hosts, HOSTS);
    OK(render_vars(&vars, c, &g.release, &g.id));
    for (size_t i = 0; i < c->n_hosts; i++) {
        struct generation n = {0};
        OK(render_generation(&n, c, &g.release, &g.id, vars, &c->hosts[i]));
        OWN_DOC struct doc *have = rig_state(&n, LEAF_LIFE_S), *d = diff_node(&n, have, 0);
        assert_int_equal(doc_int(d, "changes", -1), 0);
        leafs += doc_len(n.leafs);
        generation_done(&n);
    }
    assert_int_equal(leafs, CONTROL_PLANES * 11 + (HOSTS - CONTROL_PLANES) * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousand_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
