#include "wire/floor.h"

#include "base/clock.h"
#include "doc/schema.h"

#include <stdio.h>
#include <string.h>

/* ---- the form ---- */

static struct err *check_count(const struct doc *v)
{
    return v->num >= 0 ? NULL : err_new(ERR_UNTRUSTED, "%s is negative", v->key);
}

static struct err *check_time(const struct doc *v)
{
    int64_t t;
    return clock_parse(v->text, &t) ? NULL : err_new(ERR_UNTRUSTED, "%s \"%s\" is not a time", v->key, v->text);
}

static const struct field position_fields[] = {{"epoch", DOC_INT, .required = true, .check = check_count},
                                               {"sequence", DOC_INT, .required = true, .check = check_count},
                                               {"*"},
                                               {0}};
static const struct field record_fields[] = {{"product", DOC_STRING, .required = true},
                                             {"profile", DOC_STRING, .required = true},
                                             {"channel", DOC_STRING, .required = true},
                                             {"version", DOC_STRING, .required = true},
                                             {"epoch", DOC_INT, .required = true, .check = check_count},
                                             {"sequence", DOC_INT, .required = true, .check = check_count},
                                             {"digest", DOC_STRING, .required = true},
                                             {"root", DOC_INT, .required = true},
                                             {"issued", DOC_STRING, .required = true, .check = check_time},
                                             {"rollbackTo", DOC_LIST, .required = true, .map = position_fields},
                                             {"kubernetes", DOC_STRING},
                                             {"*"},
                                             {0}};

static const struct field map_fields[] = {{"*", DOC_MAP, .map = record_fields}, {0}};

static void name_of(char ret[160], const struct doc *like)
{
    const char *product = doc_text(like, "product"), *profile = doc_text(like, "profile");
    (void)snprintf(ret, 160, "%s/%s", product ? product : "", profile ? profile : "");
}

struct err *floor_check_form(const struct doc *map)
{
    if (map->kind != DOC_MAP)
        return err_new(ERR_UNTRUSTED, "the record of releases is no map");
    TRY_CTX(err_as(schema_check(map, map_fields), ERR_UNTRUSTED), "record of releases");
    DOC_EACH (v, map)
        if (floor_find(map, v) != v)
            return err_new(ERR_UNTRUSTED, "record of releases: \"%s\" is in the wrong place", v->key);
    return NULL;
}

const struct doc *floor_find(const struct doc *map, const struct doc *like)
{
    char name[160];
    name_of(name, like);
    return doc_get(map, name);
}

void floor_position(char ret[48], const struct doc *record)
{
    (void)snprintf(ret, 48, "%lld.%lld", (long long)doc_int(record, "epoch", 0),
                   (long long)doc_int(record, "sequence", 0));
}

/* Epoch first: a new one makes sequences of the old one meaningless. */
int floor_compare(const struct doc *a, const struct doc *b)
{
    static const char *const keys[] = {"epoch", "sequence"};
    for (size_t i = 0; i < 2; i++) {
        int64_t x = doc_int(a, keys[i], 0), y = doc_int(b, keys[i], 0);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static int64_t time_of(const struct doc *record)
{
    int64_t t = 0;
    return clock_parse(doc_text(record, "issued"), &t) ? t : 0;
}

int64_t floor_newest(const struct doc *map)
{
    int64_t newest = 0;
    DOC_EACH (v, map)
        newest = time_of(v) > newest ? time_of(v) : newest;
    return newest;
}

/* ---- the rules ---- */

static bool lists(const struct doc *positions, const struct doc *record)
{
    DOC_EACH (v, positions)
        if (floor_compare(v, record) == 0)
            return true;
    return false;
}

/* The way out is the operator's word, and before it that of the publisher. */
static struct err *rollback(const struct doc *seen, const struct doc *next)
{
    char from[48], to[48];
    floor_position(from, seen);
    floor_position(to, next);
    struct err *e = err_new(ERR_UNTRUSTED, "E_ROLLBACK: release %s of %s/%s is older than %s, which was there before",
                            to, doc_text(next, "product"), doc_text(next, "profile"), from);
    if (lists(doc_get(seen, "rollbackTo"), next))
        return err_hint(e, "release %s allows it: when you want it back, --allow-rollback %s", from, to);
    return err_hint(e, "use %s or a newer one; release %s does not name %s as one to go back to", from, from, to);
}

static struct err *check_down(const struct doc *seen, const struct doc *next, const struct doc *allow)
{
    if (lists(allow, next) && lists(doc_get(seen, "rollbackTo"), next))
        return NULL;
    return rollback(seen, next);
}

static struct err *check_same(const struct doc *seen, const struct doc *next)
{
    char at[48];
    floor_position(at, next);
    if (str_eq(doc_text(seen, "digest"), doc_text(next, "digest")))
        return NULL;
    return err_hint(
        err_new(ERR_UNTRUSTED, "E_ROLLBACK: another release %s of %s/%s than the one seen before, %.19s", at,
                doc_text(next, "product"), doc_text(next, "profile"), doc_text(seen, "digest")),
        "each release has a sequence of its own: its publisher gives it the next one (`caisson bundle build "
        "--sequence N`)");
}

static struct err *check_near(const struct doc *seen, const struct doc *next)
{
    int64_t far = doc_int(next, "sequence", 0) - doc_int(seen, "sequence", 0);
    if (doc_int(seen, "epoch", 0) < doc_int(next, "epoch", 0) || far <= FLOOR_STEP_MAX)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_FASTFORWARD: sequence %s of %s/%s is more than %d above %s, the last one",
                            doc_text(next, "sequence"), doc_text(next, "product"), doc_text(next, "profile"),
                            FLOOR_STEP_MAX, doc_text(seen, "sequence")),
                    "ask the publisher: a stolen key may have made it; an honest jump comes with a new epoch");
}

