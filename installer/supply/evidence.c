#include "supply/evidence.h"

#include "base/file.h"
#include "base/str.h"
#include "crypt/digest.h"
#include "doc/schema.h"
#include "pack/layer.h"
#include "supply/goinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Another number makes all notes anew: change it with what a note holds. */
enum { NOTE_SCHEMA = 3 };

static struct doc *pair_doc(const struct digest_pair *pair)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "sha256", pair->sha256);
    doc_set_text(d, "sha512", pair->sha512);
    doc_set_int(d, "size", (int64_t)pair->size);
    return d;
}

/* ---- notes: <cache>/evidence/<sha256>.json ---- */

static const struct field module_fields[] = {{"path", DOC_STRING, true}, {.key = "*", .kind = DOC_STRING}, {0}};
static const struct field setting_fields[] = {{"key", DOC_STRING, true}, {"value", DOC_STRING, true}, {0}};
static const struct field go_fields[] = {{"go", DOC_STRING, true},
                                         {.key = "path", .kind = DOC_STRING},
                                         {"modules", DOC_LIST, true, .map = module_fields},
                                         {"settings", DOC_LIST, true, .map = setting_fields},
                                         {0}};
static const struct field file_fields[] = {{"path", DOC_STRING, true},
                                           {.key = "link", .kind = DOC_STRING},
                                           {.key = "sha256", .kind = DOC_STRING},
                                           {.key = "sha512", .kind = DOC_STRING},
                                           {.key = "size", .kind = DOC_INT},
                                           {.key = "mode", .kind = DOC_INT},
                                           {.key = "elf", .kind = DOC_BOOL},
                                           {.key = "go", .kind = DOC_MAP, .map = go_fields},
                                           {0}};
static const struct field note_fields[] = {{"schema", DOC_INT, true},
                                           {"sha256", DOC_STRING, true},
                                           {"sha512", DOC_STRING, true},
                                           {"size", DOC_INT, true},
                                           {.key = "elf", .kind = DOC_BOOL},
                                           {.key = "go", .kind = DOC_MAP, .map = go_fields},
                                           {.key = "files", .kind = DOC_LIST, .map = file_fields},
                                           {0}};

static bool has_digests(const struct doc *d)
{
    const char *sha256 = doc_text(d, "sha256"), *sha512 = doc_text(d, "sha512");
    return sha256 && str_is_sha256(sha256) && sha512 && strlen(sha512) == DIGEST512_HEX - 1 &&
           strspn(sha512, "0123456789abcdef") == DIGEST512_HEX - 1 && doc_get(d, "size");
}

static struct err *parse_note(struct doc **ret, const char *note)
{
    OWN_BUF struct buf text = {0};
    TRY(file_read(&text, AT_FDCWD, note));
    TRY(doc_json(ret, note, text.at, text.len));
    return schema_check(*ret, note_fields);
}

/* A note that cannot be read, is another one's or not as it is written here is as good as none. */
static bool find_note(struct doc **ret, const char *note, const char *hex, bool layer)
{
    OWN_DOC struct doc *d = NULL;
    struct err *e = parse_note(&d, note);
    bool good = !e && doc_int(d, "schema", 0) == NOTE_SCHEMA && str_eq(doc_text(d, "sha256"), hex) && has_digests(d) &&
                layer == (doc_get(d, "files") != NULL);
    err_ignore(e); /* it is made again */
    if (good)
        DOC_EACH (file, doc_get(d, "files"))
            good = good && (doc_get(file, "link") || has_digests(file));
    if (good)
        *ret = TAKE(d);
    return good;
}

static struct err *write_note(const char *note, const struct doc *d)
{
    OWN_BUF struct buf text = {0};
    TRY(doc_json_write(&text, d));
    return file_replace(AT_FDCWD, note, text.at, text.len, 0644);
}

/* ---- looking ---- */

/* Checks the file's digest while both are made, and goes back to its beginning. */
static struct err *digest_checked(struct digest_pair *ret, int fd, const char *path, const char *hex)
{
    TRY_CTX(digest_pair_fd(ret, fd), "%s", path);
    if (strcmp(ret->sha256, hex) != 0)
        return err_hint(err_new(ERR_UNTRUSTED, "E_DIGEST: %s: sha256 is %s, wanted %s", path, ret->sha256, hex),
                        "the cache is damaged: delete the file and fill the cache again");
    return lseek(fd, 0, SEEK_SET) < 0 ? err_os(errno, "%s", path) : NULL;
}

/* What the bytes of a program say, put beside its digests. */
static struct err *add_program(struct doc *to, int fd)
{
    struct doc *go = NULL;
    TRY(goinfo_read(&go, fd));
    if (go)
        doc_set(to, "go", go);
    if (goinfo_is_elf(fd))
        doc_set_bool(to, "elf", true);
    return NULL;
}

/* One thing to look at. */
struct look {
    const struct recipe *r;
    const char *path, *hex, *what;
    const char *suffix; /* of the note's name: one kind of note for each way of looking */
    struct err *(*at)(struct doc *to, int fd, const struct look *l);
    const char *step; /* for the progress function */
};

static struct err *look_at_file(struct doc *to, int fd, const struct look *l)
{
    TRY_CTX(add_program(to, fd), "%s", l->path);
    return NULL;
}

/* ---- layers ---- */

/* What was found, in the order of the archive: a later entry takes the place of an earlier one. */
struct layer {
    const struct look *l;
    struct doc **at;
    size_t n, cap;
};

static void layer_done(struct layer *layer)
{
    for (size_t i = 0; i < layer->n; i++)
        doc_free(layer->at[i]);
    free(layer->at);
}

