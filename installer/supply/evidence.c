#include "supply/evidence.h"

#include "base/file.h"
#include "base/output.h"
#include "base/str.h"
#include "crypt/digest.h"
#include "doc/schema.h"
#include "pack/layer.h"
#include "supply/goinfo.h"
#include "supply/spool.h"

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

/* ---- notes: <cache>/evidence/<sha256>.json, of layers also <sha256>.layer ---- */

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
                                           {0}};
/* The first line of a layer's note; the others, of which it has the digest, are what is in the layer. */
static const struct field layer_fields[] = {
    {"schema", DOC_INT, true}, {"sha256", DOC_STRING, true}, {"lines", DOC_STRING, true}, {0}};

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
static bool find_note(struct doc **ret, const char *note, const char *hex)
{
    OWN_DOC struct doc *d = NULL;
    struct err *e = parse_note(&d, note);
    bool good = !e && doc_int(d, "schema", 0) == NOTE_SCHEMA && str_eq(doc_text(d, "sha256"), hex) && has_digests(d);
    err_ignore(e); /* it is made again */
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

/* Opens a file of the cache, whose digest is checked. */
static struct err *open_checked(int *ret_fd, struct digest_pair *ret, const char *path, const char *hex)
{
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_hint(err_as(err_os(errno, "%s", path), ERR_USAGE), "fill the cache first");
    TRY(digest_checked(ret, fd, path, hex));
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

/* Folder and name of the note about `hex`, one kind of note for each `suffix`, and what the progress function is told.
 */
struct place {
    char *dir, *note, *step;
};

static void place_done(struct place *p)
{
    free(p->dir);
    free(p->note);
    free(p->step);
}

static struct err *find_place(struct place *p, const struct recipe *r, const char *hex, const char *suffix,
                              const char *what)
{
    p->dir = str_fmt("%s/evidence", r->opts->cache);
    p->note = str_fmt("%s/evidence/%s%s", r->opts->cache, hex, suffix);
    p->step = str_fmt("look at %s", what);
    return p->dir && p->note && p->step ? file_mkdirs(AT_FDCWD, p->dir, 0755) : err_os(ENOMEM, "evidence");
}

/* ---- files ---- */

static struct err *look_at_file(struct doc **ret, const char *path, const char *hex)
{
    struct digest_pair pair = {0};
    OWN_FD int fd = -1;
    TRY(open_checked(&fd, &pair, path, hex));
    OWN_DOC struct doc *d = pair_doc(&pair);
    doc_set_int(d, "schema", NOTE_SCHEMA);
    TRY_CTX(add_program(d, fd), "%s", path);
    *ret = TAKE(d);
    return NULL;
}

struct err *evidence_file(struct doc **ret, const struct recipe *r, const char *path, const char *hex, const char *what)
{
    OWN(place_done) struct place place = {0};
    OWN_DOC struct doc *d = NULL;
    TRY(find_place(&place, r, hex, ".json", what));
    if (find_note(ret, place.note, hex))
        return NULL;
    TRY(recipe_tell(r, place.step, 0, 1));
    TRY_CTX(look_at_file(&d, path, hex), "%s", what);
    TRY(write_note(place.note, d));
    TRY(recipe_tell(r, place.step, 1, 1));
    *ret = TAKE(d);
    return NULL;
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

/* ---- layers: a line for each file, since there may be very many ---- */

/* A line, somewhere in `lines`. */
struct line {
    char *path;
    uint64_t at;
    size_t size;
};

/* What was found, in the order of the archive: a later entry takes the place of an earlier one. */
struct layer {
    const struct recipe *r;
    const char *step;
    struct spool *lines;
    struct line *at;
    size_t n, cap;
};

static void layer_done(struct layer *layer)
{
    for (size_t i = 0; i < layer->n; i++)
        free(layer->at[i].path);
    free(layer->at);
    spool_free(layer->lines);
}

static struct err *keep(struct layer *layer, const struct doc *file)
{
    if (layer->n == layer->cap) {
        size_t cap = layer->cap ? 2 * layer->cap : 64;
        struct line *at = reallocarray(layer->at, cap, sizeof *at);
        if (!at)
            return err_os(ENOMEM, "layer");
        layer->at = at;
        layer->cap = cap;
    }
    struct line *line = &layer->at[layer->n];
    *line = (struct line){.path = strdup(doc_text(file, "path")), .at = layer->lines->size};
    if (!line->path)
        return err_os(ENOMEM, "layer");
    layer->n++;
    TRY(spool_json(layer->lines, file));
    TRY(spool_str(layer->lines, "\n"));
    line->size = (size_t)(layer->lines->size - line->at);
    return NULL;
}

static struct err *add_layer_file(void *self, const struct layer_entry *e, int fd)
{
    struct layer *layer = self;
    struct digest_pair pair;
    OWN_DOC struct doc *file = e->link ? doc_new_map() : NULL;
    TRY(recipe_tell(layer->r, layer->step, 0, 1)); /* a layer may take a while: the operator may have enough */
    if (!e->link) {
        TRY(digest_pair_fd(&pair, fd));
        file = pair_doc(&pair);
        doc_set_int(file, "mode", (int64_t)e->mode);
        TRY_CTX(add_program(file, fd), "%s", e->path);
    } else {
        doc_set_text(file, "link", e->link);
    }
    doc_set_text(file, "path", e->path);
    return keep(layer, file);
}

static int by_path(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* The lines sorted by path; of equal paths the last one. */
static struct err *sort_lines(struct spool *out, struct layer *layer)
{
    OWN_BUF struct buf text = {0};
    if (layer->n)
        qsort(layer->at, layer->n, sizeof *layer->at, by_path);
    TRY(spool_flush(layer->lines));
    for (size_t i = 0; i < layer->n; i++) {
        const struct line *line = &layer->at[i];
        if (i + 1 < layer->n && strcmp(line->path, line[1].path) == 0)
            continue;
        TRY(buf_reserve(&text, line->size));
        TRY(spool_read(layer->lines, text.at, line->size, line->at));
        TRY(spool_add(out, text.at, line->size));
    }
    return NULL;
}

static struct err *look_at_layer(struct spool *out, const struct recipe *r, const struct blob *b,
                                 const struct place *place)
{
    OWN(layer_done) struct layer layer = {.r = r, .step = place->step};
    struct digest_pair pair;
    OWN_FD int fd = -1, scratch = -1;
    TRY(open_checked(&fd, &pair, b->path, b->hex));
    TRY(spool_file(&scratch, place->dir));
    TRY(spool_new(&layer.lines, place->dir));
    TRY_CTX(layer_read(fd, scratch, add_layer_file, &layer), "layer sha256:%s", b->hex);
    return sort_lines(out, &layer);
}

/* The first line, and behind it the others. */
static struct err *write_layer_note(const char *note, const char *hex, struct spool *lines)
{
    OWN_OUTPUT struct output out = {.fd = -1};
    OWN_DOC struct doc *head = doc_new_map();
    OWN_BUF struct buf text = {0};
    char digest[DIGEST_HEX];
    TRY(spool_digest(digest, lines));
    doc_set_int(head, "schema", NOTE_SCHEMA);
    doc_set_text(head, "sha256", hex);
    doc_set_text(head, "lines", digest);
    TRY(doc_json_write(&text, head));
    TRY(buf_str(&text, "\n"));
    TRY(output_open(&out, note, text.len + lines->size));
    TRY(fd_write_all(out.fd, text.at, text.len));
    TRY(spool_copy(lines, out.fd));
    return output_commit(&out);
}

static struct err *make_layer_note(const struct recipe *r, const struct blob *b, const char *what,
                                   const struct place *place)
{
    OWN_SPOOL struct spool *lines = NULL;
    TRY(recipe_tell(r, place->step, 0, 1));
    TRY(spool_new(&lines, place->dir));
    TRY_CTX(look_at_layer(lines, r, b, place), "%s", what);
    TRY(write_layer_note(place->note, b->hex, lines));
    return recipe_tell(r, place->step, 1, 1);
}

/* Opens the note, at its second line. */
static struct err *open_layer_note(FILE **ret, const char *note, const char *hex)
{
    OWN(own_fclose) FILE *f = fopen(note, "re");
    OWN_FREE char *line = NULL;
    OWN_DOC struct doc *head = NULL;
    char digest[DIGEST_HEX];
    size_t cap = 0;
    ssize_t n = f ? getline(&line, &cap, f) : -1;
    if (n < 0)
        return err_os(errno, "%s", note);
    TRY(doc_json(&head, note, line, (size_t)n));
    TRY(schema_check(head, layer_fields));
    if (doc_int(head, "schema", 0) != NOTE_SCHEMA || !str_eq(doc_text(head, "sha256"), hex))
        return err_new(ERR_FAILED, "%s is about something else", note);
    if (lseek(fileno(f), n, SEEK_SET) < 0)
        return err_os(errno, "%s", note);
    TRY(digest_fd(digest, fileno(f), NULL));
    if (!str_eq(doc_text(head, "lines"), digest))
        return err_new(ERR_FAILED, "%s is damaged", note);
    if (fseek(f, n, SEEK_SET) < 0)
        return err_os(errno, "%s", note);
    *ret = TAKE(f);
    return NULL;
}

static struct err *visit_line(const char *note, const char *text, size_t n, evidence_visit visit, void *self)
{
    OWN_DOC struct doc *file = NULL;
    TRY(doc_json(&file, note, text, n));
    TRY(schema_check(file, file_fields));
    if (!doc_get(file, "link") && !has_digests(file))
        return err_new(ERR_FAILED, "%s: %s has no digests", note, doc_text(file, "path"));
    return visit(self, file);
}

struct err *evidence_layer(const struct recipe *r, const struct blob *b, const char *what, evidence_visit visit,
                           void *self)
{
    OWN(place_done) struct place place = {0};
    OWN(own_fclose) FILE *f = NULL;
    OWN_FREE char *line = NULL;
    size_t cap = 0;
    if (!b->path)
        return err_new(ERR_UNTRUSTED, "%s: E_LAYER: sha256:%s is no layer", what, b->hex);
    TRY(find_place(&place, r, b->hex, ".layer", what));
    struct err *e = open_layer_note(&f, place.note, b->hex);
    if (e) {
        err_ignore(e); /* as good as none */
        TRY(make_layer_note(r, b, what, &place));
        TRY(open_layer_note(&f, place.note, b->hex));
    }
    for (ssize_t n; (n = getline(&line, &cap, f)) > 0;)
        TRY(visit_line(place.note, line, (size_t)n, visit, self));
    return ferror(f) ? err_os(errno, "%s", place.note) : NULL;
}
