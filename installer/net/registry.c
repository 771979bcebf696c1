#include "net/registry.h"

#include "base/file.h"
#include "bundle/format.h"
#include "bundle/oci.h"
#include "crypt/digest.h"
#include "net/cache.h"
#include "net/download.h"
#include "net/partial.h"
#include "net/registry_api.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { LOGINS_MAX = 5 };

static const char accepted[] = MEDIA_INDEX ", " MEDIA_MANIFEST ", " MEDIA_DOCKER_INDEX ", " MEDIA_DOCKER_MANIFEST;
/* A pull from one site. */
struct pull {
    const struct registry_pull *want;
    struct registry *r;
    const struct imageref *ref;
    struct site site;
    struct registry_image *image;
};

/* A manifest, an index or a config, with its digest. */
struct node {
    struct reply reply;
    struct doc *doc;
    char sha256[DIGEST_HEX];
};

static void node_done(struct node *n)
{
    reply_done(&n->reply);
    doc_free(n->doc);
}
#define OWN_NODE OWN(node_done)

static struct err *keep(const struct pull *p, const struct node *n)
{
    return cache_put(p->want->cache, n->sha256, n->reply.body.at, n->reply.body.len);
}

/* ---- what is small ---- */

static struct err *read_node(struct node *n, const char *expected)
{
    TRY(digest_hex(n->sha256, buf_text(&n->reply.body), n->reply.body.len));
    if (expected && strcmp(expected, n->sha256) != 0)
        return err_new(ERR_UNTRUSTED, "E_DIGEST: the registry gives sha256:%s for sha256:%s", n->sha256, expected);
    const char *said = format_hex(n->reply.digest);
    if (said && strcmp(said, n->sha256) != 0)
        return err_new(ERR_UNTRUSTED, "E_DIGEST: the registry says sha256:%s and gives sha256:%s", said, n->sha256);
    struct err *e = doc_json(&n->doc, n->sha256, buf_text(&n->reply.body), n->reply.body.len);
    if (!e && n->doc->kind != DOC_MAP)
        e = err_new(ERR_UNTRUSTED, "%s is no object", n->sha256);
    return err_as(err_wrap(e, "E_OCI"), ERR_UNTRUSTED);
}

/* `what` is "manifests" or "blobs"; `expected` its digest, or NULL: the tag. */
static struct err *get_node(struct node *n, const struct pull *p, const char *what, const char *expected)
{
    OWN_FREE char *rest = expected ? str_fmt("/%s/sha256:%s", what, expected) : str_fmt("/%s/%s", what, p->ref->tag);
    if (!rest)
        return err_os(ENOMEM, "registry");
    bool manifest = strcmp(what, "manifests") == 0;
    TRY(registry_get(&n->reply, p->r, &p->site, rest, manifest ? accepted : "*/*", FORMAT_MANIFEST_BYTES_MAX));
    return read_node(n, expected);
}

/* By what it says of itself, else by what the registry says. */
static const char *type_of(const struct node *n)
{
    const char *own = doc_text(n->doc, "mediaType");
    return own ? own : n->reply.type;
}

/* ---- descriptors ---- */

static struct err *check_descriptor(const struct doc *d, const char *what)
{
    if (!d || d->kind != DOC_MAP || !format_hex(doc_text(d, "digest")) || doc_int(d, "size", 0) <= 0)
        return err_new(ERR_UNTRUSTED, "E_OCI: %s has no sha256 digest or no size", what);
    if (doc_get(d, "urls") || doc_get(d, "data"))
        return err_new(ERR_UNTRUSTED, "E_OCI: %s has its bytes elsewhere (`urls` or `data`)", what);
    return NULL;
}

static struct err *check_size(const struct doc *d, const struct node *n)
{
    if (doc_int(d, "size", 0) == (int64_t)n->reply.body.len)
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_SIZE: sha256:%s has %zu bytes, its descriptor says %s", n->sha256,
                   n->reply.body.len, doc_text(d, "size"));
}

static struct err *check_layer(const struct doc *d)
{
    TRY(check_descriptor(d, "a layer"));
    if (oci_is_layer(doc_text(d, "mediaType")))
        return NULL;
    return err_new(ERR_UNTRUSTED, "E_OCI: a layer of an unknown or foreign type");
}

