/* workshop: a folder with a tiny profile, its definitions, a lock, a filled cache and keys. */
#pragma once
#include "check.h"
#include "crypt/digest.h"
#include "pack/ustar_write.h"
#include "supply/build.h"
#include "supply/keys.h"

#include <sys/mman.h>
#include <sys/stat.h>

struct workshop {
    char *folder;
    char *profile, *addon, *bundles, *lock, *addon_lock, *cache, *key, *pub, *out, *addon_out;
    struct build_opts opts; /* ready for bundle_build() of the profile */
};

static inline void workshop_put_bytes(const struct workshop *w, const char *name, const void *p, size_t n)
{
    OWN_FREE char *path = check_path(w->folder, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    OK(file_mkdirs(AT_FDCWD, path, 0755));
    *slash = '/';
    OK(file_replace(AT_FDCWD, path, p, n, 0644));
}

static inline void workshop_put(const struct workshop *w, const char *name, const char *text)
{
    workshop_put_bytes(w, name, text, strlen(text));
}

/* Puts bytes into the cache; their digest into `ret`. */
static inline void workshop_blob(char ret[65], const struct workshop *w, const void *p, size_t n)
{
    char name[128];
    OK(digest_hex(ret, p, n));
    (void)snprintf(name, sizeof name, "cache/blobs/sha256/%s", ret);
    workshop_put_bytes(w, name, p, n);
}

static const char workshop_tool[] = "#!/bin/sh\necho tool\n";
static const char workshop_config[] = "{\"architecture\":\"amd64\",\"os\":\"linux\"}";

static inline void workshop_definitions(const struct workshop *w)
{
    workshop_put(w, "profiles/tiny.yaml",
                 "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: tiny}\nspec:\n"
                 "  version: 1.0.0\n  components:\n    - {name: tool, version: 1.2.3}\n    - pause\n");
    workshop_put(w, "profiles/addon.yaml",
                 "apiVersion: caisson.dev/v1\nkind: Profile\nmetadata: {name: addon}\nspec:\n"
                 "  version: 1.0.0\n  requires: tiny\n  components: [tool]\n");
    workshop_put(w, "bundles/tool.yaml",
                 "apiVersion: caisson.dev/v1\nkind: Component\n"
                 "metadata: {name: tool, license: MIT, supplier: example, purl: \"pkg:generic/tool\"}\n"
                 "versions: [{version: 2.0.0}, {version: 1.2.3}]\n"
                 "packages:\n  - name: tool\n    roles: [all]\n    files:\n"
                 "      - {path: bin/tool, from: \"tool-${version}\", mode: \"0755\"}\n"
                 "      - {path: bin/alias, link: tool}\n"
                 "manifests:\n  - {file: tool/tool.yaml}\n");
    workshop_put(w, "bundles/tool/tool.yaml", "kind: Namespace\n");
    workshop_put(w, "bundles/pause.yaml",
                 "apiVersion: caisson.dev/v1\nkind: Component\n"
                 "metadata: {name: pause, license: MIT, supplier: example, purl: \"pkg:generic/pause\"}\n"
                 "versions: [{version: \"3.10\"}]\n"
                 "images:\n  - {name: \"registry.example/pause:${version}\", roles: [all], pin: true}\n"
                 "settings: {pause: {image: {type: string, default: \"registry.example/pause:${version}\"}}}\n");
}

/* A tar of two files, "z" and "a". */
static inline void workshop_layer(struct buf *out)
{
    static const char *const names[] = {"z", "a"};
    OWN_FD int fd = memfd_create("layer", MFD_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        OK(ustar_write_member(fd, names[i], 0, "of the layer", 12));
    OK(ustar_write_end(fd));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    OK(fd_read_all(fd, out));
}

/* Locks both profiles, with these bytes for the tool and this manifest of the image. */
static inline void workshop_lock_image(const struct workshop *w, const struct buf *tool_bytes, const char *m)
{
    char tool[65], manifest[65];
    workshop_blob(tool, w, tool_bytes->at, tool_bytes->len);
    workshop_blob(manifest, w, m, strlen(m));
    static const char rest[] =
        "\"license\":\"MIT\",\"platform\":\"linux/amd64\",\"upstream\":{\"type\":\"none\",\"ref\":\"x\"},\"urls\":[]";
    for (int i = 0; i < 2; i++) {
        OWN_FREE char *lock =
            str_fmt("{\"entries\":[{\"component\":\"pause\",\"id\":\"pause/3.10/"
                    "image\",\"kind\":\"oci\",\"name\":\"registry.example/pause:3.10\","
                    "\"purl\":\"pkg:generic/pause@3.10\",\"sha256\":\"%s\",\"size\":%zu,\"version\":\"3.10\",%s},"
                    "{\"component\":\"tool\",\"file\":\"tool-1.2.3\",\"id\":\"tool/1.2.3/tool\",\"kind\":\"file\","
                    "\"purl\":\"pkg:generic/tool@1.2.3\",\"sha256\":\"%s\",\"size\":%zu,\"version\":\"1.2.3\",%s}],"
                    "\"platform\":\"linux/amd64\",\"profile\":\"%s\",\"schema\":1}\n",
                    manifest, strlen(m), rest, tool, tool_bytes->len, rest, i ? "addon" : "tiny");
        workshop_put(w, i ? "cache/lock/addon.lock.json" : "cache/lock/tiny.lock.json", lock);
    }
}

/* The same with an image of that one layer. */
static inline void workshop_lock(const struct workshop *w, const struct buf *tool_bytes, const struct buf *layer_bytes)
{
    char config[65], layer[65];
    workshop_blob(config, w, workshop_config, strlen(workshop_config));
    workshop_blob(layer, w, layer_bytes->at, layer_bytes->len);
    OWN_FREE char *m =
        str_fmt("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
                "\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
                "\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
                config, strlen(workshop_config), layer, layer_bytes->len);
    workshop_lock_image(w, tool_bytes, m);
}

static inline struct workshop workshop_new(void)
{
    struct workshop w = {.folder = check_folder()};
    char id[65];
    w.profile = check_path(w.folder, "profiles/tiny.yaml");
    w.addon = check_path(w.folder, "profiles/addon.yaml");
    w.bundles = check_path(w.folder, "bundles");
    w.cache = check_path(w.folder, "cache");
    w.lock = check_path(w.folder, "cache/lock/tiny.lock.json");
    w.addon_lock = check_path(w.folder, "cache/lock/addon.lock.json");
    w.key = check_path(w.folder, "release.key");
    w.pub = check_path(w.folder, "release.pub");
    w.out = check_path(w.folder, "tiny.csn.tar");
    w.addon_out = check_path(w.folder, "addon.csn.tar");
    OWN_FREE char *name = check_path(w.folder, "release");
    OK(keys_generate(id, name, KEYS_P256, NULL));
    workshop_definitions(&w);
    OWN_BUF struct buf tool = {0}, layer = {0};
    OK(buf_str(&tool, workshop_tool));
    workshop_layer(&layer);
    workshop_lock(&w, &tool, &layer);
    w.opts = (struct build_opts){.profile = w.profile,
                                 .bundles_dir = w.bundles,
                                 .lock = w.lock,
                                 .cache = w.cache,
                                 .key = w.key,
                                 .out = w.out,
                                 .sequence = 1,
                                 .source_date_epoch = 1700000000};
    return w;
}

static inline void workshop_done(struct workshop *w)
{
    char *const paths[] = {w->profile, w->addon, w->bundles, w->lock, w->addon_lock,
                           w->cache,   w->key,   w->pub,     w->out,  w->addon_out};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        free(paths[i]);
    check_folder_done(&w->folder);
}

#define OWN_WORKSHOP OWN(workshop_done)