/* Keys are the product's: what was withdrawn from a release is withdrawn from its add-ons too. */
static int64_t highest_root(const struct doc *map, const char *product)
{
    int64_t highest = 0;
    DOC_EACH (v, map)
        if (str_eq(doc_text(v, "product"), product) && doc_int(v, "root", 0) > highest)
            highest = doc_int(v, "root", 0);
    return highest;
}

struct err *floor_check_root(const struct doc *map, const struct doc *next)
{
    const char *product = doc_text(next, "product");
    int64_t highest = highest_root(map, product);
    if (doc_int(next, "root", 0) >= highest)
        return NULL;
    return err_hint(err_new(ERR_UNTRUSTED, "E_ROOT_CHAIN: it ends with root document %s of %s; document %lld was seen",
                            doc_text(next, "root"), product, (long long)highest),
                    "ask its publisher for the same release with all root documents");
}

struct err *floor_check_not_back(const struct doc *map, const struct doc *next, const struct doc *allow)
{
    const struct doc *seen = floor_find(map, next);
    TRY(floor_check_root(map, next));
    int way = seen ? floor_compare(next, seen) : 1;
    return way < 0 ? check_down(seen, next, allow) : way == 0 ? check_same(seen, next) : NULL;
}

struct err *floor_check(const struct doc *map, const struct doc *next, const struct doc *allow)
{
    const struct doc *seen = floor_find(map, next);
    TRY(floor_check_not_back(map, next, allow));
    return seen ? check_near(seen, next) : NULL;
}

/* ---- what is remembered then ---- */

/* Times only grow. */
static void keep_newest(struct doc *record, const struct doc *other)
{
    if (time_of(other) > time_of(record))
        doc_set_text(record, "issued", doc_text(other, "issued"));
}

/* Root versions only grow, and with one record those of all of the product. */
static int64_t root_with(const struct doc *map, const struct doc *record)
{
    int64_t highest = highest_root(map, doc_text(record, "product")), own = doc_int(record, "root", 0);
    return own > highest ? own : highest;
}

static void share_root(struct doc *map, const char *product, int64_t root)
{
    DOC_EACH (v, map)
        if (str_eq(doc_text(v, "product"), product))
            doc_set_int(v, "root", root);
}

bool floor_is_same(const struct doc *seen, const struct doc *next)
{
    return seen && floor_compare(seen, next) == 0 && str_eq(doc_text(seen, "digest"), doc_text(next, "digest")) &&
           doc_int(seen, "root", 0) >= doc_int(next, "root", 0);
}

void floor_set(struct doc *map, const struct doc *next)
{
    char name[160];
    struct doc *record = doc_clone(next);
    const struct doc *seen = floor_find(map, next);
    int64_t root = root_with(map, next);
    if (seen)
        keep_newest(record, seen);
    name_of(name, next);
    doc_set(map, name, record);
    share_root(map, doc_text(next, "product"), root);
}

struct err *floor_merge(struct doc *map, const struct doc *more)
{
    DOC_EACH (v, more) {
        struct doc *seen = doc_get(map, v->key);
        int way = seen ? floor_compare(v, seen) : 1;
        if (way == 0)
            TRY(check_same(seen, v));
        if (way > 0)
            floor_set(map, v);
        else {
            keep_newest(seen, v);
            share_root(map, doc_text(v, "product"), root_with(map, v));
        }
    }
    return NULL;
}
