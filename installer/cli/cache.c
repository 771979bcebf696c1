#include "cli/cache.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

struct err *cache_choose(char **ret, const struct args *a)
{
    const char *given = args_text(a, "cache", getenv("CAISSON_CACHE"));
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (given && *given)
        *ret = strdup(given);
    else if (xdg && *xdg)
        *ret = str_fmt("%s/caisson", xdg);
    else if (home && *home)
        *ret = str_fmt("%s/.cache/caisson", home);
    else
        return err_new(ERR_USAGE, "no folder for the cache: give --cache DIR");
    return *ret ? NULL : err_os(ENOMEM, "cache");
}
