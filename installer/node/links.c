#include "node/links.h"

#include "base/file.h"
#include "base/own.h"
#include "node/manifest.h"
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CURRENT_UNITS "/" NODE_BASE "/current/units/"
#define TARGET NODE_RUN_UNITS "/caisson.target"
#define BOOT_UNIT NODE_ETC_UNITS "/caisson-boot.service"
#define BOOT_WANTED NODE_ETC_UNITS "/multi-user.target.wants/caisson-boot.service"

/* True when `name` in /run is a link of ours; nobody else's unit is touched. */
static bool link_is_ours(const struct node *node, const char *name)
{
    OWN_FREE char *path = str_fmt(NODE_RUN_UNITS "/%s", name);
    char target[512];
    ssize_t len = path ? readlinkat(node->rootfd, path, target, sizeof target - 1) : -1;
    target[len > 0 ? len : 0] = '\0';
    size_t n_name = strlen(name);
    if (str_ends(name, ".new")) /* a link in making that was cut off */
        n_name -= strlen(".new");
    return str_starts(target, CURRENT_UNITS) && strlen(target) == strlen(CURRENT_UNITS) + n_name &&
           strncmp(target + strlen(CURRENT_UNITS), name, n_name) == 0;
}

static struct err *links_drop(bool *changed, const struct node *n, const struct doc *manifest)
{
    OWN_STRS struct strs names = {0};
    TRY(dir_names(&names, n->rootfd, NODE_RUN_UNITS));
    for (size_t i = 0; i < names.n; i++) {
        if (!link_is_ours(n, names.at[i]) || manifest_unit(manifest, names.at[i]))
            continue;
        OWN_FREE char *path = str_fmt(NODE_RUN_UNITS "/%s", names.at[i]);
        if (!path || unlinkat(n->rootfd, path, 0) < 0)
            return err_os(errno, "delete /" NODE_RUN_UNITS "/%s", names.at[i]);
        *changed = true;
    }
    return NULL;
}

static struct err *links_add(bool *changed, const struct node *n, const struct doc *manifest)
{
    DOC_EACH (u, doc_get(manifest, "units")) {
        const char *name = doc_text(u, "name");
        if (link_is_ours(n, name))
            continue;
        OWN_FREE char *path = str_fmt(NODE_RUN_UNITS "/%s", name);
        OWN_FREE char *target = str_fmt(CURRENT_UNITS "%s", name);
        if (!path || !target)
            return err_os(ENOMEM, "unit link");
        TRY(link_replace(n->rootfd, path, target));
        *changed = true;
    }
    return NULL;
}

/* Writes `text` unless the file has it already. */
static struct err *text_put(bool *changed, const struct node *n, const char *path, const char *text)
{
    OWN_BUF struct buf have = {.max = 1 << 20};
    struct err *e = file_read(&have, n->rootfd, path);
    bool missing = e != NULL;
    err_ignore(e); /* what cannot be read is replaced */
    if (!missing && str_eq(buf_text(&have), text))
        return NULL;
    *changed = true;
    return file_replace(n->rootfd, path, text, strlen(text), 0644);
}

static struct err *target_text(struct buf *out, const struct doc *manifest)
{
    TRY(buf_str(out, "[Unit]\nDescription=All services of this caisson node\n"));
    DOC_EACH (u, doc_get(manifest, "units"))
        if (doc_bool(u, "enabled", true))
            TRY(buf_fmt(out, "Wants=%s\n", doc_text(u, "name")));
    return NULL;
}

struct err *links_derive(bool *ret_changed, const struct node *n, const struct doc *manifest)
{
    *ret_changed = false;
    TRY(file_mkdirs(n->rootfd, NODE_RUN_UNITS, 0755));
    TRY(file_remove_tree(n->rootfd, TARGET ".new"));
    TRY(links_drop(ret_changed, n, manifest));
    TRY(links_add(ret_changed, n, manifest));
    if (!manifest) {
        *ret_changed = *ret_changed || file_exists(n->rootfd, TARGET);
        return file_remove_tree(n->rootfd, TARGET);
    }
    OWN_BUF struct buf text = {0};
    TRY(target_text(&text, manifest));
    return text_put(ret_changed, n, TARGET, buf_text(&text));
}

struct err *links_boot_install(const struct node *n)
{
    static const char text[] = "[Unit]\n"
                               "Description=Start what the current caisson generation asks for\n"
                               "RequiresMountsFor=/" NODE_BASE "\n"
                               "ConditionPathExists=/" NODE_BASE "/current\n"
                               "After=local-fs.target network.target\n\n"
                               "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                               "ExecStart=/" NODE_BASE "/bin/caisson-node boot\n\n"
                               "[Install]\nWantedBy=multi-user.target\n";
    bool changed = false;
    TRY(file_mkdirs(n->rootfd, NODE_ETC_UNITS "/multi-user.target.wants", 0755));
    TRY(text_put(&changed, n, BOOT_UNIT, text));
    if (file_exists(n->rootfd, BOOT_WANTED))
        return NULL;
    TRY(link_replace(n->rootfd, BOOT_WANTED, "/" BOOT_UNIT));
    return file_sync_parent(n->rootfd, NODE_ETC_UNITS "/multi-user.target.wants");
}

struct err *links_boot_remove(const struct node *n)
{
    TRY(file_remove_tree(n->rootfd, BOOT_WANTED));
    return file_remove_tree(n->rootfd, BOOT_UNIT);
}