/* `d` passes over, also when there is an error. */
static struct err *keep(struct layer *layer, struct doc *d)
{
    OWN_DOC struct doc *own = d;
    if (layer->n == layer->cap) {
        size_t cap = layer->cap ? 2 * layer->cap : 64;
        struct doc **at = reallocarray(layer->at, cap, sizeof *at);
        if (!at)
            return err_os(ENOMEM, "layer");
        layer->at = at;
        layer->cap = cap;
    }
    doc_set_int(own, "nth", (int64_t)layer->n);
    layer->at[layer->n++] = TAKE(own);
    return NULL;
}

static struct err *add_layer_file(void *self, const struct layer_entry *e, int fd)
{
    struct layer *layer = self;
    struct digest_pair pair;
    OWN_DOC struct doc *file = e->link ? doc_new_map() : NULL;
    TRY(recipe_tell(layer->l->r, layer->l->step, 0, 1)); /* a layer may take a while: the operator may have enough */
    if (!e->link) {
        TRY(digest_pair_fd(&pair, fd));
        file = pair_doc(&pair);
        doc_set_int(file, "mode", (int64_t)e->mode);
        TRY_CTX(add_program(file, fd), "%s", e->path);
    } else {
        doc_set_text(file, "link", e->link);
    }
    doc_set_text(file, "path", e->path);
    return keep(layer, TAKE(file));
}

static int by_path(const void *a, const void *b)
{
    const struct doc *x = *(struct doc *const *)a, *y = *(struct doc *const *)b;
    int order = strcmp(doc_text(x, "path"), doc_text(y, "path"));
    return order ? order : (doc_int(x, "nth", 0) > doc_int(y, "nth", 0)) - 1;
}

/* Hands all over to `list`, sorted; of equal paths the last one. */
static void move_files(struct doc *list, struct layer *layer)
{
    if (layer->n)
        qsort(layer->at, layer->n, sizeof(struct doc *), by_path);
    for (size_t i = 0; i < layer->n; i++) {
        bool last = i + 1 == layer->n || !str_eq(doc_text(layer->at[i], "path"), doc_text(layer->at[i + 1], "path"));
        doc_remove(layer->at[i], "nth");
        if (last)
            doc_add(list, TAKE(layer->at[i]));
    }
}

/* A file of the cache's folder that has no name. */
static struct err *scratch_open(int *ret, const struct recipe *r)
{
    OWN_FREE char *path = str_fmt("%s/evidence/scratch.XXXXXX", r->opts->cache);
    if (!path)
        return err_os(ENOMEM, "evidence");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || unlink(path) < 0)
        return err_os(errno, "%s", path);
    *ret = fd;
    return NULL;
}

static struct err *look_at_layer(struct doc *to, int fd, const struct look *l)
{
    OWN(layer_done) struct layer layer = {.l = l};
    OWN_FD int scratch = -1;
    TRY(scratch_open(&scratch, l->r));
    TRY_CTX(layer_read(fd, scratch, add_layer_file, &layer), "layer sha256:%s", l->hex);
    move_files(doc_set(to, "files", doc_new_list()), &layer);
    return NULL;
}

/* ---- either ---- */

static struct err *look(struct doc **ret, const struct look *l)
{
    struct digest_pair pair;
    OWN_FD int fd = open(l->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_hint(err_as(err_os(errno, "%s", l->path), ERR_USAGE), "fill the cache first");
    TRY(digest_checked(&pair, fd, l->path, l->hex));
    OWN_DOC struct doc *d = pair_doc(&pair);
    doc_set_int(d, "schema", NOTE_SCHEMA);
    TRY(l->at(d, fd, l));
    *ret = TAKE(d);
    return NULL;
}

static struct err *find_or_look(struct doc **ret, struct look *l)
{
    OWN_FREE char *dir = str_fmt("%s/evidence", l->r->opts->cache);
    OWN_FREE char *note = str_fmt("%s/evidence/%s%s.json", l->r->opts->cache, l->hex, l->suffix);
    OWN_FREE char *step = str_fmt("look at %s", l->what);
    OWN_DOC struct doc *d = NULL;
    if (!dir || !note || !step)
        return err_os(ENOMEM, "evidence");
    if (find_note(ret, note, l->hex, l->at == look_at_layer))
        return NULL;
    l->step = step;
    TRY(recipe_tell(l->r, step, 0, 1));
    TRY(file_mkdirs(AT_FDCWD, dir, 0755));
    TRY_CTX(look(&d, l), "%s", l->what);
    TRY(write_note(note, d));
    TRY(recipe_tell(l->r, step, 1, 1));
    *ret = TAKE(d);
    return NULL;
}

struct err *evidence_file(struct doc **ret, const struct recipe *r, const char *path, const char *hex, const char *what)
{
    return find_or_look(
        ret, &(struct look){.r = r, .path = path, .hex = hex, .what = what, .suffix = "", .at = look_at_file});
}

struct err *evidence_layer(struct doc **ret, const struct recipe *r, const struct blob *b, const char *what)
{
    if (!b->path)
        return err_new(ERR_UNTRUSTED, "%s: E_LAYER: sha256:%s is no layer", what, b->hex);
    return find_or_look(
        ret,
        &(struct look){.r = r, .path = b->path, .hex = b->hex, .what = what, .suffix = ".layer", .at = look_at_layer});
}

struct err *evidence_blob(struct doc **ret, const struct recipe *r, const struct blob *b, const char *what)
{
    struct digest_pair pair;
    if (b->path)
        return evidence_file(ret, r, b->path, b->hex, what);
    TRY(digest_pair(&pair, b->bytes, (size_t)b->size));
    *ret = pair_doc(&pair);
    return NULL;
}
