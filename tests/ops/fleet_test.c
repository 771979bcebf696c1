/* A fleet of real helpers: the release's packages and generations delivered to all at once, with failures and a cancel.
 */
#include "run/machines.h"
#include "supply/workshop.h"

#include "base/clock.h"
#include "ops/deliver.h"
#include "ops/fleet.h"
#include "ops/identity.h"
#include "ops/memory.h"

#include <pthread.h>
#include <signal.h>

enum { MACHINES = 5, VICTIM = 2 };

static struct machines lab;
static const char *no_lab;
static struct workshop shop;

/* ---- one cluster of all machines ---- */

static void write_cluster(void)
{
    OWN_BUF struct buf text = {0};
    OK(buf_fmt(&text,
               "apiVersion: caisson.dev/v1\nkind: Cluster\nmetadata: {name: race}\nspec:\n  release: tiny.csn.tar\n"
               "  trust: [release.pub]\n  profile: tiny\n  acknowledge: [single-control-plane]\n"
               "  defaults: {ssh: {user: %s, port: %d, key: \"%s\"}}\n  hosts:\n",
               lab.sshd.user, lab.sshd.port, lab.sshd.key));
    for (size_t i = 0; i < lab.n; i++)
        OK(buf_fmt(&text, "    - {name: %s, roles: [%s], ssh: {address: %s, hostKey: \"%s\"}}\n", lab.names[i],
                   i ? "worker" : "control-plane", lab.addresses[i], lab.fingerprint));
    check_write(shop.folder, "cluster.yaml", buf_text(&text), text.len);
}

static int group_setup(void **state)
{
    (void)state;
    struct build_result result;
    bool made = false;
    (void)signal(SIGPIPE, SIG_IGN);
    no_lab = machines_start(&lab, MACHINES);
    if (no_lab)
        return 0;
    shop = workshop_new();
    OWN_FREE char *vault = check_path(shop.folder, "secrets.vault");
    assert_int_equal(setenv("XDG_CONFIG_HOME", shop.folder, 1), 0);
    OK(bundle_build(&result, &shop.opts, NULL, NULL));
    OK(vault_operator_key(&made));
    OK(vault_create(vault));
    write_cluster();
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    if (no_lab)
        return 0;
    machines_stop(&lab);
    workshop_done(&shop);
    return 0;
}

/* ---- one run ---- */

struct sink {
    pthread_mutex_t lock;
    int done, failed;
    const struct cancel *cancel_at_done; /* set when the first host is done; NULL: never */
};

static void sink_emit(void *self, const struct event *e)
{
    struct sink *s = self;
    (void)pthread_mutex_lock(&s->lock);
    s->done += e->kind == EVENT_DONE && strstr(e->text, "is active");
    s->failed += e->kind == EVENT_FAILED;
    if (s->done && s->cancel_at_done)
        cancel_set(s->cancel_at_done);
    (void)pthread_mutex_unlock(&s->lock);
}

struct round {
    struct sink sink;
    struct events events;
    struct cancel cancel;
    struct context x;
    struct fleet f;
};

