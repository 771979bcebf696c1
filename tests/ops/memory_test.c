/* What a cluster remembers of releases: what its hosts say, and what bundles of one run are to one another. */
#include "supply/workshop.h"

#include "base/clock.h"
#include "ops/memory.h"
#include "supply/chain.h"
#include "wire/floor.h"

static struct doc *yaml(const char *text)
{
    struct doc *d = NULL;
    OK(doc_yaml(&d, "t", text, strlen(text)));
    return d;
}

/* ---- bundles of one run ---- */

struct site {
    struct workshop shop;
    char *chain, *release, *addon;
    struct cluster cluster;
    struct context x;
};

static void sign(const struct site *s)
{
    OWN_KEY struct key *key = NULL;
    OK(keys_load(&key, s->shop.opts.key, NULL));
    OK(chain_sign(s->chain, key));
}

static struct site site_new(void)
{
    struct site s = {.shop = workshop_new()};
    s.chain = check_path(s.shop.folder, "chain");
    s.release = check_path(s.shop.folder, "release.tar");
    s.addon = check_path(s.shop.folder, "addon.tar");
    const char *const keys[] = {s.shop.pub};
    const struct chain_change change = {.epoch = -1, .root = {keys, 1, 0}, .release = {keys, 1, 0}};
    OK(chain_create(s.chain, &change));
    sign(&s);
    s.cluster.dir = s.shop.folder;
    s.x.floors = doc_new_map();
    s.x.bundles = calloc(2, sizeof(struct bundle *));
    assert_non_null(s.x.bundles);
    OK(strs_add(&s.cluster.trust, s.shop.pub));
    return s;
}

static void site_done(struct site *s)
{
    for (size_t i = 0; i < s->x.n_bundles; i++)
        bundle_free(s->x.bundles[i]);
    free(s->x.bundles);
    doc_free(s->x.floors);
    strs_done(&s->cluster.trust);
    free(s->chain);
    free(s->release);
    free(s->addon);
    workshop_done(&s->shop);
}
#define OWN_SITE OWN(site_done)

static void rotate(const struct site *s)
{
    const struct chain_change none = {.epoch = -1};
    OK(chain_rotate(s->chain, &none));
    sign(s);
}

static void build(const struct site *s, const char *out, bool addon)
{
    struct build_result result;
    struct build_opts o = s->shop.opts;
    o.out = out;
    o.root = s->chain;
    if (addon) {
        o.profile = s->shop.addon;
        o.lock = s->shop.addon_lock;
        o.requires = s->release;
    }
    OK(bundle_build(&result, &o, NULL, NULL));
}

static void open_all(struct site *s)
{
    const char *const files[] = {s->release, s->addon};
    s->x.cluster = &s->cluster;
    for (; s->x.n_bundles < 2; s->x.n_bundles++)
        OK(bundle_open(&s->x.bundles[s->x.n_bundles], files[s->x.n_bundles], (const char *const *)s->cluster.trust.at,
                       1));
}

/* A key that the release's last root document withdrew does not come back with its add-on, nor the other way round. */
static void newest_root_of_all(void **state)
{
    (void)state;
    for (int addon_is_older = 0; addon_is_older < 2; addon_is_older++) {
        OWN_SITE struct site s = site_new();
        build(&s, s.release, false);
        if (!addon_is_older)
            rotate(&s);
        build(&s, s.addon, true);
        if (addon_is_older) {
            rotate(&s);
            build(&s, s.release, false);
        }
        open_all(&s);
        FAILS(ERR_UNTRUSTED, "E_ROOT_CHAIN: it ends with root document 1 of caisson; document 2 was seen",
              memory_check(&s.x));
        if (addon_is_older)
            build(&s, s.addon, true);
        else
            build(&s, s.release, false);
        for (; s.x.n_bundles; s.x.n_bundles--)
            bundle_free(s.x.bundles[s.x.n_bundles - 1]);
        open_all(&s);
        OK(memory_check(&s.x));
    }
}

