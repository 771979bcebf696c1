/*
 * What reaches which node, and what need not: a fleet of real helpers with a runtime that is a script. Roles, nothing
 * twice, the list of what all hosts hold, deltas by it, and hosts that lack what a delta was made without.
 */
#include "run/machines.h"
#include "supply/workshop.h"

#include "bundle/held.h"
#include "bundle/image.h"
#include "ops/deliver.h"
#include "ops/images.h"
#include "ops/missing.h"
#include "ops/ops.h"
#include "supply/delta.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>

enum { MACHINES = 4, CLUSTER = 3 }; /* the last machine joins later */
static const char *const roles_of[MACHINES] = {"control-plane", "worker", "control-plane, worker", "worker"};

static struct machines lab;
static const char *no_lab;
static struct workshop shop;

#define NEED_LAB()                                                                                                     \
    do {                                                                                                               \
        if (no_lab) {                                                                                                  \
            print_message("%s\n", no_lab);                                                                             \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)

/* ---- the release: four components, with packages and images for all and for the control plane ---- */

/* Keeps what it is given below the machine's root. */
static const char ctr[] =
    "#!/bin/sh\nset -e\nat=${0%/var/lib/caisson/*}/var/lib/runtime\nmkdir -p \"$at/in\" \"$at/blobs\"\n"
    "touch \"$at/names\"\ncase $1 in\n"
    "import)\n  tar -xf - -C \"$at/in\"\n"
    "  grep -o 'registry.example/[a-z]*:[0-9.]*' \"$at/in/index.json\" | sort -u >>\"$at/names\"\n"
    "  cp \"$at\"/in/blobs/sha256/* \"$at/blobs\"\n  rm -r \"$at/in\" ;;\n"
    "complete) cat \"$at/names\" ;;\nesac\n";

static const char component[] =
    "apiVersion: caisson.dev/v1\nkind: Component\nmetadata: {name: %s, license: MIT, supplier: "
    "example, purl: \"pkg:generic/%s\"}\nversions: [{version: %s}]\n%s";

static void define(const char *name, const char *version, const char *rest)
{
    OWN_FREE char *path = str_fmt("bundles/%s.yaml", name), *text = str_fmt(component, name, name, version, rest);
    workshop_put(&shop, path, text);
}

static void define_all(void)
{
    workshop_put(&shop, "profiles/tiny.yaml",
                 "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec:\n  version: 1.0.0\n"
                 "  components: [brain, field, pause, runtime, tool]\n");
    define(
        "brain", "1.0.0",
        "packages: [{name: brain, roles: [control-plane], files: [{path: bin/brain, from: brain, mode: \"0755\"}]}]\n"
        "images: [{name: \"registry.example/brain:${version}\", roles: [control-plane], pin: true}]\n"
        "settings: {brain: {image: {type: string, default: \"registry.example/brain:${version}\"}}}\n");
    define("field", "1.0.0",
           "packages: [{name: field, roles: [worker], files: [{path: bin/field, from: field, mode: \"0755\"}]}]\n");
    define("pause", "3.1.0",
           "images: [{name: \"registry.example/pause:${version}\", roles: [all], pin: true}]\n"
           "settings: {pause: {image: {type: string, default: \"registry.example/pause:${version}\"}}}\n");
    define("runtime", "1.0.0",
           "packages: [{name: runtime, roles: [all], files: [{path: bin/ctr, from: ctr, mode: \"0755\"}]}]\n"
           "imageStore: {unit: none.service, blobs: /var/lib/runtime/blobs, import: [\"${tree.runtime}/bin/ctr\", "
           "import],\n"
           "  complete: [\"${tree.runtime}/bin/ctr\", complete], unpin: [\"${tree.runtime}/bin/ctr\", unpin]}\n");
    define("tool", "1.0.0",
           "packages: [{name: tool, roles: [all], files: [{path: bin/tool, from: tool, mode: \"0755\"}]}]\n");
}

static const char entry[] =
    "%s{\"component\":\"%s\",\"id\":\"%s/%s/%s\",\"kind\":\"%s\",\"license\":\"MIT\",\"%s\":\"%s\","
    "\"platform\":\"linux/amd64\",\"purl\":\"pkg:generic/%s@%s\",\"sha256\":\"%s\",\"size\":%zu,"
    "\"upstream\":{\"ref\":\"x\",\"type\":\"none\"},\"urls\":[],\"version\":\"%s\"}";

static void lock_file(struct buf *lock, const char *name, const char *version, const char *file, const char *text)
{
    char digest[65];
    workshop_blob(digest, &shop, text, strlen(text));
    OK(buf_fmt(lock, entry, lock->len ? "," : "", name, name, version, file, "file", "file", file, name, version,
               digest, strlen(text), version));
}

static void add_layer(struct buf *manifest, const char *text)
{
    OWN_BUF struct buf tar = {0};
    char digest[65];
    OWN_FD int fd = memfd_create("layer", MFD_CLOEXEC);
    OK(ustar_write_member(fd, "file", 0, text, strlen(text)));
    OK(ustar_write_end(fd));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    OK(fd_read_all(fd, &tar));
    workshop_blob(digest, &shop, tar.at, tar.len);
    OK(buf_fmt(manifest,
               "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:%s\",\"size\":%zu}",
               str_ends(buf_text(manifest), "}") ? "," : "", digest, tar.len));
}

/* An image of the layer that all share and one of its own. */
static void lock_image(struct buf *lock, const char *name, const char *version, const char *own)
{
    OWN_BUF struct buf m = {0};
    char digest[65];
    OWN_FREE char *config = str_fmt("{\"architecture\":\"amd64\",\"author\":\"%s\",\"os\":\"linux\"}", own);
    OWN_FREE char *full = str_fmt("registry.example/%s:%s", name, version);
    workshop_blob(digest, &shop, config, strlen(config));
    OK(buf_fmt(&m,
               "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
               "\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[",
               digest, strlen(config)));
    add_layer(&m, "all images have this");
    add_layer(&m, own);
    OK(buf_str(&m, "]}"));
    workshop_blob(digest, &shop, m.at, m.len);
    OK(buf_fmt(lock, entry, lock->len ? "," : "", name, name, version, "image", "oci", "name", full, name, version,
               digest, m.len, version));
}

/* Builds the release with this text in the tool and in the layer of pause. */
static void build(const char *out, const char *tool, const char *pause)
{
    struct build_result made;
    OWN_BUF struct buf entries = {0};
    lock_file(&entries, "brain", "1.0.0", "brain", "#!/bin/sh\necho brain\n");
    lock_image(&entries, "brain", "1.0.0", "of brain");
    lock_file(&entries, "field", "1.0.0", "field", "#!/bin/sh\necho field\n");
    lock_image(&entries, "pause", "3.1.0", pause);
    lock_file(&entries, "runtime", "1.0.0", "ctr", ctr);
    lock_file(&entries, "tool", "1.0.0", "tool", tool);
    OWN_FREE char *lock = str_fmt("{\"entries\":[%s],\"platform\":\"linux/amd64\",\"profile\":\"tiny\",\"schema\":1}\n",
                                  buf_text(&entries));
    workshop_put(&shop, "cache/lock/tiny.lock.json", lock);
    OWN_FREE char *path = check_path(shop.folder, out);
    shop.opts.out = path;
    OK(bundle_build(&made, &shop.opts, NULL, NULL));
    shop.opts.sequence++;
}

/* ---- the cluster ---- */

static void write_cluster(size_t hosts, const char *release)
{
    OWN_BUF struct buf text = {0};
    OK(buf_fmt(&text,
               "apiVersion: caisson.dev/v1\nkind: Cluster\nmetadata: {name: plant}\nspec:\n  release: %s\n"
               "  trust: [release.pub]\n  profile: tiny\n  acknowledge: [single-control-plane]\n"
               "  defaults: {ssh: {user: %s, port: %d, key: \"%s\"}}\n  hosts:\n",
               release, lab.sshd.user, lab.sshd.port, lab.sshd.key));
    for (size_t i = 0; i < hosts; i++)
        OK(buf_fmt(&text, "    - {name: %s, roles: [%s], ssh: {address: %s, hostKey: \"%s\"}}\n", lab.names[i],
                   roles_of[i], lab.addresses[i], lab.fingerprint));
    check_write(shop.folder, "cluster.yaml", buf_text(&text), text.len);
}

static int group_setup(void **state)
{
    (void)state;
    bool made = false;
    (void)signal(SIGPIPE, SIG_IGN);
    no_lab = machines_start(&lab, MACHINES);
    if (no_lab)
        return 0;
    shop = workshop_new();
    OWN_FREE char *vault = check_path(shop.folder, "secrets.vault");
    assert_int_equal(setenv("XDG_CONFIG_HOME", shop.folder, 1), 0);
    OK(vault_operator_key(&made));
    OK(vault_create(vault));
    define_all();
    build("first.tar", "#!/bin/sh\necho first\n", "of pause");
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
    struct strs sent; /* "HOST send package ..." and "HOST import ..." */
};

static void sink_emit(void *self, const struct event *e)
{
    struct sink *s = self;
    bool sends = e->kind == EVENT_STEP && (str_starts(e->text, "send package") || str_starts(e->text, "import"));
    OWN_FREE char *line = sends ? str_fmt("%s %s", e->host, e->text) : NULL;
    (void)pthread_mutex_lock(&s->lock);
    if (line)
        OK(strs_add(&s->sent, line));
    (void)pthread_mutex_unlock(&s->lock);
}

struct round {
    struct sink sink;
    struct events events;
    struct cancel cancel;
    struct context x;
    struct fleet f;
    char *file;
};

static void round_start(struct round *r)
{
    *r = (struct round){.sink = {.lock = PTHREAD_MUTEX_INITIALIZER}, .file = check_path(shop.folder, "cluster.yaml")};
    r->events = (struct events){sink_emit, &r->sink};
    OK(cancel_init(&r->cancel));
    r->x = (struct context){.events = &r->events, .cancel = &r->cancel};
    OK(context_full(&r->x, r->file));
    OK(fleet_connect(&r->f, &r->x));
    OK(fleet_require_all(&r->f));
}

static void round_end(struct round *r)
{
    fleet_done(&r->f);
    context_done(&r->x);
    cancel_done(&r->cancel);
    strs_done(&r->sink.sent);
    free(r->file);
}
#define OWN_ROUND OWN(round_end)

static struct err *install_one(struct fleet *f, struct member *m)
{
    TRY(deliver_generation(f, m));
    TRY(deliver_activate(f, m));
    return images_deliver(f, m);
}

static size_t sent(const struct round *r, const char *host, const char *what)
{
    size_t n = 0;
    for (size_t i = 0; i < r->sink.sent.n; i++)
        n += str_starts(r->sink.sent.at[i], host) && strstr(r->sink.sent.at[i], what);
    return n;
}

/* ---- what is on a machine ---- */

static struct strs names_in(size_t machine, const char *folder)
{
    struct strs names = {0};
    OWN_FREE char *path = machines_path(&lab, machine, folder);
    DIR *d = opendir(path);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        if (e->d_name[0] != '.')
            OK(strs_add(&names, e->d_name));
    if (d)
        (void)closedir(d);
    return names;
}

static uint64_t bytes_of(const struct bundle *b, const struct strs *digests)
{
    uint64_t sum = 0, size = 0;
    for (size_t i = 0; i < digests->n; i++) {
        assert_true(bundle_blob(b, digests->at[i], &size));
        sum += size;
    }
    return sum;
}

/* The bundle's bytes of all that a machine has been sent. */
static uint64_t bytes_on(const struct bundle *b, size_t machine)
{
    OWN_STRS struct strs trees = names_in(machine, "var/lib/caisson/tree");
    OWN_STRS struct strs blobs = names_in(machine, "var/lib/runtime/blobs");
    return bytes_of(b, &trees) + bytes_of(b, &blobs);
}

static const char *package(const struct context *x, const char *name)
{
    const char *digest = release_package(&x->release, name);
    assert_non_null(digest);
    return digest;
}

/* ---- tests, in this order: each goes on where the one before stopped ---- */

static void by_role(void **state)
{
    (void)state;
    NEED_LAB();
    write_cluster(CLUSTER, "first.tar");
    OWN_ROUND struct round r;
    round_start(&r);
    OK(missing_check(&r.f));
    assert_null(r.f.at[0].missing); /* nobody was asked */
    OK(fleet_each(&r.f, install_one));
    const struct bundle *b = r.x.bundles[0];
    uint64_t most = (uint64_t)doc_int(bundle_release(b), "predicate.totals.seedBytesPerNode", 0);
    assert_int_equal(bytes_on(b, 2), most); /* it has both roles */
    for (size_t i = 0; i < CLUSTER; i++) {
        OWN_STRS struct strs trees = names_in(i, "var/lib/caisson/tree"), blobs = names_in(i, "var/lib/runtime/blobs");
        bool brain = i != 1, field = i != 0;
        assert_int_equal(trees.n, 2 + brain + field);
        assert_int_equal(blobs.n, brain ? 7 : 4); /* manifest, config, two layers; the shared layer once */
        assert_true(strs_has(&trees, package(&r.x, "tool")));
        assert_int_equal(strs_has(&trees, package(&r.x, "brain")), brain);
        assert_int_equal(strs_has(&trees, package(&r.x, "field")), field);
        assert_true(bytes_on(b, i) <= most);
        assert_int_equal(sent(&r, lab.names[i], "send package"), 2 + brain + field);
        assert_int_equal(sent(&r, lab.names[i], brain ? "import 2 images" : "import 1 images"), 1);
    }
}

static void nothing_twice(void **state)
{
    (void)state;
    NEED_LAB();
    OWN_ROUND struct round r;
    round_start(&r);
    OK(fleet_each(&r.f, install_one));
    assert_int_equal(r.sink.sent.n, 0);
}

static void only_what_changed(void **state)
{
    (void)state;
    NEED_LAB();
    build("second.tar", "#!/bin/sh\necho second\n", "of pause");
    write_cluster(CLUSTER, "second.tar");
    OWN_ROUND struct round r;
    round_start(&r);
    OK(fleet_each(&r.f, install_one));
    assert_int_equal(r.sink.sent.n, CLUSTER);
    for (size_t i = 0; i < CLUSTER; i++)
        assert_int_equal(sent(&r, lab.names[i], "send package tool"), 1);
}

/* Another package's bytes under a digest: the node itself refuses, and keeps nothing of them. */
static struct err *produce_other(void *self, int fd)
{
    const struct context *x = self;
    return bundle_copy(x->bundles[0], package(x, "tool"), fd);
}

static void a_wrong_digest(void **state)
{
    (void)state;
    NEED_LAB();
    static const char digest[] = "00000000000000000000000000000000000000000000000000000000000000ff";
    OWN_ROUND struct round r;
    uint64_t size = 0;
    round_start(&r);
    assert_true(bundle_blob(r.x.bundles[0], package(&r.x, "tool"), &size));
    struct doc *args = doc_new_map();
    doc_set_text(args, "digest", digest);
    doc_set_int(args, "size", (int64_t)size);
    doc_set_int(args, "rawMax", 1 << 20);
    struct wire_body body = {.produce = produce_other, .arg = &r.x};
    FAILS(ERR_UNTRUSTED, "digest is", node_send(NULL, r.f.at[1].node, "tree.put", args, &body, NULL));
    OWN_FREE char *path = machines_path(&lab, 1, "var/lib/caisson/tree");
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        assert_true(str_is_sha256(e->d_name) || str_eq(e->d_name, ".") || str_eq(e->d_name, ".."));
    (void)closedir(d);
    OWN_STRS struct strs trees = names_in(1, "var/lib/caisson/tree");
    assert_false(strs_has(&trees, digest));
}

/* ---- the list ---- */

static struct doc *list_held(const char *save_as)
{
    struct doc *d = NULL, *parsed = NULL;
    OWN_BUF struct buf text = {0};
    OWN_FREE char *file = check_path(shop.folder, "cluster.yaml");
    OK(ops_held(&d, &(struct run){.file = file}));
    OK(doc_json_write(&text, d));
    OK(held_parse(&parsed, "list", &text));
    assert_true(doc_equal(d, parsed));
    doc_free(parsed);
    OK(buf_str(&text, "\n"));
    check_write(shop.folder, save_as, text.at, text.len);
    return d;
}

/* The roles whose hosts hold it, as "control-plane worker". */
static void holds(const struct doc *list, const char *key, const char *name, const char *roles)
{
    OWN_BUF struct buf text = {0};
    const struct doc *found = NULL;
    DOC_EACH (v, doc_get(list, key))
        if (str_eq(doc_text(v, "name"), name))
            found = v;
    DOC_EACH (r, doc_get(found, "role"))
        OK(buf_fmt(&text, "%s%s", text.len ? " " : "", r->text));
    assert_string_equal(buf_text(&text), roles);
}

static void rename_on(size_t machine, const char *from, const char *to)
{
    OWN_FREE char *a = machines_path(&lab, machine, from), *b = machines_path(&lab, machine, to);
    assert_int_equal(rename(a, b), 0);
}

static void what_all_hold(void **state)
{
    (void)state;
    NEED_LAB();
    OWN_DOC struct doc *all = list_held("held.json");
    assert_string_equal(doc_text(all, "cluster"), "plant");
    holds(all, "packages", "brain", "control-plane");
    holds(all, "packages", "field", "worker");
    holds(all, "packages", "tool", "control-plane worker");
    holds(all, "images", "registry.example/brain:1.0.0", "control-plane");
    holds(all, "images", "registry.example/pause:3.1.0", "control-plane worker");
    DOC_EACH (i, doc_get(all, "images"))
        assert_int_equal(doc_len(doc_get(i, "blobs")), 4);
}

/* The node's record alone proves nothing: a package, a blob of an image, a name that the runtime lost. */
static void what_one_lacks(void **state)
{
    (void)state;
    NEED_LAB();
    static const char blobs[] = "var/lib/runtime/blobs", names[] = "var/lib/runtime/names";
    OWN_STRS struct strs on = names_in(1, blobs);
    OWN_FREE char *blob = str_fmt("%s/%s", blobs, on.at[0]);
    rename_on(1, blob, "kept");
    OWN_DOC struct doc *without_blob = list_held("x.json");
    holds(without_blob, "images", "registry.example/pause:3.1.0", "control-plane");
    rename_on(1, "kept", blob);
    rename_on(1, names, "kept");
    OWN_DOC struct doc *without_name = list_held("x.json");
    holds(without_name, "images", "registry.example/pause:3.1.0", "control-plane");
    rename_on(1, "kept", names);
    OWN_ROUND struct round r;
    round_start(&r);
    OWN_FREE char *tree = str_fmt("var/lib/caisson/tree/%s", package(&r.x, "tool"));
    rename_on(0, tree, "kept");
    OWN_DOC struct doc *without_tree = list_held("x.json");
    holds(without_tree, "packages", "tool", "worker");
    rename_on(0, "kept", tree);
    machines_set(&lab, 1, "refuse");
    struct doc *none = NULL;
    FAILS(ERR_REFUSED, lab.names[1], ops_held(&none, &(struct run){.file = r.file}));
    assert_null(none);
    machines_set(&lab, 1, "");
}

/* ---- deltas by it ---- */

static void make_delta(const char *out, const char *base, const char *other)
{
    OWN_DOC struct doc *d = NULL;
    OWN_FREE char *file = check_path(shop.folder, "third.tar"), *to = check_path(shop.folder, out);
    OWN_FREE char *a = check_path(shop.folder, base), *b = other ? check_path(shop.folder, other) : NULL;
    const char *const bases[] = {a, b}, *const trust[] = {shop.pub};
    const struct delta_opts o = {
        .file = file, .out = to, .bases = bases, .n_bases = other ? 2 : 1, .trust = trust, .n_trust = 1};
    OK(bundle_delta(&d, &o, NULL, NULL));
}

static struct bundle *open_delta(const char *name)
{
    struct bundle *b = NULL;
    OWN_FREE char *path = check_path(shop.folder, name);
    const char *const trust[] = {shop.pub};
    OK(bundle_open_delta(&b, path, trust, 1));
    OK(bundle_verify(b, NULL, NULL));
    return b;
}

static size_t lacks(const struct bundle *b)
{
    size_t n = 0;
    DOC_EACH (m, doc_path(bundle_release(b), "predicate.members"))
        n += !bundle_blob(b, doc_text(m, "digest"), NULL);
    return n;
}

/* Without four packages and a layer of brain: the layer that brain and the new pause share stays, and all that people
 * read. */
static void a_delta_by_the_list(void **state)
{
    (void)state;
    NEED_LAB();
    build("third.tar", "#!/bin/sh\necho second\n", "of another pause");
    make_delta("delta.tar", "held.json", NULL);
    OWN_BUNDLE struct bundle *b = open_delta("delta.tar");
    assert_int_equal(lacks(b), 5);
    const char *lack = NULL;
    OK(bundle_image_lack(&lack, b, "registry.example/pause:3.1.0"));
    assert_null(lack);
    OK(bundle_image_lack(&lack, b, "registry.example/brain:1.0.0"));
    assert_non_null(lack);
    DOC_EACH (c, doc_path(bundle_release(b), "predicate.components")) {
        assert_true(bundle_blob(b, doc_text(c, "definition.digest"), NULL));
        DOC_EACH (a, doc_get(c, "artifacts"))
            assert_false(bundle_blob(b, doc_text(a, "digest"), NULL));
        DOC_EACH (i, doc_get(c, "images"))
            assert_true(bundle_blob(b, doc_text(i, "manifestDigest"), NULL));
    }
}

/* Several lists: what all clusters have. A list and a bundle: what either has. */
static void lists_and_bundles(void **state)
{
    (void)state;
    NEED_LAB();
    static const char nothing[] = "{\"cluster\":\"empty\",\"images\":[],\"packages\":[],\"schema\":1}";
    check_write(shop.folder, "nothing.json", nothing, strlen(nothing));
    make_delta("both.tar", "held.json", "nothing.json");
    OWN_BUNDLE struct bundle *none = open_delta("both.tar");
    assert_int_equal(lacks(none), 0);
    make_delta("old.tar", "second.tar", NULL);
    make_delta("both.tar", "held.json", "second.tar");
    OWN_BUNDLE struct bundle *old = open_delta("old.tar"), *both = open_delta("both.tar");
    assert_true(lacks(old) > 5);
    assert_int_equal(lacks(both), lacks(old)); /* the list names nothing that the bundle has not */
}

/* A host that has nothing is found before anything is done to any host. */
static void who_lacks_is_named(void **state)
{
    (void)state;
    NEED_LAB();
    write_cluster(MACHINES, "delta.tar");
    OWN_ROUND struct round r;
    round_start(&r);
    struct err *e = missing_check(&r.f);
    for (size_t i = 0; i < CLUSTER; i++)
        assert_int_equal(doc_len(r.f.at[i].missing), 0);
    assert_int_equal(doc_len(r.f.at[CLUSTER].missing), 3); /* it is a worker */
    assert_true(e && strstr(err_text(e), lab.names[CLUSTER]) && strstr(err_text(e), package(&r.x, "tool")) &&
                strstr(err_text(e), "package runtime") && strstr(err_hint_text(e), "caisson bundle join"));
    FAILS(ERR_UNTRUSTED, "E_MISSING: 1 host needs", e);
    struct doc *report = NULL;
    const struct run run = {.file = r.file, .events = &r.events};
    FAILS(ERR_UNTRUSTED, "E_MISSING", ops_plan(&report, &run));
    FAILS(ERR_UNTRUSTED, "E_MISSING", ops_apply(&report, &run));
    assert_int_equal(r.sink.sent.n, 0);
    OWN_STRS struct strs trees = names_in(CLUSTER, "var/lib/caisson/tree");
    assert_int_equal(trees.n, 0);
}

static const char *result_of(const struct doc *report, const char *host, const char *check)
{
    const struct doc *h = doc_find(doc_get(report, "hosts"), "host", host);
    return doc_text(doc_find(doc_get(h, "checks"), "id", check), "result");
}

static void preflight_says_so(void **state)
{
    (void)state;
    NEED_LAB();
    OWN_FREE char *file = check_path(shop.folder, "cluster.yaml");
    OWN_DOC struct doc *report = NULL;
    FAILS(ERR_REFUSED, "failed", ops_preflight(&report, &(struct run){.file = file})); /* one machine in all of them */
    assert_string_equal(result_of(report, lab.names[0], "delta"), "pass");
    assert_string_equal(result_of(report, lab.names[CLUSTER], "delta"), "fail");
}

/* An image of which one host lost the record has to be sent again, and is in the delta or not. */
static void an_image_is_lacking(void **state)
{
    (void)state;
    NEED_LAB();
    write_cluster(CLUSTER, "delta.tar");
    rename_on(0, "var/lib/caisson/images", "kept");
    OWN_ROUND struct round r;
    round_start(&r);
    struct err *e = missing_check(&r.f);
    assert_true(e && strstr(err_text(e), "m2: image registry.example/brain:1.0.0 sha256:") &&
                !strstr(err_text(e), "pause"));
    FAILS(ERR_UNTRUSTED, "E_MISSING: 1 host needs", e);
    rename_on(0, "kept", "var/lib/caisson/images");
}

static void a_delta_is_installed(void **state)
{
    (void)state;
    NEED_LAB();
    write_cluster(CLUSTER, "delta.tar");
    OWN_ROUND struct round r;
    round_start(&r);
    OK(missing_check(&r.f));
    OK(fleet_each(&r.f, install_one));
    assert_int_equal(r.sink.sent.n, CLUSTER); /* the image, once a host */
    OWN_ROUND struct round again;
    round_start(&again);
    for (size_t i = 0; i < CLUSTER; i++)
        assert_int_equal(doc_int(again.f.at[i].diff, "changes", -1), 0);
    OWN_DOC struct doc *now = list_held("x.json"); /* layers that the delta does not have are on the machines */
    holds(now, "images", "registry.example/brain:1.0.0", "control-plane");
    holds(now, "images", "registry.example/pause:3.1.0", "control-plane worker");
}

/* What is left out against a bundle is more than a planner can do without. */
static void a_delta_without_definitions(void **state)
{
    (void)state;
    NEED_LAB();
    write_cluster(CLUSTER, "old.tar");
    OWN_FREE char *file = check_path(shop.folder, "cluster.yaml");
    struct doc *report = NULL;
    struct err *e = ops_plan(&report, &(struct run){.file = file});
    assert_true(e && strstr(err_text(e), "component brain") && strstr(err_hint_text(e), "caisson bundle join"));
    FAILS(ERR_UNTRUSTED, "old.tar: E_MISSING: the delta was made without sha256:", e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_role),
        cmocka_unit_test(nothing_twice),
        cmocka_unit_test(only_what_changed),
        cmocka_unit_test(a_wrong_digest),
        cmocka_unit_test(what_all_hold),
        cmocka_unit_test(what_one_lacks),
        cmocka_unit_test(a_delta_by_the_list),
        cmocka_unit_test(lists_and_bundles),
        cmocka_unit_test(who_lacks_is_named),
        cmocka_unit_test(preflight_says_so),
        cmocka_unit_test(an_image_is_lacking),
        cmocka_unit_test(a_delta_is_installed),
        cmocka_unit_test(a_delta_without_definitions),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