/* The image for the platform: the first, if there are more. */
static struct err *choose(const struct doc **ret, const struct node *index, const char *platform)
{
    OWN_BUF struct buf has = {.max = 400};
    *ret = oci_choose(index->doc, platform);
    if (*ret)
        return check_descriptor(*ret, "an image of the index");
    DOC_EACH (v, doc_get(index->doc, "manifests")) {
        const struct doc *p = doc_get(v, "platform");
        if (doc_text(p, "os") && doc_text(p, "architecture"))
            err_ignore(buf_fmt(&has, "%s%s/%s", has.len ? ", " : "", doc_text(p, "os"), doc_text(p, "architecture")));
    }
    return err_new(ERR_UNTRUSTED, "E_PLATFORM: it has no image for %s, only for: %s", platform,
                   has.len ? buf_text(&has) : "none");
}

/* ---- layers ---- */

/* All bytes of the layers, or those that are not there: neither the layer nor its half. */
static uint64_t sum_of(const struct doc *layers, const char *missing_in)
{
    uint64_t sum = 0;
    DOC_EACH (v, layers) {
        OWN_FREE char *path = missing_in ? cache_path(missing_in, format_hex(doc_text(v, "digest"))) : NULL;
        uint64_t size = (uint64_t)doc_int(v, "size", 0), half = path ? partial_room(path) : 0;
        bool there = path && file_exists(AT_FDCWD, path);
        sum += there ? 0 : size - (half < size ? half : size);
    }
    return sum;
}

/* What to log in with; a login that has run out is renewed by asking for the manifest. */
static struct err *current_login(const char **ret, const struct pull *p, const char *manifest)
{
    OWN_NODE struct node again = {0};
    if (!registry_grant(ret, p->r, &p->site))
        return NULL;
    TRY(get_node(&again, p, "manifests", manifest));
    (void)registry_grant(ret, p->r, &p->site);
    return NULL;
}

/*
 * A login may run out while a large layer comes over a bad link: with another one it is gone on with, as often as the
 * one before brought something.
 */
static struct err *download_layer(const struct pull *p, struct download *d, const char *manifest)
{
    struct download_result result;
    uint64_t had = 0;
    for (int logins = 1;; logins++) {
        TRY(current_login(&d->authorization, p, manifest));
        struct err *e = download(&result, d, p->r->net);
        logins = result.kept > had ? 1 : logins;
        had = result.kept > had ? result.kept : had;
        bool ended = e && d->authorization && strstr(err_text(e), "E_SRC_HTTP: the server says 401");
        if (!ended || logins == LOGINS_MAX)
            return e;
        err_free(e);
        registry_expire(p->r, &p->site);
    }
}

static struct err *get_layer(const struct pull *p, const struct doc *d, const char *manifest)
{
    const char *hex = format_hex(doc_text(d, "digest"));
    uint64_t size = (uint64_t)doc_int(d, "size", 0);
    OWN_FREE char *path = cache_path(p->want->cache, hex), *url = str_fmt("%s/blobs/sha256:%s", p->site.base, hex);
    OWN_STRS struct strs urls = {0};
    bool there = false;
    if (!path || !url)
        return err_os(ENOMEM, "registry");
    TRY(cache_has(&there, p->want->cache, hex, size));
    if (there && p->want->progress)
        p->want->progress(p->want->self, (int64_t)size);
    if (there)
        return NULL;
    TRY(strs_add(&urls, url));
    struct download want = {
        .path = path, .urls = &urls, .size = size, .sha256 = hex, .progress = p->want->progress, .self = p->want->self};
    return download_layer(p, &want, manifest);
}

static struct err *get_layers(const struct pull *p, const struct node *manifest)
{
    const struct doc *layers = doc_get(manifest->doc, "layers");
    if (!layers || layers->kind != DOC_LIST)
        return err_new(ERR_UNTRUSTED, "E_OCI: the manifest has no layers");
    DOC_EACH (v, layers)
        TRY(check_layer(v));
    if (p->want->begin)
        p->want->begin(p->want->self, sum_of(layers, NULL));
    TRY(cache_space(p->want->cache, sum_of(layers, p->want->cache)));
    DOC_EACH (v, layers)
        TRY(get_layer(p, v, manifest->sha256));
    return NULL;
}

/* ---- an image ---- */

static struct err *get_config(const struct pull *p, const struct doc *d)
{
    OWN_NODE struct node config = {0};
    TRY(check_descriptor(d, "the config"));
    TRY(get_node(&config, p, "blobs", format_hex(doc_text(d, "digest"))));
    TRY(check_size(d, &config));
    if (!oci_is_for(config.doc, p->want->platform))
        return err_new(ERR_UNTRUSTED, "E_PLATFORM: its config is for %s/%s, wanted is %s",
                       doc_text(config.doc, "os") ? doc_text(config.doc, "os") : "?",
                       doc_text(config.doc, "architecture") ? doc_text(config.doc, "architecture") : "?",
                       p->want->platform);
    return keep(p, &config);
}

