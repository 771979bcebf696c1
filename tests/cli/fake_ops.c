/*
 * FAKE of ops/ and of supply's builder: each function answers with a fixed tree, so that the command line can be tested
 * without machines. FAKE in the environment chooses other answers.
 */
#include "ops/ops.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "supply/build.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

static bool fake_is(const char *what)
{
    const char *fake = getenv("FAKE");
    return fake && strcmp(fake, what) == 0;
}

static struct doc *tree(const char *json)
{
    struct doc *d = NULL;
    struct err *e = doc_json(&d, "fake", json, strlen(json));
    if (e) {
        (void)fprintf(stderr, "fake: %s\n", err_text(e));
        abort();
    }
    return d;
}

/* From a file in tests/cli/data, where the program is started. */
static struct doc *tree_of(const char *file)
{
    OWN_BUF struct buf text = {0};
    err_ignore(file_read(&text, AT_FDCWD, file)); /* an empty text is no JSON and ends the program */
    return tree(buf_text(&text));
}

struct err *ops_init(struct doc **ret, const struct run *r, const char *name)
{
    if (name)
        (void)fprintf(stderr, "name=%s\n", name);
    *ret = tree("{\"made\":[\"secrets.vault\"],\"kept\":[]}");
    doc_add_text(doc_get(*ret, "kept"), r->file);
    return NULL;
}

struct err *ops_validate(struct doc **ret, const struct run *r, bool bundle)
{
    event_emit(r->events, EVENT_NOTE, NULL, bundle ? "with bundle" : "without bundle");
    if (fake_is("bad-file"))
        return err_hint(err_new(ERR_USAGE, "cluster.yaml:3:5: unknown key \"hots\""), "did you mean \"hosts\"?");
    *ret = tree("{\"warnings\":[\"even: two control-plane nodes survive no more than one does\"]}");
    return NULL;
}

struct err *ops_trust_hosts(struct doc **ret, const struct run *r, const char *name, ops_confirm confirm, void *self)
{
    static const char *const hosts[][3] = {{"cp-1", "10.0.0.1", "SHA256:AAA"}, {"w-1", "10.0.0.2", "SHA256:BBB"}};
    (void)r;
    *ret = tree("{\"pinned\":[],\"kept\":[\"cp-2\"]}");
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if ((name && strcmp(name, hosts[i][0]) != 0) ||
            !confirm(self, hosts[i][0], hosts[i][1], "ssh-ed25519", hosts[i][2]))
            continue;
        struct doc *row = doc_add(doc_get(*ret, "pinned"), doc_new_map());
        doc_set_text(row, "host", hosts[i][0]);
        doc_set_text(row, "type", "ssh-ed25519");
        doc_set_text(row, "fingerprint", hosts[i][2]);
    }
    return NULL;
}

struct err *ops_held(struct doc **ret, const struct run *r)
{
    (void)r;
    *ret = tree("{\"cluster\":\"plant\",\"images\":[],\"packages\":[],\"schema\":1}");
    return NULL;
}

struct err *ops_preflight(struct doc **ret, const struct run *r)
{
    (void)r;
    *ret = tree(
        "{\"failed\":1,\"warned\":0,\"hosts\":[{\"host\":\"cp-1\",\"checks\":["
        "{\"id\":\"systemd\",\"result\":\"pass\",\"value\":\"252\",\"want\":\"247\"},"
        "{\"id\":\"disk\",\"result\":\"fail\",\"value\":\"1.0 GB\",\"want\":\"2.0 GB\",\"fix\":\"make room\"}]}]}");
    return err_hint(err_new(ERR_REFUSED, "1 check failed"), "correct it");
}

struct err *ops_plan(struct doc **ret, const struct run *r)
{
    event_emit(r->events, EVENT_STEP, "cp-1", "connect");
    event_emit(r->events, EVENT_DONE, "cp-1", "connected");
    *ret = fake_is("changes") ? tree_of("plan.json")
                              : tree("{\"release\":\"abc\",\"changes\":0,\"hosts\":[],\"cluster\":{}}");
    return NULL;
}

static void *one_host(void *arg)
{
    const struct run *r = arg;
    event_progress(r->events, "w-1", "send etcd", 100, 200);
    event_progress(r->events, "w-1", "send etcd", 200, 200);
    event_emit(r->events, EVENT_FAILED, "w-1", "no \033[2Jroom\nleft");
    return NULL;
}

/* Slow enough for a few frames of the live lines; stops when asked, unless it is to hang. */
static struct err *work(const struct run *r)
{
    pthread_t thread;
    event_emit(r->events, EVENT_STEP, "cp-1", "activate generation");
    if (pthread_create(&thread, NULL, one_host, (void *)r) == 0)
        pthread_join(thread, NULL);
    if (fake_is("hang"))
        for (;;)
            clock_sleep_ms(1000);
    struct err *e = fake_is("slow") ? cancel_sleep(r->cancel, 30000) : cancel_sleep(r->cancel, 250);
    event_emit(r->events, EVENT_DONE, "cp-1", "generation is active");
    return e;
}

struct err *ops_apply(struct doc **ret, const struct run *r)
{
    if (fake_is("none"))
        return ops_plan(ret, r);
    TRY(work(r));
    *ret = tree_of("plan.json");
    doc_set_int(*ret, "milliseconds", 40500);
    return fake_is("partial") ? err_new(ERR_PARTIAL, "1 of 2 hosts failed:\nw-1: no room") : NULL;
}

struct err *ops_status(struct doc **ret, const struct run *r)
{
    (void)r;
    *ret = tree_of("status.json");
    return NULL;
}

struct err *ops_kubeconfig(struct buf *out, const struct run *r, const char *via, int hours)
{
    (void)r;
    return buf_fmt(out, "apiVersion: v1\nkind: Config\nvia: %s\nhours: %d\n", via ? via : "first", hours);
}

struct err *ops_reset(struct doc **ret, const struct run *r, const char *name)
{
    (void)r;
    *ret = tree("{\"hosts\":[{\"removed\":7}]}");
    doc_set_text(doc_get(*ret, "hosts")->child, "host", name ? name : "all");
    return NULL;
}

static void say(const char *what, const char *value)
{
    (void)fprintf(stderr, "%s=%s\n", what, value ? value : "(null)");
}

struct err *bundle_build(struct build_result *ret, const struct build_opts *o, build_progress progress, void *self)
{
    if (!progress(self, "write", 10, 10))
        return err_new(ERR_CANCELLED, "cancelled");
    say("profile", o->profile);
    say("bundles_dir", o->bundles_dir);
    say("lock", o->lock);
    say("cache", o->cache);
    say("key", o->key);
    say("out", o->out);
    say("requires", o->requires);
    (void)fprintf(stderr, "epoch=%u sequence=%llu date=%lld trust=%zu\n", o->epoch, (unsigned long long)o->sequence,
                  (long long)o->source_date_epoch, o->n_trust);
    *ret = (struct build_result){"00ff", 1500000, 12, 1, 1};
    return NULL;
}