static void round_start(struct round *r)
{
    OWN_FREE char *file = check_path(shop.folder, "cluster.yaml");
    *r = (struct round){.sink = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    r->events = (struct events){sink_emit, &r->sink};
    OK(cancel_init(&r->cancel));
    r->x = (struct context){.events = &r->events, .cancel = &r->cancel};
    OK(context_full(&r->x, file));
    OK(fleet_connect(&r->f, &r->x));
    OK(fleet_require_all(&r->f));
}

static void round_end(struct round *r)
{
    fleet_done(&r->f);
    context_done(&r->x);
    cancel_done(&r->cancel);
}

#define OWN_ROUND OWN(round_end)

#define NEED_LAB()                                                                                                     \
    do {                                                                                                               \
        if (no_lab) {                                                                                                  \
            print_message("%s\n", no_lab);                                                                             \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)

static struct err *install(struct fleet *f, struct member *m)
{
    TRY(deliver_generation(f, m));
    return deliver_activate(f, m);
}

static struct err *install_but_one_dies(struct fleet *f, struct member *m)
{
    if (str_eq(m->host->name, lab.names[VICTIM]))
        machines_kill(&lab, VICTIM);
    return install(f, m);
}

static size_t to_activate(const struct round *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->f.n; i++)
        n += doc_bool(r->f.at[i].diff, "activate", false);
    return n;
}

/* ---- tests, in this order: each goes on where the one before stopped ---- */

static void one_dies(void **state)
{
    (void)state;
    NEED_LAB();
    OWN_ROUND struct round r;
    round_start(&r);
    assert_int_equal(to_activate(&r), MACHINES);
    FAILS(ERR_UNREACHABLE, lab.names[VICTIM], fleet_each(&r.f, install_but_one_dies));
    assert_int_equal(r.sink.done, MACHINES - 1);
    assert_int_equal(r.sink.failed, 1);
}

static void the_next_run_finishes(void **state)
{
    (void)state;
    NEED_LAB();
    for (int again = 0; again < 2; again++) {
        OWN_ROUND struct round r;
        round_start(&r);
        assert_int_equal(to_activate(&r), again ? 0 : 1);
        OK(fleet_each(&r.f, install));
        assert_int_equal(r.sink.done, again ? 0 : 1);
    }
}

/* Another helper file makes another generation. */
static void change_release(void)
{
    struct build_result result;
    char digest[65];
    static const char tool[] = "#!/bin/sh\necho another tool\n";
    workshop_blob(digest, &shop, tool, strlen(tool));
    OWN_BUF struct buf lock = {0}, changed = {0};
    OK(file_read(&lock, AT_FDCWD, shop.lock));
    char old[65], *at = NULL;
    OK(digest_hex(old, workshop_tool, strlen(workshop_tool)));
    at = strstr(lock.at, old);
    assert_non_null(at);
    char *size = strstr(at, "\"size\":");
    assert_non_null(size);
    OK(buf_fmt(&changed, "%.*s%s\",\"size\":%zu%s", (int)(at - lock.at), lock.at, digest, strlen(tool),
               size + 7 + strspn(size + 7, "0123456789")));
    OK(file_replace(AT_FDCWD, shop.lock, changed.at, changed.len, 0644));
    shop.opts.sequence++;
    OK(bundle_build(&result, &shop.opts, NULL, NULL));
}

static void cancel_in_the_middle(void **state)
{
    (void)state;
    NEED_LAB();
    change_release();
    OWN_ROUND struct round r;
    round_start(&r);
    assert_int_equal(to_activate(&r), MACHINES);
    r.sink.cancel_at_done = &r.cancel;
    err_ignore(fleet_each(&r.f, install)); /* how many were done before the cancel is a matter of luck */
    assert_true(r.sink.done >= 1);
    int done = r.sink.done;
    OWN_ROUND struct round after;
    round_start(&after);
    assert_true(to_activate(&after) <= (size_t)(MACHINES - done));
    OK(fleet_each(&after.f, install));
    OWN_ROUND struct round last;
    round_start(&last);
    assert_int_equal(to_activate(&last), 0);
}

static struct doc *positions(uint64_t sequence)
{
    struct doc *list = doc_new_list(), *d = doc_add(list, doc_new_map());
    doc_set_int(d, "epoch", 0);
    doc_set_int(d, "sequence", (int64_t)sequence);
    return list;
}

/* As an admin host that has never seen the cluster: the release of that number, which allows a return to `back`. */
static void new_admin(struct round *r, uint64_t sequence, const struct doc *back)
{
    struct build_result result;
    OWN_FREE char *memory = check_path(shop.folder, ".caisson");
    OK(file_remove_tree(AT_FDCWD, memory));
    shop.opts.sequence = sequence;
    shop.opts.rollback_to = back;
    OK(bundle_build(&result, &shop.opts, NULL, NULL));
    round_start(r);
    OK(memory_check(&r->x)); /* nothing is known here */
}

/* The control-plane node remembers; what it says is heard before anything is done. */
static void the_cluster_remembers(void **state)
{
    (void)state;
    NEED_LAB();
    OWN_DOC struct doc *fourth = positions(4);
    {
        OWN_ROUND struct round r;
        new_admin(&r, 5, fourth);
        OK(memory_ask(&r.f));
        OWN_DOC struct doc *report = memory_report(&r.f);
        assert_int_equal(doc_len(report), 1);
        assert_string_equal(doc_text(report->child, "to"), "0.5");
        OK(memory_keep(&r.f));
    }
    {
        OWN_ROUND struct round r;
        new_admin(&r, 5, fourth);
        OK(memory_ask(&r.f));
        OWN_DOC struct doc *report = memory_report(&r.f);
        assert_int_equal(doc_len(report), 0);
    }
    for (uint64_t sequence = 3; sequence <= 4; sequence++) {
        OWN_ROUND struct round r;
        new_admin(&r, sequence, NULL);
        FAILS(ERR_UNTRUSTED, "E_ROLLBACK", memory_ask(&r.f));
        OWN_DOC struct doc *allow = positions(sequence);
        r.x.allow = allow;
        if (sequence == 3) { /* 5 does not say so, and the node itself would refuse as well */
            FAILS(ERR_UNTRUSTED, "E_ROLLBACK", memory_ask(&r.f));
            FAILS(ERR_UNTRUSTED, "E_ROLLBACK", memory_keep(&r.f));
            continue;
        }
        OK(memory_ask(&r.f));
        OK(memory_keep(&r.f));
    }
    OWN_ROUND struct round after;
    new_admin(&after, 4, NULL);
    OK(memory_ask(&after.f)); /* what it was lowered to */
}

static void cancelled_before(void **state)
{
    (void)state;
    NEED_LAB();
    OWN_ROUND struct round r;
    round_start(&r);
    cancel_set(&r.cancel);
    struct fleet again = {0};
    FAILS(ERR_CANCELLED, "cancelled", fleet_connect(&again, &r.x));
    fleet_done(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_dies),
        cmocka_unit_test(the_next_run_finishes),
        cmocka_unit_test(cancel_in_the_middle),
        cmocka_unit_test(the_cluster_remembers),
        cmocka_unit_test(cancelled_before),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
