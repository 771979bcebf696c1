/* The trust store: killed anywhere it is whole, the root document never goes back, and the highest release stays. */
#include "supply/kill.h"
#include "supply/workshop.h"

#include "base/clock.h"
#include "crypt/digest.h"
#include "ops/pins.h"
#include "wire/floor.h"

#include <sys/stat.h>

struct store {
    struct workshop shop;
    char *chain, *root_path, *state_path;
    struct bundle *old, *new; /* the same release, with one and with two root documents */
};

static struct bundle *build(struct store *s, const char *name, uint64_t sequence)
{
    struct build_result result;
    struct bundle *b = NULL;
    OWN_FREE char *out = check_path(s->shop.folder, name), *trust = check_path(s->chain, "0001/root.json");
    const char *const files[] = {trust};
    s->shop.opts.out = out;
    s->shop.opts.root = s->chain;
    s->shop.opts.sequence = sequence;
    OK(bundle_build(&result, &s->shop.opts, NULL, NULL));
    OK(bundle_open(&b, out, files, 1));
    return b;
}

static void sign(struct store *s)
{
    OWN_KEY struct key *key = NULL;
    OK(keys_load(&key, s->shop.opts.key, NULL));
    OK(chain_sign(s->chain, key));
}

static struct store store_new(void)
{
    struct store s = {.shop = workshop_new()};
    s.chain = check_path(s.shop.folder, "chain");
    OWN_FREE char *pub = check_path(s.shop.folder, "release.pub");
    const char *const keys[] = {pub};
    struct chain_change change = {.epoch = -1, .root = {keys, 1, 0}, .release = {keys, 1, 0}}, none = {.epoch = -1};
    OK(chain_create(s.chain, &change));
    sign(&s);
    s.old = build(&s, "old.tar", 7);
    OK(chain_rotate(s.chain, &none));
    sign(&s);
    s.new = build(&s, "new.tar", 8);
    assert_int_equal(setenv("XDG_CONFIG_HOME", s.shop.folder, 1), 0);
    s.root_path = check_path(s.shop.folder, "caisson/trust/caisson/root.json");
    s.state_path = check_path(s.shop.folder, "caisson/trust/caisson/state.json");
    return s;
}

static void store_done(struct store *s)
{
    bundle_free(s->old);
    bundle_free(s->new);
    free(s->chain);
    free(s->root_path);
    free(s->state_path);
    workshop_done(&s->shop);
}
#define OWN_STORE OWN(store_done)

static void pin(const struct store *s, const char *name)
{
    OWN_CHAIN struct chain c = {0};
    OWN_FREE char *path = check_path(s->shop.folder, name);
    OK(chain_of_file(&c, path));
    OK(pins_put(&c, true));
}

static struct doc *floors_of(const struct bundle *b)
{
    const struct doc *p = doc_get(bundle_release(b), "predicate");
    OWN_DOC struct doc *r = doc_new_map();
    static const char *const copied[] = {"product", "profile",  "channel", "version",
                                         "epoch",   "sequence", "issued",  "rollbackTo"};
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        doc_set(r, copied[i], doc_clone(doc_get(p, copied[i])));
    doc_set_text(r, "digest", bundle_digest(b));
    doc_set_int(r, "root", doc_int(bundle_root(b), "version", 0));
    struct doc *map = doc_new_map();
    floor_set(map, r);
    return map;
}

static struct doc *load(const char *path)
{
    OWN_BUF struct buf text = {0};
    struct doc *d = NULL;
    OK(file_read(&text, AT_FDCWD, path));
    OK(doc_json(&d, path, text.at, text.len));
    return d;
}

static void accept(const struct bundle *b)
{
    OWN_DOC struct doc *floors = floors_of(b);
    OK(pins_accept(b, floors));
}

