#include "plan/render.h"

#include "plan/leaf.h"
#include "plan/settings.h"
#include "plan/template.h"

#include <errno.h>
#include <string.h>

#define HOME "/var/lib/caisson"

/* ---- variables ---- */

static struct err *add_forward(struct doc *network, const struct cluster *c)
{
    OWN_BUF struct buf text = {0};
    DOC_EACH (v, doc_path(c->doc, "spec.network.dns.upstream"))
        TRY(buf_fmt(&text, "%s %s", text.len ? "" : "forward .", v->text));
    doc_set_text(network, "dnsForward", buf_text(&text));
    return NULL;
}

static struct err *add_network(struct doc *vars, const struct cluster *c)
{
    struct doc *network = doc_set(vars, "network", doc_new_map());
    const char *pods = doc_text(c->doc, "spec.network.pods"), *services = doc_text(c->doc, "spec.network.services");
    doc_set_text(network, "pods", pods ? pods : "10.244.0.0/16");
    doc_set_text(network, "services", services ? services : "10.96.0.0/12");
    doc_set_text(network, "apiAddress", c->api_address);
    doc_set_text(network, "dnsAddress", c->dns_address);
    return add_forward(network, c);
}

static void add_control_plane(struct doc *vars, const struct cluster *c)
{
    struct doc *cp = doc_set(vars, "controlPlane", doc_new_map());
    struct doc *names = doc_set(cp, "names", doc_new_list());
    struct doc *addresses = doc_set(cp, "addresses", doc_new_list());
    for (size_t i = 0; i < c->n_hosts; i++) {
        if (!c->hosts[i].control_plane)
            continue;
        doc_add_text(names, c->hosts[i].name);
        doc_add_text(addresses, c->hosts[i].address);
    }
}

static void add_trees(struct doc *vars, const struct release *r)
{
    struct doc *tree = doc_set(vars, "tree", doc_new_map());
    DOC_EACH (c, r->components)
        DOC_EACH (p, doc_get(c, "packages")) {
            const char *digest = release_package(r, doc_text(p, "name"));
            if (digest)
                doc_set_fmt(tree, doc_text(p, "name"), HOME "/tree/%s", digest);
        }
}

struct err *render_vars(struct doc **ret, const struct cluster *c, const struct release *r, const struct identity *id)
{
    OWN_DOC struct doc *vars = doc_new_map();
    TRY(settings_add(vars, r, c));
    struct doc *cluster = doc_set(vars, "cluster", doc_new_map());
    doc_set_text(cluster, "name", c->name);
    doc_set_text(cluster, "domain", "cluster.local");
    struct doc *path = doc_set(vars, "path", doc_new_map());
    doc_set_text(path, "files", HOME "/current/files");
    doc_set_text(path, "pki", HOME "/pki");
    doc_set_text(path, "runtime", HOME "/runtime");
    doc_set_text(path, "helper", HOME "/bin/caisson-node");
    doc_set(vars, "ca", doc_clone(id->authorities));
    struct doc *account = doc_set(vars, "serviceAccount", doc_new_map());
    doc_set_text(account, "publicKey", id->service_account_public);
    TRY(add_network(vars, c));
    add_control_plane(vars, c);
    add_trees(vars, r);
    *ret = TAKE(vars);
    return NULL;
}

/* ---- one node ---- */

struct renderer {
    const struct cluster *c;
    const struct release *r;
    const struct identity *id;
    const struct host *h;
    struct doc *vars;    /* with node.*, without secrets */
    struct doc *secrets; /* the same with secret.* */
    struct generation *g;
};

static void set_digest(struct doc *d, const char *key, const char hex[DIGEST_HEX])
{
    doc_set_text(d, key, hex);
}

static struct err *fill_file(struct buf *out, const struct doc *f, const struct doc *vars)
{
    const struct doc *tree = doc_get(f, "json");
    if (!tree) {
        const char *text = doc_text(f, "text");
        return template_text(out, text ? text : "", vars, f);
    }
    OWN_DOC struct doc *filled = NULL;
    TRY(template_tree(&filled, tree, vars));
    TRY(doc_json_write(out, filled));
    return buf_str(out, "\n");
}

