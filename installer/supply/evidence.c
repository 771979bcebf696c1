#include "supply/evidence.h"

#include "base/file.h"
#include "base/str.h"
#include "crypt/digest.h"
#include "supply/goinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Another number makes all notes anew: change it with what a note holds. */
enum { NOTE_SCHEMA = 2 };

static struct doc *pair_doc(const struct digest_pair *pair)
{
    struct doc *d = doc_new_map();
    doc_set_text(d, "sha256", pair->sha256);
    doc_set_text(d, "sha512", pair->sha512);
    doc_set_int(d, "size", (int64_t)pair->size);
    return d;
}

/* ---- notes: <cache>/evidence/<sha256>.json ---- */

/* A note that cannot be read or is another one's is as good as none. */
static bool find_note(struct doc **ret, const char *note, const char *hex)
{
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *d = NULL;
    struct err *e = file_read(&text, AT_FDCWD, note);
    if (!e)
        e = doc_json(&d, note, text.at, text.len);
    bool good = !e && doc_int(d, "schema", 0) == NOTE_SCHEMA && str_eq(doc_text(d, "sha256"), hex) &&
                doc_text(d, "sha512") && doc_get(d, "size");
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

static struct err *look(struct doc **ret, const char *path, const char *hex)
{
    struct digest_pair pair;
    struct doc *go = NULL;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_hint(err_as(err_os(errno, "%s", path), ERR_USAGE), "fill the cache first");
    TRY_CTX(digest_pair_fd(&pair, fd), "%s", path);
    if (strcmp(pair.sha256, hex) != 0)
        return err_hint(err_new(ERR_UNTRUSTED, "E_DIGEST: %s: sha256 is %s, wanted %s", path, pair.sha256, hex),
                        "the cache is damaged: delete the file and fill the cache again");
    TRY_CTX(goinfo_read(&go, fd), "%s", path);
    *ret = pair_doc(&pair);
    doc_set_int(*ret, "schema", NOTE_SCHEMA);
    if (goinfo_is_elf(fd))
        doc_set_bool(*ret, "elf", true);
    if (go)
        doc_set(*ret, "go", go);
    return NULL;
}

struct err *evidence_file(struct doc **ret, const struct recipe *r, const char *path, const char *hex, const char *what)
{
    OWN_FREE char *dir = str_fmt("%s/evidence", r->opts->cache),
                  *note = str_fmt("%s/evidence/%s.json", r->opts->cache, hex);
    OWN_FREE char *step = str_fmt("look at %s", what);
    OWN_DOC struct doc *d = NULL;
    if (!dir || !note || !step)
        return err_os(ENOMEM, "evidence");
    if (find_note(ret, note, hex))
        return NULL;
    TRY(recipe_tell(r, step, 0, 1));
    TRY_CTX(look(&d, path, hex), "%s", what);
    TRY(file_mkdirs(AT_FDCWD, dir, 0755));
    TRY(write_note(note, d));
    TRY(recipe_tell(r, step, 1, 1));
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
