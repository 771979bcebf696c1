#include "ops/memory.h"

#include "base/clock.h"
#include "base/file.h"
#include "ops/pins.h"
#include "wire/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { CLOCK_SLACK_S = 300 };

/* Whether the trust store has a word in it. */
static bool is_pinned(const struct context *x)
{
    return x->cluster->trust.n == 0;
}

/* ---- here ---- */

static struct err *path_of(char **ret, const struct context *x)
{
    *ret = cluster_path(x->cluster, ".caisson/floors.json");
    return *ret ? NULL : err_os(ENOMEM, "floors.json");
}

static struct err *read_floors(struct doc **ret, const char *path)
{
    OWN_BUF struct buf text = {.max = FLOOR_BYTES_MAX};
    TRY(file_read(&text, AT_FDCWD, path));
    struct err *e = doc_json(ret, path, text.at, text.len);
    if (!e)
        e = floor_check_form(*ret);
    return err_hint(err_as(err_wrap(e, "%s", path), ERR_FAILED),
                    "delete it: the control-plane nodes remember the same, and apply writes it again");
}

struct err *memory_load(struct context *x)
{
    OWN_FREE char *path = NULL;
    TRY(path_of(&path, x));
    struct err *e = read_floors(&x->floors, path);
    if (!e || err_errno(e) != ENOENT)
        return e;
    err_free(e);
    x->floors = doc_new_map();
    return NULL;
}

struct err *memory_forget(const struct context *x)
{
    OWN_FREE char *path = NULL;
    TRY(path_of(&path, x));
    if (unlink(path) < 0)
        return errno == ENOENT ? NULL : err_os(errno, "delete %s", path);
    return file_sync_parent(AT_FDCWD, path);
}

static struct err *write_floors(const struct context *x, const struct doc *floors)
{
    OWN_FREE char *path = NULL, *dir = cluster_path(x->cluster, ".caisson");
    OWN_BUF struct buf text = {0};
    TRY(path_of(&path, x));
    TRY(dir ? file_mkdirs(AT_FDCWD, dir, 0700) : err_os(ENOMEM, "floors.json"));
    TRY(doc_json_write(&text, floors));
    return file_replace(AT_FDCWD, path, text.at, text.len, 0600);
}

/* ---- time ---- */

static struct err *behind(int64_t newest, int64_t clock)
{
    char issued[32], today[32];
    clock_rfc3339(issued, newest);
    clock_rfc3339(today, clock);
    return err_hint(err_new(ERR_UNTRUSTED,
                            "E_CLOCK: a release that was here before was issued at %s, and here it is %s", issued,
                            today),
                    "set this machine's clock");
}

struct err *memory_now(struct context *x)
{
    int64_t clock = clock_wall_s(), newest = floor_newest(x->floors), elsewhere = 0;
    if (is_pinned(x))
        TRY(pins_newest(&elsewhere));
    newest = elsewhere > newest ? elsewhere : newest;
    if (x->now && newest <= x->now) /* was said */
        return NULL;
    x->now = newest > clock ? newest : clock;
    if (newest <= clock + CLOCK_SLACK_S)
        return NULL;
    struct err *e = behind(newest, clock);
    if (x->enforce_dates)
        return e;
    event_emit(x->events, EVENT_NOTE, NULL, "warning: %s", err_text(e));
    err_free(e); /* was said */
    return NULL;
}

/* Nobody can renew in time who is off the net: what has expired is said, and refused only when that was asked for. */
struct err *memory_dates(const struct context *x, const struct bundle *b)
{
    OWN_STRS struct strs warnings = {0};
    TRY(bundle_dates(b, x->now, x->enforce_dates ? NULL : &warnings));
    for (size_t i = 0; i < warnings.n; i++)
        event_emit(x->events, EVENT_NOTE, NULL, "warning: %s", warnings.at[i]);
    return NULL;
}

/* The same of all bundles once more, when the nodes know of a later time than was known here. */
static struct err *dates_again(struct context *x)
{
    int64_t before = x->now;
    TRY(memory_now(x));
    for (size_t i = 0; x->now > before && i < x->n_bundles; i++)
        TRY(memory_dates(x, x->bundles[i]));
    return NULL;
}

/* ---- what the bundles are to it ---- */

/* A time that is ahead of the clock is not remembered: every later release would be behind it. */
static void set_issued(struct doc *record, const struct doc *release)
{
    char text[32];
    int64_t at = 0, latest = clock_wall_s() + CLOCK_SLACK_S;
    (void)clock_parse(doc_text(release, "issued"), &at); /* the schema has checked it */
    clock_rfc3339(text, at < latest ? at : latest);
    doc_set_text(record, "issued", text);
}

static struct doc *record_of(const struct bundle *b)
{
    static const char *const copied[] = {"product", "profile", "channel", "version", "epoch", "sequence", "rollbackTo"};
    const struct doc *release = doc_get(bundle_release(b), "predicate");
    struct doc *r = doc_new_map();
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        doc_set(r, copied[i], doc_clone(doc_get(release, copied[i])));
    doc_set_fmt(r, "digest", "sha256:%s", bundle_digest(b));
    doc_set_int(r, "root", doc_int(bundle_root(b), "version", 0));
    set_issued(r, release);
    if (doc_text(release, "kubernetes.version"))
        doc_set_text(r, "kubernetes", doc_text(release, "kubernetes.version"));
    return r;
}

/* One profile is installed: what the record of another one says of Kubernetes is over then. */
static void forget_kubernetes(struct doc *map, const struct bundle *release)
{
    DOC_EACH (v, map)
        if (doc_get(doc_get(bundle_release(release), "predicate"), "kubernetes"))
            doc_remove(v, "kubernetes");
}

