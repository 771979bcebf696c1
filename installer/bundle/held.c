#include "bundle/held.h"

#include "base/file.h"
#include "bundle/canon.h"
#include "bundle/format.h"
#include "bundle/image.h"
#include "bundle/inside.h"
#include "bundle/oci.h"
#include "bundle/parts.h"
#include "doc/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const roles[] = {"control-plane", "worker"};

/* ---- the list ---- */

static struct err *check_schema(const struct doc *v)
{
    return v->num == 1 ? NULL : err_new(ERR_UNTRUSTED, "schema %s is not known here", v->text);
}

static struct err *check_name(const struct doc *v)
{
    return format_name(v->text);
}

static struct err *check_image_name(const struct doc *v)
{
    return format_ref(v->text);
}

static struct err *check_digest(const struct doc *v)
{
    return format_hex(v->text) ? NULL : err_new(ERR_UNTRUSTED, "%s is not \"sha256:\" and 64 hex digits", v->key);
}

static struct err *check_digests(const struct doc *v)
{
    DOC_EACH (d, v)
        if (!format_hex(d->text))
            return err_new(ERR_UNTRUSTED, "%s: one is not \"sha256:\" and 64 hex digits", v->key);
    return NULL;
}

static struct err *check_roles(const struct doc *v)
{
    DOC_EACH (r, v)
        if (!str_eq(r->text, roles[0]) && !str_eq(r->text, roles[1]))
            return err_new(ERR_UNTRUSTED, "%s: neither %s nor %s", v->key, roles[0], roles[1]);
    return NULL;
}

#define MUST .required = true
static const struct field image_fields[] = {{"blobs", DOC_LIST, MUST, .elem = DOC_STRING, .check = check_digests},
                                            {"digest", DOC_STRING, MUST, .check = check_digest},
                                            {"name", DOC_STRING, MUST, .check = check_image_name},
                                            {"role", DOC_LIST, MUST, .elem = DOC_STRING, .check = check_roles},
                                            {0}};
static const struct field package_fields[] = {{"digest", DOC_STRING, MUST, .check = check_digest},
                                              {"name", DOC_STRING, MUST, .check = check_name},
                                              {"role", DOC_LIST, MUST, .elem = DOC_STRING, .check = check_roles},
                                              {0}};
static const struct field held_fields[] = {{"cluster", DOC_STRING, MUST},
                                           {"images", DOC_LIST, MUST, .map = image_fields},
                                           {"packages", DOC_LIST, MUST, .map = package_fields},
                                           {"schema", DOC_INT, MUST, .check = check_schema},
                                           {0}};

static struct err *make_again(struct err *e)
{
    return err_hint(e, "make the list again, where the cluster is: caisson bundle held >FILE");
}

static struct err *too_large(const char *what)
{
    return err_new(ERR_UNTRUSTED, "%s: E_LIMIT: too large for a list of what a cluster holds", what);
}

static struct err *parse(struct doc **ret, const char *what, const struct buf *bytes)
{
    struct buf text = *bytes; /* borrowed */
    if (text.len > FORMAT_SMALL_BYTES_MAX)
        return too_large(what);
    if (text.len && text.at[text.len - 1] == '\n')
        text.len--; /* as a shell's > leaves it */
    OWN_DOC struct doc *d = NULL;
    TRY(canon_parse(&d, what, &text));
    struct err *e = d->kind == DOC_MAP ? schema_check(d, held_fields) : err_new(ERR_UNTRUSTED, "not a map");
    if (e)
        return err_as(err_wrap(e, "%s: E_SCHEMA", what), ERR_UNTRUSTED);
    *ret = TAKE(d);
    return NULL;
}

struct err *held_parse(struct doc **ret, const char *what, const struct buf *bytes)
{
    return make_again(parse(ret, what, bytes));
}

