#include "rig.h"

#include "plan/template.h"

static struct doc *load(const char *folder, const char *name, const char *suffix, bool all)
{
    OWN_FREE char *path = str_fmt(SOURCE_DIR "/%s/%s%s", folder, name, suffix);
    OWN_BUF struct buf text = {0};
    struct doc *d = NULL;
    OK(file_read(&text, AT_FDCWD, path));
    OK(all ? doc_yaml_all(&d, path, text.at, text.len) : doc_yaml(&d, path, text.at, text.len));
    return d;
}

static void set_digest_of(struct doc *d, const char *key, const char *what)
{
    char hex[DIGEST_HEX];
    OK(digest_hex(hex, what, strlen(what)));
    doc_set_fmt(d, key, "sha256:%s", hex);
}

/* An entry of release.json as the builder writes it, with the digest of its own name in place of its bytes'. */
static struct doc *head_entry(const struct doc *definition, const char *version)
{
    struct doc *c = doc_new_map();
    OWN_DOC struct doc *vars = doc_new_map();
    doc_set_text(vars, "version", version);
    doc_set_text(c, "name", doc_text(definition, "metadata.name"));
    doc_set_text(c, "version", version);
    struct doc *artifacts = doc_set(c, "artifacts", doc_new_list()), *images = doc_set(c, "images", doc_new_list());
    DOC_EACH (p, doc_get(definition, "packages")) {
        struct doc *a = doc_add(artifacts, doc_new_map());
        doc_set_text(a, "name", doc_text(p, "name"));
        set_digest_of(a, "digest", doc_text(p, "name"));
        doc_set_int(a, "rawSize", 1000);
        doc_set(a, "role", doc_clone(doc_get(p, "roles")));
    }
    DOC_EACH (i, doc_get(definition, "images")) {
        OWN_BUF struct buf name = {0};
        OK(template_text(&name, doc_text(i, "name"), vars, i));
        struct doc *m = doc_add(images, doc_new_map());
        doc_set_text(m, "name", buf_text(&name));
        set_digest_of(m, "manifestDigest", buf_text(&name));
        doc_set(m, "role", doc_clone(doc_get(i, "roles")));
    }
    return c;
}

static struct doc *read_objects(const struct doc *definition)
{
    struct doc *all = doc_new_list();
    DOC_EACH (m, doc_get(definition, "manifests")) {
        OWN_DOC struct doc *some = load("bundles", doc_text(m, "file"), "", true);
        DOC_EACH (o, some)
            doc_add(all, doc_clone(o));
    }
    return all;
}

void rig_init(struct rig *g)
{
    OWN_DOC struct doc *profile = load("profiles", "minimal", ".yaml", false), *head = doc_new_map();
    struct doc *entries = doc_set(head, "components", doc_new_list());
    const struct doc *wanted = doc_path(profile, "spec.components");
    DOC_EACH (c, wanted) {
        OWN_DOC struct doc *definition = load("bundles", doc_text(c, "name"), ".yaml", false);
        doc_add(entries, head_entry(definition, doc_text(c, "version")));
    }
    release_init(&g->release, head);
    DOC_EACH (c, wanted) {
        struct doc *definition = load("bundles", doc_text(c, "name"), ".yaml", false);
        OK(release_add(&g->release, definition, read_objects(definition)));
    }
    g->authorities = doc_new_map();
    doc_set_text(g->authorities, "kubernetes", "-- certificate of kubernetes --\n");
    doc_set_text(g->authorities, "etcd", "-- certificate of etcd --\n");
    doc_set_text(g->authorities, "front-proxy", "-- certificate of front-proxy --\n");
    g->shared = doc_new_map();
    doc_set_text(g->shared, "serviceAccountKey", CANARY_KEY "\n");
    doc_set_text(g->shared, "encryptionKey", CANARY_ENCRYPTION);
    g->id = (struct identity){.authorities = g->authorities,
                              .shared = g->shared,
                              .service_account_public = "-- public key --\n",
                              .digest_key = CANARY_DIGEST_KEY};
}

void rig_done(struct rig *g)
{
    release_done(&g->release);
    doc_free(g->authorities);
    doc_free(g->shared);
}

struct cluster *rig_cluster(const char *more)
{
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *path = check_path(folder, "cluster.yaml");
    OWN_FREE char *text = str_fmt("apiVersion: caisson.dev/v1\nkind: Cluster\nmetadata: {name: lab}\nspec:\n"
                                  "  release: r\n  trust: [t]\n  profile: minimal\n%s",
                                  more);
    struct cluster *c = NULL;
    check_write(folder, "cluster.yaml", text, strlen(text));
    OK(cluster_load(&c, path));
    return c;
}