static struct err *add_file(struct renderer *x, const struct doc *f)
{
    bool secret = doc_bool(f, "secret", false);
    const char *mode = doc_text(f, "mode");
    char hex[DIGEST_HEX];
    OWN_SECRET_BUF struct buf text = {.max = (size_t)4 << 20};
    TRY(fill_file(&text, f, secret ? x->secrets : x->vars));
    if (secret)
        TRY(hmac_hex(hex, x->id->digest_key, strlen(x->id->digest_key), buf_text(&text), text.len));
    else
        TRY(digest_hex(hex, buf_text(&text), text.len));
    doc_set_text(secret ? x->g->secrets : x->g->texts, hex, buf_text(&text));
    struct doc *file = doc_add(doc_get(x->g->manifest, "files"), doc_new_map());
    doc_set_text(file, "name", doc_text(f, "name"));
    doc_set_text(file, "mode", mode ? mode : "0600");
    doc_set_int(file, "uid", doc_int(f, "owner", 0));
    doc_set_int(file, "gid", doc_int(f, "owner", 0));
    doc_set_text(file, "source", secret ? "secret" : "inline");
    set_digest(file, "digest", hex);
    return NULL;
}

/* What a running unit would have to be restarted for: its own text and the files it names. */
static struct err *unit_inputs(char ret[DIGEST_HEX], const struct generation *g, const struct doc *u, const char *text)
{
    OWN_BUF struct buf all = {0};
    TRY(buf_str(&all, text));
    DOC_EACH (v, doc_get(u, "restartOn")) {
        const char *digest = doc_text(doc_find(doc_get(g->manifest, "files"), "name", v->text), "digest");
        if (!digest)
            return doc_err(ERR_USAGE, v, "restartOn: no file \"%s\" on this node", v->text);
        TRY(buf_fmt(&all, "\n%s %s", v->text, digest));
    }
    return digest_hex(ret, buf_text(&all), all.len);
}

static struct err *add_unit(struct renderer *x, const struct doc *u)
{
    char hex[DIGEST_HEX], inputs[DIGEST_HEX];
    OWN_BUF struct buf text = {0};
    const char *source = doc_text(u, "text");
    TRY(template_text(&text, source ? source : "", x->vars, u));
    TRY(digest_hex(hex, buf_text(&text), text.len));
    TRY(unit_inputs(inputs, x->g, u, buf_text(&text)));
    doc_set_text(x->g->texts, hex, buf_text(&text));
    struct doc *unit = doc_add(doc_get(x->g->manifest, "units"), doc_new_map());
    doc_set_text(unit, "name", doc_text(u, "name"));
    doc_set_bool(unit, "enabled", true);
    set_digest(unit, "digest", hex);
    set_digest(unit, "inputs", inputs);
    const struct doc *ready = doc_get(u, "ready");
    if (!ready)
        return NULL;
    struct doc *filled = NULL;
    TRY(template_tree(&filled, ready, x->vars));
    doc_set(unit, "ready", filled);
    return NULL;
}

static void add_trees_of(struct renderer *x, const struct doc *component)
{
    DOC_EACH (p, doc_get(component, "packages")) {
        const char *digest =
            host_has_role(x->h, doc_get(p, "roles")) ? release_package(x->r, doc_text(p, "name")) : NULL;
        if (digest)
            doc_add_text(doc_get(x->g->manifest, "trees"), digest);
    }
}

static void add_plain(struct renderer *x, const struct doc *component)
{
    struct doc *m = x->g->manifest;
    DOC_EACH (v, doc_get(component, "sysctl"))
        doc_set_text(doc_get(m, "sysctl"), v->key, v->text);
    DOC_EACH (v, doc_get(component, "modules"))
        doc_add(doc_get(m, "modules"), doc_clone(v));
    DOC_EACH (v, doc_get(component, "ownedPaths"))
        doc_add_text(doc_get(m, "owned"), v->text);
}

/* release.json knows the images by final name and digest. */
static void add_images(struct renderer *x)
{
    DOC_EACH (c, doc_get(x->r->head, "components"))
        DOC_EACH (i, doc_get(c, "images"))
            if (host_has_role(x->h, doc_get(i, "role"))) {
                OWN_FREE char *both = str_fmt("%s@%s", doc_text(i, "name"), doc_text(i, "manifestDigest"));
                doc_add_text(doc_get(x->g->manifest, "images"), both ? both : "");
            }
}

static struct err *add_component(struct renderer *x, const struct doc *d)
{
    doc_set_text(x->vars, "version", doc_text(d, "version"));
    doc_set_text(x->secrets, "version", doc_text(d, "version"));
    add_trees_of(x, d);
    add_plain(x, d);
    DOC_EACH (f, doc_get(d, "files"))
        if (host_has_role(x->h, doc_get(f, "roles")))
            TRY_CTX(add_file(x, f), "%s", doc_text(f, "name"));
    DOC_EACH (l, doc_get(d, "certificates"))
        if (host_has_role(x->h, doc_get(l, "roles")))
            TRY(leaf_render(x->g->leafs, doc_get(x->g->manifest, "leafs"), l, x->vars, x->id->authorities));
    return NULL;
}

