#include "base/home.h"

#include "base/str.h"

#include <stdlib.h>

char *home_config(const char *name)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && *config)
        return str_fmt("%s/caisson/%s", config, name);
    return str_fmt("%s/.config/caisson/%s", home ? home : "", name);
}