static void only_forward(void **state)
{
    (void)state;
    OWN_STORE struct store s = store_new();
    OWN_STRS struct strs files = {0}, none = {0};
    OWN_CHAIN struct chain older = {0}, newer = {0};
    enum pins_result is = PINS_SAME;
    struct stat st;
    OWN_FREE char *old = check_path(s.shop.folder, "old.tar"), *new = check_path(s.shop.folder, "new.tar");
    OK(chain_of_file(&older, old));
    OK(chain_of_file(&newer, new));
    FAILS(ERR_USAGE, "no publisher is trusted", pins_files(&files, NULL));
    OK(pins_look(&is, &older));
    assert_int_equal(is, PINS_NEW);
    pin(&s, "old.tar");
    OK(pins_look(&is, &older));
    assert_int_equal(is, PINS_SAME);
    OK(pins_look(&is, &newer));
    assert_int_equal(is, PINS_NEXT);
    OK(pins_files(&files, NULL));
    assert_string_equal(files.at[0], s.root_path);
    FAILS(ERR_USAGE, "no publisher of product other", pins_files(&none, "other"));
    accept(s.new);
    accept(s.old); /* another cluster may still have it: nothing is lowered */
    OWN_DOC struct doc *root = load(s.root_path), *seen = load(s.state_path);
    assert_int_equal(doc_int(root, "version", 0), 2);
    assert_int_equal(doc_int(seen, "root", 0), 2);
    assert_int_equal(doc_int(doc_get(doc_get(seen, "floors"), "caisson/tiny"), "sequence", 0), 8);
    int64_t newest = 0, issued = 1;
    OK(pins_newest(&newest));
    assert_true(clock_parse(doc_text(bundle_release(s.new), "predicate.issued"), &issued));
    assert_int_equal(newest, issued);
    FAILS(ERR_UNTRUSTED, "E_ROOT_CHAIN: root document 2 of caisson is pinned; this ends with 1",
          pins_look(&is, &older));
    assert_int_equal(unlink(s.root_path), 0); /* nor is it lowered by way of a pin that is lost */
    FAILS(ERR_UNTRUSTED, "E_ROOT_CHAIN: this ends with root document 1 of caisson; 2 was seen before",
          pins_put(&older, true));
    FAILS(ERR_REFUSED, "what was pinned of caisson has gone meanwhile", pins_put(&newer, false));
    OK(pins_put(&newer, true));
    OK(pins_put(&newer, false));
    assert_int_equal(stat(s.state_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(s.root_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* Between the look and the writing somebody deleted the pin and took another publisher's. */
static void another_pin_meanwhile(void **state)
{
    (void)state;
    OWN_STORE struct store s = store_new();
    OWN_CHAIN struct chain ours = {0};
    OWN_FREE char *old = check_path(s.shop.folder, "old.tar"), *theirs = check_path(s.shop.folder, "theirs"),
                  *pub = check_path(s.shop.folder, "release.pub");
    const char *const keys[] = {pub};
    const struct chain_change change = {.epoch = 3, .root = {keys, 1, 0}, .release = {keys, 1, 0}};
    OK(chain_of_file(&ours, old));
    OK(chain_create(theirs, &change));
    pin(&s, "theirs/0001/root.json");
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN: another root document of caisson is pinned", pins_put(&ours, true));
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN: another root document of caisson is pinned", pins_accept(s.old, NULL));
    FAILS(ERR_UNTRUSTED, "E_ROOT_PIN: another root document of caisson is pinned", pins_accept(s.new, NULL));
    OWN_DOC struct doc *root = load(s.root_path);
    assert_int_equal(doc_int(root, "epoch", 0), 3);
}

/* ---- killed anywhere ---- */

static void use(void *arg)
{
    struct store *s = arg;
    for (int i = 0; i < 4; i++)
        accept(i % 2 ? s->old : s->new);
}

/* Both files are whole, what was there is not lost, and the state never knows a newer document than the one there is.
 */
static void whole(void *arg)
{
    struct store *s = arg;
    OWN_STRS struct strs files = {0};
    OWN_DOC struct doc *root = load(s->root_path), *seen = load(s->state_path), *floors = NULL;
    OK(pins_files(&files, "caisson"));
    OK(pins_floors(&floors, "caisson"));
    int64_t sequence = doc_int(doc_get(floors, "caisson/tiny"), "sequence", 0);
    assert_true(sequence >= 7 && sequence <= 8);
    assert_true(doc_int(root, "version", 0) >= doc_int(seen, "root", 0));
    if (sequence == 7) /* it was killed before the first one: begin again from there */
        return;
    OK(unlink(s->state_path) == 0 ? NULL : err_new(ERR_FAILED, "unlink"));
    OK(unlink(s->root_path) == 0 ? NULL : err_new(ERR_FAILED, "unlink"));
    pin(s, "old.tar");
    accept(s->old);
}

static void killed_anywhere(void **state)
{
    (void)state;
    OWN_STORE struct store s = store_new();
    pin(&s, "old.tar");
    accept(s.old);
    kill_everywhere(use, whole, &s, 60);
    accept(s.new); /* the run after it ends like any other */
    OWN_DOC struct doc *root = load(s.root_path);
    assert_int_equal(doc_int(root, "version", 0), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_forward), cmocka_unit_test(another_pin_meanwhile),
                                       cmocka_unit_test(killed_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
