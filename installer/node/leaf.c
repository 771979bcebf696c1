/*
 * leaf: keys are made here and never leave; certificates come back and both are flipped as a pair: pki/<name> is a
 * link to pki/.<name>.<k>, which holds tls.key, tls.crt and leaf.json.
 */
#include "base/file.h"
#include "base/own.h"
#include "crypt/key.h"
#include "crypt/x509.h"
#include "node/leaf.h"
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Writes a new file, durable once its folder is. */
static struct err *put(const struct call *c, const char *folder, const char *name, const struct buf *b, mode_t mode)
{
    OWN_FREE char *path = str_fmt("pki/%s/%s", folder, name);
    if (!path)
        return err_os(ENOMEM, "leaf");
    OWN_FD int fd = openat(c->dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_os(errno, "create %s", path);
    TRY(fd_write_all(fd, b->at, b->len));
    TRY(file_give(c->n, fd, doc_int(c->request, "uid", 0), doc_int(c->request, "gid", 0)));
    if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
        return err_os(errno, "write %s", path);
    return file_sync_parent(c->dir, path);
}

/* The number k of a folder ".<name>.<k>", or -1. */
static int64_t folder_number(const char *folder, const char *name)
{
    int64_t k = -1;
    size_t n = strlen(name);
    if (folder[0] != '.' || strncmp(folder + 1, name, n) != 0 || folder[1 + n] != '.')
        return -1;
    return str_int(folder + n + 2, 1, INT64_MAX, &k) ? k : -1;
}

/* What pki/<name> points to, "" for nothing. */
static void leaf_target(char ret[256], int dir, const char *name)
{
    OWN_FREE char *path = str_fmt("pki/%s", name);
    ssize_t n = path ? readlinkat(dir, path, ret, 255) : -1;
    ret[n > 0 ? n : 0] = '\0';
}

/* Deletes the folders of `name` except `keep`; *ret_highest is the highest number seen. */
static struct err *folders_drop(int dir, const char *name, const char *keep, int64_t *ret_highest)
{
    OWN_STRS struct strs names = {0};
    TRY(dir_names(&names, dir, "pki"));
    *ret_highest = 0;
    for (size_t i = 0; i < names.n; i++) {
        int64_t k = folder_number(names.at[i], name);
        if (k < 0)
            continue;
        if (k > *ret_highest)
            *ret_highest = k;
        OWN_FREE char *path = str_fmt("pki/%s", names.at[i]);
        if (!path)
            return err_os(ENOMEM, "leaf");
        if (!str_eq(names.at[i], keep))
            TRY(file_remove_tree(dir, path));
    }
    return NULL;
}

static struct err *leaf_name(const char **ret, const struct call *c)
{
    TRY(call_text(ret, c, "name"));
    return name_is_plain(*ret) ? NULL : err_new(ERR_USAGE, "leaf name is not plain");
}

struct err *op_leaf_request(struct call *c)
{
    const char *name = NULL;
    char current[256];
    int64_t highest = 0;
    TRY(leaf_name(&name, c));
    TRY(file_mkdirs(c->dir, "pki", 0755));
    TRY(file_sync_parent(c->dir, "pki"));
    leaf_target(current, c->dir, name);
    TRY(folders_drop(c->dir, name, current, &highest)); /* requests nobody answered */
    OWN_FREE char *folder = str_fmt(".%s.%lld", name, (long long)highest + 1);
    OWN_FREE char *path = folder ? str_fmt("pki/%s", folder) : NULL;
    if (!path)
        return err_os(ENOMEM, "leaf");
    OWN_KEY struct key *k = NULL;
    OWN_SECRET_BUF struct buf key_pem = {0};
    OWN_BUF struct buf csr = {0};
    TRY(key_new_ec(&k));
    TRY(key_private_pem(&key_pem, k));
    TRY(csr_make(&csr, k, name));
    if (mkdirat(c->dir, path, 0755) < 0)
        return err_os(errno, "create %s", path);
    TRY(put(c, folder, "tls.key", &key_pem, 0600));
    TRY(file_sync_parent(c->dir, path));
    doc_set_text(c->reply, "csr", buf_text(&csr));
    return NULL;
}

/* True when the key in the folder belongs to the certificate. */
static struct err *folder_matches(bool *ret, int dir, const char *folder, const char *key_id_wanted)
{
    OWN_FREE char *path = str_fmt("pki/%s/tls.key", folder);
    OWN_SECRET_BUF struct buf pem = {.max = 65536};
    OWN_KEY struct key *k = NULL;
    char id[DIGEST_HEX];
    *ret = false;
    if (!path)
        return err_os(ENOMEM, "leaf");
    struct err *e = file_read(&pem, dir, path);
    if (!e)
        e = key_from_pem(&k, pem.at, pem.len, NULL);
    if (e) { /* the key of a request that was cut off */
        err_free(e);
        return NULL;
    }
    TRY(key_id(id, k));
    *ret = str_eq(id, key_id_wanted);
    return NULL;
}

static struct err *folder_find(char **ret, int dir, const char *name, const char *key_id_wanted)
{
    OWN_STRS struct strs names = {0};
    TRY(dir_names(&names, dir, "pki"));
    for (size_t i = 0; i < names.n; i++) {
        bool match = false;
        if (folder_number(names.at[i], name) < 0)
            continue;
        TRY(folder_matches(&match, dir, names.at[i], key_id_wanted));
        if (!match)
            continue;
        *ret = strdup(names.at[i]);
        return *ret ? NULL : err_os(ENOMEM, "leaf");
    }
    return err_new(ERR_UNTRUSTED, "the certificate for %s belongs to no key of this node", name);
}

struct err *op_leaf_install(struct call *c)
{
    const char *name = NULL, *certificate = NULL;
    TRY(leaf_name(&name, c));
    TRY(call_text(&certificate, c, "certificate"));
    struct cert_info info;
    TRY(cert_info(certificate, &info));
    OWN_FREE char *folder = NULL;
    TRY(folder_find(&folder, c->dir, name, info.key_id));
    char current[256];
    leaf_target(current, c->dir, name);
    if (str_eq(folder, current)) /* the pair in use is never written to: a cut would leave half of it */
        return err_new(ERR_REFUSED, "the key of %s is in use: a new certificate needs a new request", name);
    OWN_BUF struct buf crt = {0}, about = {0};
    OWN_DOC struct doc *d = doc_new_map();
    const struct doc *description = doc_get(c->request, "description");
    doc_set(d, "description", description ? doc_clone(description) : doc_new_null());
    TRY(buf_str(&crt, certificate));
    TRY(doc_json_write(&about, d));
    TRY(put(c, folder, "tls.crt", &crt, 0644));
    TRY(put(c, folder, "leaf.json", &about, 0644));
    OWN_FREE char *path = str_fmt("pki/%s", name);
    if (!path)
        return err_os(ENOMEM, "leaf");
    TRY(link_replace(c->dir, path, folder));
    int64_t highest = 0;
    doc_set_text(c->reply, "serial", info.serial);
    doc_set_int(c->reply, "notAfter", info.not_after);
    return folders_drop(c->dir, name, folder, &highest);
}

static struct err *leaf_state(struct doc *leafs, int dir, const char *name)
{
    OWN_FREE char *crt_path = str_fmt("pki/%s/tls.crt", name);
    OWN_FREE char *about_path = str_fmt("pki/%s/leaf.json", name);
    OWN_BUF struct buf pem = {.max = 1 << 20};
    OWN_DOC struct doc *about = NULL;
    struct cert_info info;
    if (!crt_path || !about_path)
        return err_os(ENOMEM, "leaf");
    TRY(file_read(&pem, dir, crt_path));
    TRY(cert_info(buf_text(&pem), &info));
    TRY(json_load(&about, dir, about_path));
    struct doc *d = doc_set(leafs, name, doc_new_map());
    doc_set_int(d, "notAfter", info.not_after);
    doc_set_text(d, "serial", info.serial);
    const struct doc *description = doc_get(about, "description");
    doc_set(d, "description", description ? doc_clone(description) : doc_new_null());
    return NULL;
}

struct err *leaf_states(struct doc *leafs, int dir)
{
    OWN_STRS struct strs names = {0};
    TRY(dir_names(&names, dir, "pki"));
    for (size_t i = 0; i < names.n; i++) {
        if (!name_is_plain(names.at[i]) || str_ends(names.at[i], ".new"))
            continue;
        struct err *e = leaf_state(leafs, dir, names.at[i]);
        if (!e)
            continue;
        /* A damaged certificate must not hide the state of the node: it shows as what it is. */
        doc_set_text(doc_set(leafs, names.at[i], doc_new_map()), "error", err_text(e));
        err_free(e);
    }
    return NULL;
}