static struct err *get_image(const struct pull *p, const struct node *manifest)
{
    if (!oci_is_manifest(type_of(manifest)))
        return err_new(ERR_UNTRUSTED, "E_OCI: sha256:%s is no image manifest but \"%s\"", manifest->sha256,
                       type_of(manifest));
    if (p->want->sha256 && strcmp(p->want->sha256, manifest->sha256) != 0)
        return err_new(ERR_UNTRUSTED, "E_DIGEST: it has the manifest sha256:%s, wanted is sha256:%s", manifest->sha256,
                       p->want->sha256);
    TRY(get_config(p, doc_get(manifest->doc, "config")));
    TRY(get_layers(p, manifest));
    (void)snprintf(p->image->sha256, sizeof p->image->sha256, "%s", manifest->sha256);
    p->image->size = manifest->reply.body.len;
    return keep(p, manifest);
}

static struct err *get_from_index(const struct pull *p, const struct node *index)
{
    OWN_NODE struct node manifest = {0};
    const struct doc *d = NULL;
    TRY(choose(&d, index, p->want->platform));
    TRY(get_node(&manifest, p, "manifests", format_hex(doc_text(d, "digest"))));
    TRY(check_size(d, &manifest));
    if (!str_eq(doc_text(d, "mediaType"), type_of(&manifest)))
        return err_new(ERR_UNTRUSTED, "E_OCI: sha256:%s is \"%s\", its descriptor says otherwise", manifest.sha256,
                       type_of(&manifest));
    TRY(keep(p, index));
    TRY(get_image(p, &manifest));
    (void)snprintf(p->image->index, sizeof p->image->index, "%s", index->sha256);
    p->image->index_size = index->reply.body.len;
    return NULL;
}

static struct err *pull_from(struct registry_image *ret, struct registry *r, const struct registry_pull *want,
                             const struct imageref *ref, const char *base)
{
    OWN_NODE struct node first = {0};
    const struct pull p = {.want = want, .r = r, .ref = ref, .site = {.base = base, .path = ref->path}, .image = ret};
    const char *pinned = want->index ? want->index : want->sha256 ? want->sha256 : ref->sha256;
    *ret = (struct registry_image){0};
    TRY(get_node(&first, &p, "manifests", pinned));
    return oci_is_index(type_of(&first)) ? get_from_index(&p, &first) : get_image(&p, &first);
}

/* What a tag means is not to be changed on the way; of what is locked the digest tells. */
static struct err *check_base(const char *base, bool known)
{
    if (known || str_starts(base, "https://"))
        return NULL;
    return err_hint(err_new(ERR_USAGE, "--mirror: %s: it must be https for what is not locked yet", base),
                    "a mirror over http can serve what the lock has");
}

/* Where the image is: at mirrors, then at the registry, whose API may have another host than its images are called by.
 */
static struct err *bases_of(struct strs *ret, struct registry *r, const struct imageref *ref, bool known)
{
    OWN_STRS struct strs all = {0};
    OWN_DOC struct doc *urls = doc_new_list();
    OWN_FREE char *base = str_fmt("https://%s/v2/%s", ref->host, ref->path);
    if (!base)
        return err_os(ENOMEM, "registry");
    doc_add_text(urls, base);
    TRY(net_sources(&all, r->net, urls));
    for (size_t i = 0; i < all.n; i++) {
        TRY(check_base(all.at[i], known));
        bool docker = strcmp(all.at[i], base) == 0 && strcmp(ref->host, "docker.io") == 0;
        OWN_FREE char *api = docker ? str_fmt("https://registry-1.docker.io/v2/%s", ref->path) : strdup(all.at[i]);
        TRY(api ? strs_add(ret, api) : err_os(ENOMEM, "registry"));
    }
    return NULL;
}

struct err *registry_pull(struct registry_image *ret, struct registry *r, const struct registry_pull *want)
{
    OWN_IMAGEREF struct imageref ref = {0};
    OWN_STRS struct strs bases = {0};
    struct err *worst = NULL;
    TRY(cache_make(want->cache));
    TRY(imageref_parse(&ref, want->ref));
    TRY(bases_of(&bases, r, &ref, want->sha256 || ref.sha256));
    for (size_t i = 0; i < bases.n; i++) {
        struct err *e = pull_from(ret, r, want, &ref, bases.at[i]);
        if (!e || !net_next_may_help(e)) {
            err_free(worst);
            return err_wrap(e, "image %s", ref.name);
        }
        worst = net_worse(worst, e);
    }
    return err_wrap(worst, "image %s", ref.name);
}
