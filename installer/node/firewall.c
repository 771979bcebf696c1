#include "node/firewall.h"

#include "base/child.h"
#include "base/own.h"
#include "node/node.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NFT_MS 30000

struct firewall {
    const struct doc *names;
    const struct doc
        *all; /* what `nft -j list ruleset` tells: a list of {table: ...}, {chain: ...}, {rule: ...}, ... */
};

static bool chain_is_ours(const struct firewall *f, const char *name)
{
    DOC_EACH (n, f->names)
        if (name && str_starts(name, n->text))
            return true;
    return false;
}

/* A rule of one of our chains, or one that leads to it. */
static bool rule_is_ours(const struct firewall *f, const struct doc *rule)
{
    if (chain_is_ours(f, doc_text(rule, "chain")))
        return true;
    DOC_EACH (e, doc_get(rule, "expr")) {
        const char *jump = doc_text(e, "jump.target"), *go = doc_text(e, "goto.target");
        if (chain_is_ours(f, jump) || chain_is_ours(f, go))
            return true;
    }
    return false;
}

static bool is_of(const struct doc *thing, const struct doc *table)
{
    return str_eq(doc_text(thing, "table"), doc_text(table, "name")) &&
           str_eq(doc_text(thing, "family"), doc_text(table, "family"));
}

/* Holds something of ours, and besides only hooks that let everything pass. */
static bool table_is_ours(const struct firewall *f, const struct doc *table)
{
    bool ours = false;
    if (doc_list_has(f->names, doc_text(table, "name")))
        return true;
    DOC_EACH (item, f->all) {
        const struct doc *thing = item->child;
        if (!thing || !is_of(thing, table))
            continue;
        bool chain = str_eq(thing->key, "chain"), rule = str_eq(thing->key, "rule");
        if ((chain && chain_is_ours(f, doc_text(thing, "name"))) || (rule && rule_is_ours(f, thing)))
            ours = true;
        else if (!chain || !doc_get(thing, "hook") || !str_eq(doc_text(thing, "policy"), "accept"))
            return false;
    }
    return ours;
}

static bool in_table_of_ours(const struct firewall *f, const struct doc *thing)
{
    DOC_EACH (item, f->all) {
        const struct doc *table = doc_get(item, "table");
        if (table && is_of(thing, table))
            return table_is_ours(f, table);
    }
    return false;
}

/* "delete chain ip filter KUBE-FIREWALL" and the like. The kernel's names are checked before they become a command. */
static struct err *command(struct buf *out, const char *verb, const struct doc *thing, const char *name, int64_t handle)
{
    const char *family = doc_text(thing, "family"), *table = doc_text(thing, "table");
    if (!name_is_plain(family) || (table && !name_is_plain(table)) || !name_is_plain(name))
        return NULL; /* no name that a component of ours gives */
    TRY(buf_fmt(out, "%s %s %s%s%s", verb, family, table ? table : "", table ? " " : "", name));
    return handle ? buf_fmt(out, " handle %lld\n", (long long)handle) : buf_str(out, "\n");
}

static struct err *tables_script(struct buf *out, const struct firewall *f)
{
    DOC_EACH (item, f->all) {
        const struct doc *table = doc_get(item, "table");
        if (table && table_is_ours(f, table))
            TRY(command(out, "delete table", table, doc_text(table, "name"), 0));
    }
    return NULL;
}

/* In tables that stay: first what leads to our chains, then what is in them, since they may lead to each other. */
static struct err *rules_script(struct buf *out, const struct firewall *f)
{
    DOC_EACH (item, f->all) {
        const struct doc *rule = doc_get(item, "rule");
        if (rule && rule_is_ours(f, rule) && !in_table_of_ours(f, rule))
            TRY(command(out, "delete rule", rule, doc_text(rule, "chain"), doc_int(rule, "handle", 0)));
    }
    DOC_EACH (item, f->all) {
        const struct doc *chain = doc_get(item, "chain");
        const char *name = doc_text(chain, "name");
        if (chain && chain_is_ours(f, name) && !in_table_of_ours(f, chain))
            TRY(command(out, "delete chain", chain, name, 0));
    }
    return NULL;
}

static struct err *ruleset(struct doc **ret)
{
    static const char *const argv[] = {"nft", "-j", "list", "ruleset", NULL};
    OWN_BUF struct buf out = {.max = (size_t)256 << 20};
    *ret = NULL;
    struct err *e = child_run(argv, &(struct child_opts){.output = &out, .timeout_ms = NFT_MS}, NULL);
    if (e && err_errno(e) == ENOENT) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    return doc_json(ret, "nft", out.at, out.len);
}

static struct err *carry_out(const struct buf *script)
{
    static const char *const argv[] = {"nft", "-f", "-", NULL};
    struct child_opts o = {.input = script->at, .input_len = script->len, .timeout_ms = NFT_MS};
    return child_run(argv, &o, NULL);
}

struct err *firewall_drop(const struct doc *names)
{
    OWN_DOC struct doc *all = NULL;
    OWN_BUF struct buf script = {0};
    if (!doc_len(names))
        return NULL;
    TRY(ruleset(&all));
    struct firewall f = {.names = names, .all = doc_get(all, "nftables")};
    TRY(tables_script(&script, &f));
    TRY(rules_script(&script, &f));
    return script.len ? err_wrap(carry_out(&script), "packet filter") : NULL;
}
