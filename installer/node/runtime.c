/* runtime: small files that change without a generation, and the record of imported images. */
#include "base/file.h"
#include "base/own.h"
#include "node/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct err *op_runtime_put(struct call *c)
{
    const char *name = NULL, *text = NULL;
    TRY(call_text(&name, c, "name"));
    TRY(call_text(&text, c, "text"));
    const char *mode_text = doc_text(c->request, "mode");
    char *end = NULL;
    unsigned long mode = strtoul(mode_text ? mode_text : "0644", &end, 8);
    if (!name_is_plain(name) || str_ends(name, ".new") || *end || mode > 0777)
        return err_new(ERR_USAGE, "runtime.put: name or mode is not sound");
    OWN_FREE char *path = str_fmt("runtime/%s", name);
    if (!path)
        return err_os(ENOMEM, "runtime file");
    TRY(file_mkdirs(c->dir, "runtime", 0755));
    TRY(file_sync_parent(c->dir, "runtime"));
    return file_replace(c->dir, path, text, strlen(text), (mode_t)mode);
}

struct err *op_image_recorded(struct call *c)
{
    OWN_DOC struct doc *have = NULL;
    if (!doc_bool(c->request, "replace", false))
        TRY(json_load(&have, c->dir, "images"));
    if (!have)
        have = doc_new_list();
    DOC_EACH (v, doc_get(c->request, "names"))
        if (v->text && !doc_list_has(have, v->text))
            doc_add_text(have, v->text);
    return json_store(c->dir, "images", have);
}