/* ---- time ---- */

/* A release of the year 2096 does not make all later ones old. */
static void times_ahead(void **state)
{
    (void)state;
    OWN_SITE struct site s = site_new();
    struct fleet none = {.x = &s.x};
    s.shop.opts.source_date_epoch = 4000000000;
    build(&s, s.release, false);
    build(&s, s.addon, true);
    open_all(&s);
    OK(memory_keep(&none));
    doc_free(s.x.floors);
    s.x.floors = NULL;
    OK(memory_load(&s.x));
    assert_int_equal(doc_len(s.x.floors), 2);
    assert_true(floor_newest(s.x.floors) <= clock_wall_s() + 300);
}

/* One profile is installed: what another one's record said of Kubernetes is over. */
static void one_kubernetes(void **state)
{
    (void)state;
    OWN_SITE struct site s = site_new();
    struct fleet none = {.x = &s.x};
    workshop_put(&s.shop, "profiles/tiny.yaml",
                 "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec:\n  version: 1.0.0\n"
                 "  kubernetes: {version: 1.36.0, upgradeFrom: []}\n"
                 "  components:\n    - {name: tool, version: 1.2.3}\n    - pause\n");
    build(&s, s.release, false);
    build(&s, s.addon, true);
    open_all(&s);
    doc_free(s.x.floors);
    s.x.floors =
        yaml("{caisson/old: {product: caisson, profile: old, channel: stable, version: v1, epoch: 0, sequence: "
             "9, digest: d, root: 1, issued: \"2026-01-01T00:00:00Z\", rollbackTo: [], kubernetes: 1.37.0}}");
    OK(memory_keep(&none));
    doc_free(s.x.floors);
    s.x.floors = NULL;
    OK(memory_load(&s.x));
    assert_int_equal(doc_len(s.x.floors), 3);
    assert_null(doc_get(doc_get(s.x.floors, "caisson/old"), "kubernetes"));
    assert_string_equal(doc_text(doc_get(s.x.floors, "caisson/tiny"), "kubernetes"), "1.36.0");
}

/* A record that cannot be looked at is not one that is not there. */
static void unreadable(void **state)
{
    (void)state;
    OWN_SITE struct site s = site_new();
    s.x.cluster = &s.cluster;
    doc_free(s.x.floors);
    s.x.floors = NULL;
    check_write(s.shop.folder, ".caisson", "x", 1);
    FAILS(ERR_FAILED, "Not a directory", memory_load(&s.x));
}

/* ---- several hosts ---- */

enum { HOSTS = 3 };

/* A helper's answer to "state": it had this release of caisson/tiny. */
static struct doc *state_of_time(int sequence, const char *digest, const char *issued)
{
    OWN_FREE char *text = str_fmt("{floors: {caisson/tiny: {product: caisson, profile: tiny, channel: stable, version: "
                                  "v1, epoch: 0, sequence: %d, digest: \"sha256:%s\", root: 1, issued: "
                                  "\"%s\", rollbackTo: []}}}",
                                  sequence, digest, issued);
    assert_non_null(text);
    return yaml(text);
}

static struct doc *state_of(int sequence, const char *digest)
{
    return state_of_time(sequence, digest, "2026-01-01T00:00:00Z");
}

struct hosts {
    struct host host[HOSTS];
    struct member at[HOSTS];
    struct cluster cluster;
    struct context x;
    struct fleet f;
};

/* Nobody is connected; that a host is in reach is all that `node` says here. */
static void hosts_init(struct hosts *h, struct doc *const states[HOSTS])
{
    static const char *const names[] = {"cp-1", "cp-2", "w-1"};
    *h = (struct hosts){.x = {.floors = doc_new_map()}};
    OK(strs_add(&h->cluster.trust, "release.pub"));
    for (size_t i = 0; i < HOSTS; i++) {
        h->host[i] = (struct host){.name = names[i], .control_plane = i < 2, .worker = true};
        h->at[i] = (struct member){.host = &h->host[i], .state = states[i], .node = (struct node *)h};
    }
    h->x.cluster = &h->cluster;
    h->f = (struct fleet){.x = &h->x, .at = h->at, .n = HOSTS};
}

