#include "pack/tree.h"

#include <string.h>

enum { PATH_BYTES_MAX = 255, LINK_BYTES_MAX = 100 };

/* Length of the part at `p`; *ret_up is set for "..". 0 for an empty part, "." or a control character. */
static size_t part_len(const char *p, bool *ret_up)
{
    size_t n = strcspn(p, "/");
    *ret_up = n == 2 && p[0] == '.' && p[1] == '.';
    if (n == 1 && p[0] == '.')
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f || p[i] == '\\')
            return 0;
    return n;
}

struct err *tree_check_path(const char *path)
{
    const char *p = path;
    for (;; p++) {
        bool up;
        size_t n = part_len(p, &up);
        if (!n || up || strlen(path) > PATH_BYTES_MAX)
            return err_new(ERR_FAILED, "E_PATH: \"%s\" is not a plain relative path", path);
        p += n;
        if (!*p)
            return NULL;
    }
}

/*
 * ".." may stand only in front: then the target starts in a real folder of the tree and goes down from there, and no
 * chain of links can climb out of it ("l -> ..", "m -> l/../.." would).
 */
struct err *tree_check_link(const char *path, const char *target)
{
    size_t depth = 0;
    bool down = false;
    for (const char *c = path; *c; c++)
        depth += *c == '/';
    if (strlen(target) > LINK_BYTES_MAX)
        return err_new(ERR_FAILED, "E_PATH: link %s: target is longer than 100 bytes", path);
    for (const char *p = target;; p++) {
        bool up;
        size_t n = part_len(p, &up);
        if (!n || (up && (down || depth == 0)))
            return err_new(ERR_FAILED, "E_PATH: link %s may lead out of the tree: \"%s\"", path, target);
        depth -= up;
        down = !up;
        p += n;
        if (!*p)
            return NULL;
    }
}
