/*
 * libFuzzer target: what index.json reaches: nested indexes, manifests, configs. The input is lines: the images that
 * the release lists, index.json, then blobs. In them `@a` stands for the digest of the first blob and `#a` for its
 * size, `@b` for the second's, and so on. A line can speak of later ones only: no bytes hold their own digest.
 */
#include "base/str.h"
#include "bundle/inside.h"
#include "bundle/oci.h"
#include "crypt/digest.h"
#include "doc/schema.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { LINES = 26 };

struct line {
    struct buf text; /* with digests and sizes put in */
    char hex[65];
};

struct input {
    struct line at[LINES]; /* images, index.json, blobs */
    size_t n;
};

static void must(struct err *e)
{
    if (e)
        abort();
}

/* Appends what `@x` or `#x` stands for; false when it stands for nothing. */
static bool put_in(struct buf *out, const struct input *in, size_t line, char mark, char letter)
{
    size_t of = letter >= 'a' && letter <= 'z' ? (size_t)(letter - 'a') + 2 : 0;
    if ((mark != '@' && mark != '#') || of <= line || of >= in->n)
        return false;
    must(mark == '@' ? buf_str(out, in->at[of].hex) : buf_fmt(out, "%zu", in->at[of].text.len));
    return true;
}

static void expand(struct input *in, size_t line, const char *p, size_t n)
{
    struct line *l = &in->at[line];
    for (size_t i = 0; i < n;) {
        bool done = i + 1 < n && put_in(&l->text, in, line, p[i], p[i + 1]);
        size_t plain = 1;
        while (i + plain < n && p[i + plain] != '@' && p[i + plain] != '#')
            plain++;
        if (!done)
            must(buf_add(&l->text, p + i, plain));
        i += done ? 2 : plain;
    }
    must(digest_hex(l->hex, buf_text(&l->text), l->text.len));
}

static void read_input(struct input *in, const char *p, size_t n)
{
    const char *starts[LINES];
    size_t lens[LINES];
    while (n && in->n < LINES) {
        const char *end = memchr(p, '\n', n);
        starts[in->n] = p;
        lens[in->n++] = end ? (size_t)(end - p) : n;
        n -= end ? (size_t)(end - p) + 1 : n;
        p = end ? end + 1 : p;
    }
    for (size_t i = in->n; i-- > 0;)
        expand(in, i, starts[i], lens[i]);
}

static void input_done(struct input *in)
{
    for (size_t i = 0; i < in->n; i++)
        buf_done(&in->at[i].text);
}

/* ---- a bundle of it ---- */

static int by_hex(const void *a, const void *b)
{
    return strcmp((*(const struct member *const *)a)->hex, (*(const struct member *const *)b)->hex);
}

static bool has_twin(const struct input *in, size_t line)
{
    for (size_t i = line + 1; i < in->n; i++)
        if (str_eq(in->at[i].hex, in->at[line].hex))
            return true;
    return false;
}

/* index.json and the blobs, each once and with bytes, as release_members() leaves them. */
static void add_members(struct members *m, struct buf *file, const struct input *in)
{
    static const char header[512];
    m->at = calloc(LINES, sizeof *m->at);
    m->by_hex = calloc(LINES, sizeof *m->by_hex);
    if (!m->at || !m->by_hex)
        abort();
    must(buf_add(file, header, sizeof header)); /* no member stands at byte 0 */
    for (size_t i = 1; i < in->n; i++) {
        if (!in->at[i].text.len || has_twin(in, i))
            continue;
        m->at[m->n] = (struct member){
            .path = i == 1 ? "index.json" : "blob", .hex = in->at[i].hex, .size = in->at[i].text.len, .at = file->len};
        m->by_hex[m->n] = &m->at[m->n];
        m->n++;
        must(buf_add(file, header, sizeof header));
        must(buf_add(file, in->at[i].text.at, in->at[i].text.len));
    }
    qsort(m->by_hex, m->n, sizeof *m->by_hex, by_hex);
}

static const struct field image_fields[] = {{.key = "name", .kind = DOC_STRING, .required = true},
                                            {.key = "manifestDigest", .kind = DOC_STRING, .required = true},
                                            {.key = "indexDigest", .kind = DOC_STRING},
                                            {.key = "*"},
                                            {0}};

/* The part of a release that matters here; NULL when its schema would have refused the images. */
static struct doc *release_of(const struct line *images)
{
    OWN_DOC struct doc *list = NULL, *release = doc_new_map();
    struct err *e = doc_json(&list, "images", images->text.at, images->text.len);
    bool good = !e && list->kind == DOC_LIST;
    err_free(e);
    for (const struct doc *v = good ? list->child : NULL; v && good; v = v->next) {
        e = schema_check(v, image_fields);
        good = !e;
        err_free(e);
    }
    if (!good)
        return NULL;
    struct doc *predicate = doc_set(release, "predicate", doc_new_map());
    struct doc *platforms = doc_set(predicate, "platforms", doc_new_list());
    doc_add_text(platforms, "linux/amd64");
    doc_add_text(platforms, "linux/arm64/v8");
    struct doc *component = doc_add(doc_set(predicate, "components", doc_new_list()), doc_new_map());
    doc_set(component, "images", TAKE(list));
    return TAKE(release);
}

static struct err *check(struct bundle *b, const struct input *in)
{
    struct err *e = doc_json(&b->index, "index.json", in->at[1].text.at, in->at[1].text.len);
    if (e)
        return err_as(e, ERR_UNTRUSTED); /* as its reader does */
    TRY(oci_check_index(b->index, b->release));
    return oci_check_closure(b);
}

/* Whatever is accepted is named by another line. */
static void must_be_right(const struct bundle *b, const struct input *in)
{
    for (size_t k = 1; k < b->members.n; k++) {
        bool named = false;
        for (size_t i = 1; i < in->n; i++)
            named = named || strstr(buf_text(&in->at[i].text), b->members.at[k].hex);
        if (!named)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    OWN(input_done) struct input in = {0};
    OWN_BUF struct buf file = {0};
    if (memchr(p, '\0', n))
        return 0;
    read_input(&in, (const char *)p, n);
    OWN_BUNDLE struct bundle *b = calloc(1, sizeof *b);
    if (!b || in.n < 2 || !in.at[1].text.len || !(b->release = release_of(&in.at[0])))
        return 0;
    add_members(&b->members, &file, &in);
    b->source = memory_source(file.at, file.len);
    b->path = source_path(b->source);
    if (!str_eq(b->members.at[0].path, "index.json"))
        return 0;
    struct err *e = check(b, &in);
    if (!e)
        must_be_right(b, &in);
    if (e && err_kind(e) != ERR_UNTRUSTED)
        abort();
    err_free(e);
    return 0;
}
