#include "ops/receipt.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

/* The account and the machine, as they call themselves; nobody vouches for either. */
static void add_who(struct doc *receipt)
{
    char host[256] = "";
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *account = getpwuid(getuid());
    struct doc *by = doc_set(receipt, "by", doc_new_map());
    (void)gethostname(host, sizeof host - 1);
    doc_set_text(by, "user", sudo && *sudo ? sudo : account ? account->pw_name : "");
    doc_set_int(by, "uid", (int64_t)getuid());
    doc_set_text(by, "host", host);
}

static struct doc *receipt_of(const struct context *x, int64_t changes)
{
    char now[32];
    struct doc *d = doc_new_map();
    clock_rfc3339(now, clock_wall_s());
    doc_set_text(d, "time", now);
    doc_set_text(d, "verb", "apply");
    doc_set_text(d, "cluster", x->cluster->name);
    doc_set_text(d, "caisson", CAISSON_VERSION);
    doc_set_int(d, "changes", changes);
    add_who(d);
    if (x->allow && x->allow->child)
        doc_set(d, "allowRollback", doc_clone(x->allow));
    doc_set_texts(d, "trust", &x->trust);
    struct doc *bundles = doc_set(d, "bundles", doc_new_list());
    for (size_t i = 0; i < x->n_bundles; i++)
        doc_add(bundles, bundle_receipt(x->bundles[i]));
    return d;
}

/* A line that was cut off by a crash stays alone on its line. */
static struct err *end_line(int fd, struct buf *out)
{
    char last = '\n';
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0 || (end > 0 && pread(fd, &last, 1, end - 1) != 1))
        return err_os(errno, "read");
    return last == '\n' ? NULL : buf_str(out, "\n");
}

static struct err *append(const char *path, const struct doc *d)
{
    OWN_BUF struct buf line = {0};
    OWN_FD int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_os(errno, "open");
    TRY(end_line(fd, &line));
    TRY(doc_json_write(&line, d));
    TRY(buf_str(&line, "\n"));
    TRY(fd_write_all(fd, line.at, line.len));
    if (fsync(fd) < 0)
        return err_os(errno, "sync");
    return file_sync_parent(AT_FDCWD, path);
}

struct err *receipt_write(const struct context *x, int64_t changes)
{
    OWN_FREE char *dir = cluster_path(x->cluster, ".caisson"),
                  *path = cluster_path(x->cluster, ".caisson/receipts.jsonl");
    OWN_DOC struct doc *d = receipt_of(x, changes);
    if (!dir || !path)
        return err_os(ENOMEM, "receipt");
    TRY(file_mkdirs(AT_FDCWD, dir, 0700));
    return err_wrap(append(path, d), "%s", path);
}
