/*
 * floor: which releases this machine's cluster has had. Kept on control-plane nodes, so that an admin host that is new
 * learns it from them. It is raised; lowered only to where the release that set it allows a return.
 */
#include "base/file.h"
#include "base/own.h"
#include "node/node.h"
#include "wire/floor.h"

#include <errno.h>

struct err *node_floors(struct doc **ret, int dir)
{
    OWN_DOC struct doc *floors = NULL;
    struct err *e = json_load(&floors, dir, "floors");
    if (!e && floors)
        e = floor_check_form(floors);
    if (e)
        return err_hint(err_as(err_wrap(e, "/%s/floors", NODE_BASE), ERR_FAILED),
                        "delete this file, if other control-plane hosts have theirs; apply writes it again");
    *ret = floors ? TAKE(floors) : doc_new_map();
    return NULL;
}

struct err *op_floor_put(struct call *c)
{
    OWN_DOC struct doc *floors = NULL;
    OWN_BUF struct buf text = {.max = FLOOR_BYTES_MAX};
    const struct doc *given = doc_get(c->request, "floors");
    if (!given)
        return err_new(ERR_USAGE, "request without floors");
    TRY(err_as(floor_check_form(given), ERR_USAGE));
    TRY(node_floors(&floors, c->dir));
    DOC_EACH (next, given)
        TRY(floor_check_not_back(floors, next, doc_get(c->request, "allow")));
    DOC_EACH (next, given)
        floor_set(floors, next);
    TRY(doc_json_write(&text, floors));
    return file_replace(c->dir, "floors", text.at, text.len, 0600);
}