/* The first control-plane hosts form etcd's initial cluster together; the file is read only by an empty
 * member. */
static struct err *add_runtime(struct renderer *x)
{
    OWN_BUF struct buf targets = {0};
    OWN_BUF struct buf members = {0};
    for (size_t i = 0; i < x->c->n_hosts; i++) {
        const struct host *h = &x->c->hosts[i];
        if (!h->control_plane)
            continue;
        TRY(buf_fmt(&targets, "%s:6443\n", h->address));
        TRY(buf_fmt(&members, "%s%s=https://%s:2380", members.len ? "," : "", h->name, h->address));
    }
    doc_set_text(x->g->runtime, "apiserver.targets", buf_text(&targets));
    if (x->h->control_plane)
        doc_set_fmt(x->g->initial, "etcd.env",
                    "ETCD_INITIAL_CLUSTER=%s\nETCD_INITIAL_CLUSTER_STATE=new\nETCD_INITIAL_CLUSTER_TOKEN=%s\n",
                    buf_text(&members), x->c->name);
    return NULL;
}

static void generation_start(struct renderer *x)
{
    struct generation *g = x->g;
    *g = (struct generation){.host = x->h,
                             .manifest = doc_new_map(),
                             .texts = doc_new_map(),
                             .secrets = doc_new_map(),
                             .leafs = doc_new_map(),
                             .runtime = doc_new_map(),
                             .initial = doc_new_map()};
    doc_set_int(g->manifest, "schema", 1);
    doc_set_text(g->manifest, "cluster", x->c->name);
    doc_set_text(g->manifest, "node", x->h->name);
    static const char *const lists[] = {"files", "trees", "units", "leafs", "modules", "images", "owned"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        doc_set(g->manifest, lists[i], doc_new_list());
    doc_set(g->manifest, "sysctl", doc_new_map());
    struct doc *node = doc_set(x->vars, "node", doc_new_map());
    doc_set_text(node, "name", x->h->name);
    doc_set_text(node, "address", x->h->address);
    x->secrets = doc_clone(x->vars);
    doc_set(x->secrets, "secret", doc_clone(x->id->shared));
}

static struct err *render_all(struct renderer *x)
{
    DOC_EACH (d, x->r->components)
        TRY_CTX(add_component(x, d), "component %s", doc_text(d, "name"));
    DOC_EACH (d, x->r->components)
        DOC_EACH (u, doc_get(d, "units"))
            if (host_has_role(x->h, doc_get(u, "roles")))
                TRY_CTX(add_unit(x, u), "component %s", doc_text(d, "name"));
    add_images(x);
    TRY(add_runtime(x));
    OWN_BUF struct buf bytes = {0};
    TRY(doc_json_write(&bytes, x->g->manifest));
    return digest_hex(x->g->digest, bytes.at, bytes.len);
}

struct err *render_generation(struct generation *ret, const struct cluster *c, const struct release *r,
                              const struct identity *id, const struct doc *vars, const struct host *h)
{
    struct renderer x = {.c = c, .r = r, .id = id, .h = h, .vars = doc_clone(vars), .g = ret};
    generation_start(&x);
    struct err *e = render_all(&x);
    doc_free(x.vars);
    doc_free(x.secrets);
    if (e)
        generation_done(ret);
    return err_wrap(e, "generation of %s", h->name);
}

struct err *render_objects(struct doc **ret, const struct release *r, const struct doc *vars)
{
    OWN_DOC struct doc *all = doc_new_list();
    OWN_DOC struct doc *own = doc_clone(vars);
    DOC_EACH (d, r->components) {
        doc_set_text(own, "version", doc_text(d, "version"));
        DOC_EACH (o, doc_get(d, "manifestObjects")) {
            struct doc *filled = NULL;
            TRY_CTX(template_tree(&filled, o, own), "component %s", doc_text(d, "name"));
            doc_add(all, filled);
        }
    }
    *ret = TAKE(all);
    return NULL;
}

void generation_done(struct generation *g)
{
    doc_free(g->manifest);
    doc_free(g->texts);
    doc_free(g->secrets);
    doc_free(g->leafs);
    doc_free(g->runtime);
    doc_free(g->initial);
    *g = (struct generation){0};
}