static void hosts_done(struct hosts *h)
{
    for (size_t i = 0; i < HOSTS; i++)
        doc_free(h->at[i].state);
    doc_free(h->x.floors);
    strs_done(&h->cluster.trust);
}

static void highest_of_all_hosts(void **state)
{
    (void)state;
    OWN(hosts_done) struct hosts h;
    hosts_init(&h, (struct doc *[]){state_of(3, "aa"), state_of(5, "bb"), yaml("{floors: {}}")});
    OK(memory_ask(&h.f));
    assert_int_equal(doc_int(doc_get(h.x.floors, "caisson/tiny"), "sequence", 0), 5);
}

/* A worker may be a control-plane host of before. */
static void any_host_counts(void **state)
{
    (void)state;
    OWN(hosts_done) struct hosts h;
    hosts_init(&h, (struct doc *[]){yaml("{floors: {}}"), yaml("{floors: {}}"), state_of(5, "bb")});
    OK(memory_ask(&h.f));
    assert_int_equal(doc_int(doc_get(h.x.floors, "caisson/tiny"), "sequence", 0), 5);
}

static void damaged_record(void **state)
{
    (void)state;
    OWN(hosts_done) struct hosts h;
    hosts_init(&h, (struct doc *[]){yaml("{floors: {}}"), yaml("{floors: {}, floorsError: cut off}"), yaml("{}")});
    FAILS(ERR_FAILED, "cp-2: cut off", memory_ask(&h.f));
}

static void hosts_that_disagree(void **state)
{
    (void)state;
    OWN(hosts_done) struct hosts h;
    hosts_init(&h, (struct doc *[]){state_of(5, "aa"), state_of(5, "bb"), yaml("{floors: {}}")});
    FAILS(ERR_UNTRUSTED, "cp-1 and cp-2 do not agree: E_ROLLBACK: another release 0.5 of caisson/tiny",
          memory_ask(&h.f));
}

static void count_clock(void *self, const struct event *e)
{
    *(int *)self += strstr(e->text, "E_CLOCK") != NULL;
}

/* The nodes know of a later time than this host: what it means is said once, and what has expired counts. */
static void time_of_the_nodes(void **state)
{
    (void)state;
    OWN_SITE struct site s = site_new();
    OWN(hosts_done) struct hosts h;
    int said = 0;
    const struct events events = {count_clock, &said};
    s.shop.opts.expires = "2100-01-01T00:00:00Z";
    s.shop.opts.sequence = 6;
    build(&s, s.release, false);
    build(&s, s.addon, true);
    open_all(&s);
    hosts_init(&h, (struct doc *[]){state_of_time(5, "aa", "2126-01-01T00:00:00Z"), yaml("{floors: {}}"), yaml("{}")});
    h.x.bundles = s.x.bundles;
    h.x.n_bundles = s.x.n_bundles;
    h.x.events = &events;
    OK(memory_now(&h.x));
    OK(memory_dates(&h.x, h.x.bundles[0]));
    assert_int_equal(said, 0);
    OK(memory_ask(&h.f));
    assert_int_equal(said, 1);
    OK(memory_now(&h.x));
    assert_int_equal(said, 1);
    h.x.enforce_dates = true;
    FAILS(ERR_UNTRUSTED, "E_EXPIRED", memory_dates(&h.x, h.x.bundles[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(newest_root_of_all),  cmocka_unit_test(highest_of_all_hosts),
                                       cmocka_unit_test(any_host_counts),     cmocka_unit_test(damaged_record),
                                       cmocka_unit_test(hosts_that_disagree), cmocka_unit_test(times_ahead),
                                       cmocka_unit_test(one_kubernetes),      cmocka_unit_test(unreadable),
                                       cmocka_unit_test(time_of_the_nodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
