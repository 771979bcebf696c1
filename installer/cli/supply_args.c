#include "cli/supply_args.h"

#include "base/file.h"
#include "cli/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Takes the text over; NULL is no memory. */
static struct err *keep(char **ret, char *text)
{
    *ret = text;
    return text ? NULL : err_os(ENOMEM, "options");
}

/* "minimal" is profiles/minimal.yaml; what has a slash or ends in .yaml is a file. */
static struct err *choose_profile(char **ret, const struct args *a)
{
    const char *p = args_text(a, "profile", "minimal");
    bool is_file = strchr(p, '/') || str_ends(p, ".yaml") || str_ends(p, ".yml");
    return keep(ret, is_file ? strdup(p) : str_fmt("profiles/%s.yaml", p));
}

/* What the profile is called is a part of other names. */
static struct err *read_profile(struct supply_args *s)
{
    OWN_BUF struct buf text = {.max = 1 << 20};
    OWN_DOC struct doc *profile = NULL;
    struct err *e = file_read(&text, AT_FDCWD, s->profile);
    if (e)
        return err_hint(err_as(e, ERR_USAGE), "--profile NAME stands for profiles/NAME.yaml, or give a file");
    TRY(doc_yaml(&profile, s->profile, text.at, text.len));
    const char *name = doc_text(profile, "metadata.name"), *version = doc_text(profile, "spec.version");
    if (!name)
        return doc_err(ERR_USAGE, profile, "a profile needs metadata.name");
    TRY(keep(&s->name, strdup(name)));
    return version ? keep(&s->version, strdup(version)) : NULL;
}

struct err *supply_args_read(struct supply_args *ret, const struct args *a, const char *lock_option)
{
    const char *lock = args_text(a, lock_option, NULL);
    TRY(cache_choose(&ret->cache, a));
    TRY(choose_profile(&ret->profile, a));
    TRY(read_profile(ret));
    return keep(&ret->lock, lock ? strdup(lock) : str_fmt("%s/lock/%s.lock.json", ret->cache, ret->name));
}

void supply_args_done(struct supply_args *s)
{
    free(s->profile);
    free(s->name);
    free(s->version);
    free(s->cache);
    free(s->lock);
    *s = (struct supply_args){0};
}