void rig_render(struct rendering *ret, const struct rig *g, struct cluster *c)
{
    *ret = (struct rendering){.cluster = c, .of = calloc(c->n_hosts, sizeof *ret->of)};
    assert_non_null(ret->of);
    OK(render_vars(&ret->vars, c, &g->release, &g->id));
    OK(render_objects(&ret->objects, &g->release, ret->vars));
    for (size_t i = 0; i < c->n_hosts; i++)
        OK(render_generation(&ret->of[i], c, &g->release, &g->id, ret->vars, &c->hosts[i]));
}

void rendering_done(struct rendering *x)
{
    for (size_t i = 0; x->of && i < x->cluster->n_hosts; i++)
        generation_done(&x->of[i]);
    free(x->of);
    doc_free(x->vars);
    doc_free(x->objects);
    cluster_free(x->cluster);
}

const struct generation *rendering_of(const struct rendering *x, const char *host)
{
    const struct host *h = cluster_host(x->cluster, host);
    assert_non_null(h);
    return &x->of[h - x->cluster->hosts];
}

char *rig_json(const struct doc *d)
{
    struct buf out = {0};
    OK(doc_json_write(&out, d));
    return buf_take(&out);
}

char *rig_bytes(const struct generation *g)
{
    OWN_FREE char *manifest = rig_json(g->manifest), *texts = rig_json(g->texts), *secrets = rig_json(g->secrets),
                  *leafs = rig_json(g->leafs), *runtime = rig_json(g->runtime);
    return str_fmt("%s\n%s\n%s\n%s\n%s\n%s", g->digest, manifest, texts, secrets, leafs, runtime);
}

const char *rig_file(const struct generation *g, const char *name)
{
    DOC_EACH (f, doc_get(g->manifest, "files")) {
        bool secret = str_eq(doc_text(f, "source"), "secret");
        if (str_eq(doc_text(f, "name"), name))
            return doc_text(secret ? g->secrets : g->texts, doc_text(f, "digest"));
    }
    return NULL;
}

static char *joined(struct strs *l)
{
    struct buf out = {0};
    strs_sort(l);
    for (size_t i = 0; i < l->n; i++)
        OK(buf_fmt(&out, "%s%s", i ? " " : "", l->at[i]));
    char *text = strdup(buf_text(&out));
    buf_done(&out);
    return text;
}

char *rig_names(const struct doc *list, const char *key)
{
    OWN_STRS struct strs names = {0};
    DOC_EACH (v, list)
        OK(strs_add(&names, doc_text(v, key)));
    return joined(&names);
}

static const char *inputs_of(const struct generation *g, const char *unit)
{
    DOC_EACH (u, doc_get(g->manifest, "units"))
        if (str_eq(doc_text(u, "name"), unit))
            return doc_text(u, "inputs");
    return NULL;
}

char *rig_changed_units(const struct generation *a, const struct generation *b)
{
    OWN_STRS struct strs names = {0};
    DOC_EACH (u, doc_get(a->manifest, "units"))
        if (!str_eq(doc_text(u, "inputs"), inputs_of(b, doc_text(u, "name"))))
            OK(strs_add(&names, doc_text(u, "name")));
    DOC_EACH (u, doc_get(b->manifest, "units"))
        if (!inputs_of(a, doc_text(u, "name")))
            OK(strs_add(&names, doc_text(u, "name")));
    return joined(&names);
}

struct doc *rig_state(const struct generation *g, int64_t not_after)
{
    struct doc *s = doc_new_map();
    doc_set_int(s, "generation", 1);
    doc_set_text(s, "digest", g->digest);
    doc_set_bool(s, "pending", false);
    struct doc *units = doc_set(s, "units", doc_new_list()), *leafs = doc_set(s, "leafs", doc_new_map());
    struct doc *runtime = doc_set(s, "runtime", doc_new_map());
    DOC_EACH (u, doc_get(g->manifest, "units")) {
        struct doc *have = doc_add(units, doc_new_map());
        doc_set_text(have, "name", doc_text(u, "name"));
        doc_set_text(have, "inputs", doc_text(u, "inputs"));
    }
    DOC_EACH (l, g->leafs) {
        struct doc *have = doc_set(leafs, l->key, doc_new_map());
        doc_set_text(have, "description", doc_text(l, "description"));
        doc_set_int(have, "notAfter", not_after);
    }
    DOC_EACH (f, g->runtime) {
        char hex[DIGEST_HEX];
        OK(digest_hex(hex, f->text, strlen(f->text)));
        doc_set_text(runtime, f->key, hex);
    }
    doc_set(s, "images", doc_clone(doc_get(g->manifest, "images")));
    return s;
}
