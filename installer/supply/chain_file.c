/* chain_file: root documents that nobody vouched for yet, for a person to compare with the publisher. */
#include "supply/chain.h"

#include "base/file.h"
#include "bundle/bundle.h"

#include <errno.h>
#include <fcntl.h>

/* A single document has no signatures beside it; whoever pins it compares it as it is. */
static struct err *read_single(struct chain *ret, const char *path)
{
    ret->raw = calloc(1, sizeof *ret->raw);
    ret->doc = calloc(1, sizeof *ret->doc);
    if (!ret->raw || !ret->doc)
        return err_os(ENOMEM, "root document");
    ret->n = 1;
    ret->raw[0].bytes.max = FORMAT_ROOT_BYTES_MAX;
    TRY(err_as(file_read(&ret->raw[0].bytes, AT_FDCWD, path), ERR_USAGE));
    return err_wrap(root_parse(&ret->doc[0], ROOT_ANY_VERSION, &ret->raw[0].bytes), "%s", path);
}

/* The first one is at least what its own keys say. */
static struct err *parse_first(struct doc **ret, const struct root_raw *raw)
{
    OWN_STRS struct strs who = {0};
    TRY(root_parse(ret, 1, &raw->bytes));
    TRY(root_signers(&who, *ret, "root", &raw->sigs, FORMAT_ROOT_PAYLOAD, &raw->bytes));
    if (who.n >= root_threshold(*ret, "root"))
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_SIG_THRESHOLD: %zu of the %zu signatures by its own root keys", who.n,
                   root_threshold(*ret, "root"));
}

static struct err *read_bundle(struct chain *ret, const char *path)
{
    TRY(bundle_roots(&ret->raw, &ret->n, path));
    ret->doc = calloc(ret->n, sizeof *ret->doc);
    if (!ret->doc) {
        ret->n = 0;
        return err_os(ENOMEM, "root documents");
    }
    for (size_t i = 0; i < ret->n; i++) {
        const struct root_raw *raw = &ret->raw[i];
        TRY_CTX(i ? root_follow(&ret->doc[i], ret->doc[i - 1], raw) : parse_first(&ret->doc[0], raw),
                "%s: member caisson/root/%04zu/root.json at byte %llu", path, i + 1, (unsigned long long)raw->at);
    }
    return NULL;
}

static struct err *is_document(bool *ret, const char *path)
{
    char first = '\0';
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || pread(fd, &first, 1, 0) < 0)
        return err_hint(err_as(err_os(errno, "%s", path), ERR_USAGE), "a bundle, or a root document");
    *ret = first == '{';
    return NULL;
}

struct err *chain_of_file(struct chain *ret, const char *path)
{
    OWN_CHAIN struct chain c = {0};
    bool single = false;
    TRY(is_document(&single, path));
    TRY(single ? read_single(&c, path) : read_bundle(&c, path));
    *ret = c;
    c = (struct chain){0};
    return NULL;
}