bool held_is_list(const char *path)
{
    struct stat st;
    char first = '\0';
    if (parts_is_list(path) || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 && read(fd, &first, 1) == 1 && first == '{';
}

struct err *held_load(struct doc **ret, const char *path)
{
    struct stat st;
    OWN_BUF struct buf text = {0};
    if (stat(path, &st) == 0 && st.st_size > FORMAT_SMALL_BYTES_MAX)
        return make_again(too_large(path));
    TRY(err_as(file_read(&text, AT_FDCWD, path), ERR_USAGE));
    return held_parse(ret, path, &text);
}

/* ---- what may be left out ---- */

struct choice {
    const struct bundle *b;
    const struct doc *const *lists;
    size_t n;
    const struct doc *image; /* that is walked */
    bool *out, *keep;        /* by member */
};

static void choice_done(struct choice *c)
{
    free(c->out);
    free(c->keep);
}

static bool covers(const struct doc *held, const struct doc *wanted)
{
    bool all = doc_list_has(wanted, "all");
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if ((all || doc_list_has(wanted, roles[i])) && !doc_list_has(held, roles[i]))
            return false;
    return true;
}

/* The entry that says so for all hosts of these roles. A package is its digest, an image is known by its name too. */
static const struct doc *find(const struct doc *list, const char *name, const char *digest, const struct doc *role)
{
    DOC_EACH (v, list)
        if (str_eq(doc_text(v, "digest"), digest) && (!name || str_eq(doc_text(v, "name"), name)) &&
            covers(doc_get(v, "role"), role))
            return v;
    return NULL;
}

static bool package_is_held(const struct choice *c, const struct doc *artifact)
{
    for (size_t i = 0; i < c->n; i++)
        if (!find(doc_get(c->lists[i], "packages"), NULL, doc_text(artifact, "digest"), doc_get(artifact, "role")))
            return false;
    return true;
}

/* As a blob of the image that is walked. */
static bool blob_is_held(const struct choice *c, const char *digest)
{
    const char *name = doc_text(c->image, "name"), *manifest = doc_text(c->image, "manifestDigest");
    for (size_t i = 0; i < c->n; i++) {
        const struct doc *held = find(doc_get(c->lists[i], "images"), name, manifest, doc_get(c->image, "role"));
        if (!doc_list_has(doc_get(held, "blobs"), digest))
            return false;
    }
    return true;
}

static void choose_package(struct choice *c, const struct doc *artifact)
{
    const struct member *m = members_find(&c->b->members, format_hex(doc_text(artifact, "digest")));
    if (m)
        (package_is_held(c, artifact) ? c->out : c->keep)[m - c->b->members.at] = true;
}

/* Two images may share a layer: one that is not held anew needs all of its own. */
static struct err *visit(void *self, const char *hex, bool is_read)
{
    struct choice *c = self;
    const struct member *m = members_find(&c->b->members, hex);
    OWN_FREE char *digest = str_fmt("sha256:%s", hex);
    if (!digest)
        return err_os(ENOMEM, "digest");
    (!is_read && blob_is_held(c, digest) ? c->out : c->keep)[m - c->b->members.at] = true;
    return NULL;
}

static struct err *choose_image(struct choice *c, const struct doc *image)
{
    const struct oci_blobs blobs = oci_blobs_of(c->b);
    c->image = image;
    return oci_walk(&blobs, oci_find_image(c->b->index, doc_text(image, "name")), visit, c);
}

struct err *held_leave_out(bool *left_out, const struct bundle *b, const struct doc *const lists[], size_t n)
{
    OWN(choice_done) struct choice c = {.b = b, .lists = lists, .n = n};
    c.out = calloc(b->members.n, sizeof *c.out);
    c.keep = calloc(b->members.n, sizeof *c.keep);
    if (!c.out || !c.keep)
        return err_os(ENOMEM, "%s", b->path);
    DOC_EACH (v, doc_path(b->release, "predicate.components")) {
        DOC_EACH (a, doc_get(v, "artifacts"))
            choose_package(&c, a);
        DOC_EACH (i, doc_get(v, "images"))
            TRY(choose_image(&c, i));
    }
    for (size_t i = 0; i < b->members.n; i++)
        left_out[i] = left_out[i] || (c.out[i] && !c.keep[i]);
    return NULL;
}
