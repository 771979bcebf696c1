#include "supply/package.h"

#include "base/file.h"
#include "base/output.h"
#include "base/str.h"
#include "crypt/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* The fastest level that still gives most of the gain: nodes decompress at disk speed, a build takes seconds. */
enum { PACKAGE_LEVEL = 3 };

struct files {
    struct tree_file *at;
    size_t n;
    struct strs owned; /* what the entries point at */
};

static void files_done(struct files *f)
{
    free(f->at);
    strs_done(&f->owned);
}

/* Keeps `s` (ownership passes) as long as the list lives. */
static struct err *keep(const char **ret, struct files *f, char *s)
{
    OWN_FREE char *own = s;
    if (!own)
        return err_os(ENOMEM, "package");
    TRY(strs_add(&f->owned, own));
    *ret = f->owned.at[f->owned.n - 1];
    return NULL;
}

static struct err *keep_expanded(const char **ret, struct files *f, const struct part *part, const struct doc *v)
{
    char *text = NULL;
    TRY(recipe_expand(&text, part, v));
    return keep(ret, f, text);
}

static struct err *parse_mode(mode_t *ret, const struct doc *def)
{
    const char *text = doc_text(def, "mode");
    size_t n = text ? strspn(text, "01234567") : 0;
    if (!text || n < 3 || n > 4 || text[n] || strtoul(text, NULL, 8) > 0777)
        return doc_err(ERR_USAGE, def, "E_PATH: mode must be permission bits in quotes, like \"0755\"");
    *ret = (mode_t)strtoul(text, NULL, 8);
    return NULL;
}

static struct err *add_file(struct files *f, const struct recipe *r, const struct part *part, const struct doc *def)
{
    struct tree_file *to = &f->at[f->n++];
    const struct doc *entry, *from = doc_get(def, "from");
    const char *name = NULL;
    TRY(keep_expanded(&to->path, f, part, doc_get(def, "path")));
    struct err *bad = tree_check_path(to->path);
    if (bad)
        return err_as(err_wrap(bad, "%s:%u", def->file, def->line), ERR_USAGE);
    if (doc_get(def, "link"))
        return keep_expanded(&to->link, f, part, doc_get(def, "link"));
    if (!from)
        return doc_err(ERR_USAGE, def, "%s: neither `from` nor `link`", to->path);
    TRY(parse_mode(&to->mode, def));
    TRY(keep_expanded(&name, f, part, from));
    TRY(recipe_locked(&entry, r, part, "file", name, from));
    to->sha256 = doc_text(entry, "sha256");
    return keep(&to->source, f, recipe_blob(r, to->sha256));
}

static struct err *list_files(struct files *f, const struct recipe *r, const struct part *part, const struct doc *def)
{
    const struct doc *list = doc_get(def, "files");
    if (!list || list->kind != DOC_LIST || !list->child)
        return doc_err(ERR_USAGE, def, "a package without files");
    f->at = calloc(doc_len(list), sizeof *f->at);
    if (!f->at)
        return err_os(ENOMEM, "package");
    DOC_EACH (v, list)
        TRY(add_file(f, r, part, v));
    return NULL;
}

static struct doc *files_doc(const struct files *f)
{
    struct doc *list = doc_new_list();
    for (size_t i = 0; i < f->n; i++) {
        struct doc *v = doc_add(list, doc_new_map());
        doc_set_text(v, "path", f->at[i].path);
        doc_set_int(v, "mode", f->at[i].mode);
        doc_set_text(v, f->at[i].link ? "link" : "sha256", f->at[i].link ? f->at[i].link : f->at[i].sha256);
    }
    return list;
}

/* Everything that the bytes of the package depend on. */
static struct err *key_of(char ret[DIGEST_HEX], const struct doc *files)
{
    OWN_DOC struct doc *inputs = doc_new_map();
    OWN_BUF struct buf text = {0};
    doc_set_text(inputs, "codec", tree_codec());
    doc_set_int(inputs, "level", PACKAGE_LEVEL);
    doc_set(inputs, "files", doc_clone(files));
    TRY(doc_json_write(&text, inputs));
    return digest_hex(ret, text.at, text.len);
}

/* ---- the cache: <key>.tar.zst, and behind it <key>.json, which says that it is complete ---- */

static bool copy_digest(char ret[65], const char *hex)
{
    if (!hex || !str_is_sha256(hex))
        return false;
    memcpy(ret, hex, 65);
    return true;
}

/* A note that cannot be read or does not fit is as good as none: the package is made again. */
static bool find_cached(struct tree_info *ret, const char *file, const char *note)
{
    OWN_BUF struct buf text = {.max = 4096};
    OWN_DOC struct doc *d = NULL;
    struct stat st;
    struct err *e = file_read(&text, AT_FDCWD, note);
    if (!e)
        e = doc_json(&d, note, text.at, text.len);
    if (e) {
        err_ignore(e);
        return false;
    }
    ret->size = (uint64_t)doc_int(d, "size", 0);
    ret->raw_size = (uint64_t)doc_int(d, "rawSize", 0);
    return copy_digest(ret->digest, doc_text(d, "digest")) && copy_digest(ret->raw_digest, doc_text(d, "rawDigest")) &&
           stat(file, &st) == 0 && (uint64_t)st.st_size == ret->size;
}

static struct err *write_note(const struct tree_info *info, const char *note)
{
    OWN_DOC struct doc *d = doc_new_map();
    OWN_BUF struct buf text = {0};
    doc_set_text(d, "digest", info->digest);
    doc_set_int(d, "size", (int64_t)info->size);
    doc_set_text(d, "rawDigest", info->raw_digest);
    doc_set_int(d, "rawSize", (int64_t)info->raw_size);
    TRY(doc_json_write(&text, d));
    return file_replace(AT_FDCWD, note, text.at, text.len, 0644);
}

static struct err *make(struct tree_info *ret, const char *file, const char *note, const struct files *f)
{
    OWN_OUTPUT struct output out = {.fd = -1};
    TRY(output_open(&out, file, 0)); /* how much it will be is known only then */
    TRY(tree_pack(ret, out.fd, f->at, f->n, PACKAGE_LEVEL));
    TRY(output_commit(&out));
    return write_note(ret, note);
}

struct err *package_make(struct tree_info *ret, char **ret_path, struct doc **ret_files, const struct recipe *r,
                         const struct part *part, const struct doc *def)
{
    OWN(files_done) struct files f = {0};
    char key[DIGEST_HEX], what[80];
    TRY(list_files(&f, r, part, def));
    OWN_DOC struct doc *files = files_doc(&f);
    TRY(key_of(key, files));
    OWN_FREE char *dir = str_fmt("%s/packages", r->opts->cache);
    OWN_FREE char *file = str_fmt("%s/packages/%s.tar.zst", r->opts->cache, key);
    OWN_FREE char *note = str_fmt("%s/packages/%s.json", r->opts->cache, key);
    if (!dir || !file || !note)
        return err_os(ENOMEM, "package");
    TRY(file_mkdirs(AT_FDCWD, dir, 0755));
    if (!find_cached(ret, file, note)) {
        (void)snprintf(what, sizeof what, "pack %s", doc_text(def, "name"));
        TRY(recipe_tell(r, what, 0, 1));
        TRY_CTX(make(ret, file, note, &f), "package %s", doc_text(def, "name"));
        TRY(recipe_tell(r, what, 1, 1));
    }
    *ret_path = TAKE(file);
    *ret_files = TAKE(files);
    return NULL;
}