/* What will be remembered when all of this is installed. */
static struct doc *wanted(const struct context *x)
{
    struct doc *map = doc_clone(x->floors);
    if (x->n_bundles)
        forget_kubernetes(map, x->bundles[0]);
    for (size_t i = 0; i < x->n_bundles; i++) {
        OWN_DOC struct doc *next = record_of(x->bundles[i]);
        floor_set(map, next);
    }
    return map;
}

/* Of bundles that come together, too, the newest root document counts for all. */
struct err *memory_check(const struct context *x)
{
    OWN_DOC struct doc *will = wanted(x);
    for (size_t i = 0; i < x->n_bundles; i++) {
        OWN_DOC struct doc *next = record_of(x->bundles[i]);
        TRY_CTX(floor_check(x->floors, next, x->allow), "%s", bundle_path(x->bundles[i]));
        TRY_CTX(floor_check_root(will, next), "%s", bundle_path(x->bundles[i]));
    }
    return NULL;
}

/* ---- the trust store ---- */

/* Clusters are upgraded one after the other: what another one has binds only those that never had such a release. */
static struct err *check_elsewhere(const struct context *x)
{
    for (size_t i = 0; is_pinned(x) && i < x->n_bundles; i++) {
        OWN_DOC struct doc *next = record_of(x->bundles[i]), *floors = NULL;
        if (floor_find(x->floors, next))
            continue;
        TRY(pins_floors(&floors, doc_text(next, "product")));
        TRY_CTX(floor_check(floors, next, x->allow), "%s", bundle_path(x->bundles[i]));
    }
    return NULL;
}

static struct err *tell_store(const struct context *x)
{
    for (size_t i = 0; is_pinned(x) && i < x->n_bundles; i++) {
        OWN_DOC struct doc *installed = doc_new_map(), *record = record_of(x->bundles[i]);
        floor_set(installed, record);
        TRY(pins_accept(x->bundles[i], installed));
    }
    return NULL;
}

/* ---- the nodes ---- */

static const struct doc *floors_of(const struct member *m)
{
    return m->node ? doc_get(m->state, "floors") : NULL;
}

/* A worker that was a control-plane node still has its record. */
static bool remembers(const struct member *m)
{
    return m->node && (m->host->control_plane || doc_len(floors_of(m)));
}

/* Who said it that does not agree with `floors`: one of the first `n` hosts, or the file here. */
static const char *other_than(const struct doc *floors, const struct fleet *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct doc *theirs = floors_of(&f->at[i]);
        OWN_DOC struct doc *map = theirs ? doc_clone(theirs) : doc_new_map();
        struct err *differs = floor_merge(map, floors);
        err_ignore(differs); /* the caller has it */
        if (differs)
            return f->at[i].host->name;
    }
    return ".caisson/floors.json";
}

static struct err *merge(struct fleet *f, size_t i)
{
    const struct doc *floors = floors_of(&f->at[i]);
    const char *name = f->at[i].host->name;
    const char *damaged = doc_text(f->at[i].state, "floorsError");
    if (damaged)
        return err_hint(
            err_new(ERR_FAILED, "%s: %s", name, damaged),
            "delete that file on the host, if other control-plane hosts have theirs; apply writes it again");
    if (!floors)
        return NULL;
    TRY_CTX(err_as(floor_check_form(floors), ERR_FAILED), "%s", name);
    struct err *e = floor_merge(f->x->floors, floors);
    return err_hint(err_wrap(e, "%s and %s do not agree", e ? other_than(floors, f, i) : "", name),
                    "find out which of the two releases the cluster has, and delete the other record: "
                    "/var/lib/caisson/floors on a host, .caisson/floors.json here");
}

struct err *memory_ask(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++)
        TRY(merge(f, i));
    TRY(dates_again(f->x));
    TRY(memory_check(f->x));
    return check_elsewhere(f->x);
}

struct err *memory_accept(const struct context *x)
{
    for (size_t i = 0; is_pinned(x) && i < x->n_bundles; i++)
        TRY(pins_accept(x->bundles[i], NULL));
    return NULL;
}

static bool all_have(const struct fleet *f, const struct doc *record)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct member *m = &f->at[i];
        if (remembers(m) && !floor_is_same(floor_find(doc_get(m->state, "floors"), record), record))
            return false;
    }
    return true;
}

struct doc *memory_report(const struct fleet *f)
{
    OWN_DOC struct doc *will = wanted(f->x);
    struct doc *list = doc_new_list();
    DOC_EACH (v, will) {
        char at[48];
        const struct doc *seen = floor_find(f->x->floors, v);
        if (all_have(f, v))
            continue;
        struct doc *d = doc_add(list, doc_new_map());
        doc_set_text(d, "release", v->key);
        if (seen) {
            floor_position(at, seen);
            doc_set_text(d, "from", at);
        }
        floor_position(at, v);
        doc_set_text(d, "to", at);
    }
    return list;
}

static struct err *put(struct fleet *f, struct member *m)
{
    if (!remembers(m))
        return NULL;
    struct doc *args = doc_new_map();
    doc_set(args, "floors", wanted(f->x));
    if (f->x->allow)
        doc_set(args, "allow", doc_clone(f->x->allow));
    return node_call(NULL, m->node, "floor.put", args, NULL); /* a step: Ctrl-C counts behind it */
}

struct err *memory_keep(struct fleet *f)
{
    OWN_DOC struct doc *will = wanted(f->x), *changes = memory_report(f);
    DOC_EACH (v, changes)
        event_emit(f->x->events, EVENT_STEP, NULL, "remember release %s of %s", doc_text(v, "to"),
                   doc_text(v, "release"));
    if (changes->child)
        TRY(fleet_each(f, put));
    TRY(write_floors(f->x, will));
    return tell_store(f->x);
}
