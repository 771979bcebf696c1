#include "base/file.h"

#include "check.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int folder_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static unsigned mode_of(int dirfd, const char *name)
{
    struct stat st;
    assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static void expect_content(int dirfd, const char *name, const char *text)
{
    OWN_BUF struct buf b = {0};
    OK(file_read(&b, dirfd, name));
    assert_string_equal(buf_text(&b), text);
}

static void replace(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FD int fd = folder_open(dir);
    mode_t before = umask(0777); /* the mode asked for is the mode, whatever the mask */
    OK(file_replace(fd, "a", "one", 3, 0640));
    (void)umask(before);
    assert_int_equal(mode_of(fd, "a"), 0640);
    OK(file_replace(fd, "a", "two!", 4, 0600));
    assert_int_equal(mode_of(fd, "a"), 0600);
    expect_content(fd, "a", "two!");
    OK(file_replace(fd, "a", "", 0, 0600));
    expect_content(fd, "a", "");
    assert_false(file_exists(fd, "a.new"));
}

/* A link at the name is replaced, not followed; so is one that somebody put where the new file is made. */
static void replace_follows_no_link(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FD int fd = folder_open(dir);
    OK(file_replace(fd, "target", "safe", 4, 0600));
    assert_int_equal(symlinkat("target", fd, "a"), 0);
    assert_int_equal(symlinkat("target", fd, "a.new"), 0);
    OK(file_replace(fd, "a", "new", 3, 0600));
    expect_content(fd, "target", "safe");
    expect_content(fd, "a", "new");
}

/* Several at once: each succeeds, and one of them is the last. What a crash left does not keep anybody out. */
static void replace_by_many(void **state)
{
    (void)state;
    enum { MANY = 4, TIMES = 25 };
    OWN_FOLDER char *dir = check_folder();
    OWN_FD int fd = folder_open(dir);
    check_write(dir, "a.new", "left", 4);
    for (int i = 0; i < MANY; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        struct err *e = NULL;
        for (int k = 0; pid == 0 && !e && k < TIMES; k++)
            e = file_replace(fd, "a", "text", 4, 0600);
        if (e)
            print_error("%s\n", err_text(e));
        if (pid == 0)
            _exit(e ? 1 : 0);
    }
    for (int i = 0; i < MANY; i++) {
        int status = -1;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    expect_content(fd, "a", "text");
    assert_false(file_exists(fd, "a.new"));
}

/* Exit code 0: what another account writes, or we did and cannot read, is left to it. */
static int replace_child(int fd)
{
    if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0)) /* root could open it */
        return 2;
    OWN(err_freep) struct err *e = file_replace(fd, "a", "mine", 4, 0600);
    return e && strstr(err_text(e), "create a.new: Permission denied") ? 0 : 1;
}

static void replace_takes_nothing_unseen(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FD int fd = folder_open(dir);
    int status = -1;
    check_write(dir, "a.new", "theirs", 6);
    assert_int_equal(fchmod(fd, 0777), 0);
    assert_int_equal(fchmodat(fd, "a.new", 0, 0), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(replace_child(fd));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(file_exists(fd, "a.new"));
    assert_false(file_exists(fd, "a"));
}

static void read_at(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *path = check_path(dir, "a");
    check_write(dir, "a", "0123456789", 10);
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    char p[8];
    size_t n = 0;
    OK(fd_read_at(&n, fd, p, 4, 3));
    assert_int_equal(n, 4);
    assert_memory_equal(p, "3456", 4);
    OK(fd_read_at(&n, fd, p, 8, 7));
    assert_int_equal(n, 3);
    OK(fd_read_at(&n, fd, p, 8, 100));
    assert_int_equal(n, 0);
    FAILS(ERR_FAILED, "read", fd_read_at(&n, -1, p, 1, 0));
}

static void replace_that_fails_leaves_nothing(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FD int fd = folder_open(dir);
    OK(file_mkdirs(fd, "a/full", 0700));
    FAILS(ERR_FAILED, "a: replace", file_replace(fd, "a", "x", 1, 0600));
    assert_false(file_exists(fd, "a.new"));
    FAILS(ERR_FAILED, "create missing/a.new", file_replace(fd, "missing/a", "x", 1, 0600));
}

static void read_follows_no_link(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FD int fd = folder_open(dir);
    OWN_BUF struct buf b = {0}, small = {.max = 3};
    OK(file_replace(fd, "target", "text", 4, 0600));
    assert_int_equal(symlinkat("target", fd, "link"), 0);
    FAILS(ERR_FAILED, "open link", file_read(&b, fd, "link"));
    FAILS(ERR_FAILED, "open missing: No such file", file_read(&b, fd, "missing"));
    FAILS(ERR_FAILED, "target: more than 3 bytes", file_read(&small, fd, "target"));
    OK(file_read(&b, fd, "target"));
    OK(file_read(&b, fd, "target")); /* appends */
    assert_string_equal(b.at, "texttext");
}

static void read_named(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    OWN_FREE char *file = check_path(folder, "file"), *link = check_path(folder, "link");
    OWN_BUF struct buf out = {0}, none = {0};
    int p[2];
    char pipe_path[32];
    check_write(folder, "file", "abc", 3);
    assert_int_equal(symlink("file", link), 0);
    OK(file_read_named(&out, "key", link));
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) { /* writes late */
        (void)usleep(200000);
        _exit(write(p[1], "def", 3) == 3 ? 0 : 1);
    }
    (void)close(p[1]);
    (void)snprintf(pipe_path, sizeof pipe_path, "/proc/self/fd/%d", p[0]);
    OK(file_read_named(&out, "key", pipe_path));
    assert_string_equal(out.at, "abcdef");
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)close(p[0]);
    assert_int_equal(unlink(file), 0);
    FAILS(ERR_USAGE, "key ", file_read_named(&none, "key", link));
}

static void folders(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FD int fd = folder_open(dir);
    OK(file_mkdirs(fd, "a/b//c/", 0700));
    OK(file_mkdirs(fd, "a/b/c", 0755)); /* there: left as it is */
    assert_int_equal(mode_of(fd, "a/b/c"), 0700);
    OWN_FREE char *whole = check_path(dir, "x/y");
    OK(file_mkdirs(AT_FDCWD, whole, 0700));
    assert_true(file_exists(fd, "x/y"));
    OK(file_replace(fd, "file", "", 0, 0600));
    FAILS(ERR_FAILED, "Not a directory", file_mkdirs(fd, "file/sub", 0700));
    OK(file_sync_parent(fd, "a/b"));
    OK(file_sync_parent(fd, "top"));
    FAILS(ERR_FAILED, "sync folder no", file_sync_parent(fd, "no/file"));
}

static void remove_tree(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FD int fd = folder_open(dir);
    OK(file_mkdirs(fd, "outside/deep", 0700));
    OK(file_replace(fd, "outside/deep/file", "keep", 4, 0600));
    OK(file_mkdirs(fd, "tree/a/b/c", 0700));
    OK(file_replace(fd, "tree/a/file", "x", 1, 0400));
    OK(file_mkdirs(fd, "tree/many", 0700));
    for (int i = 0; i < 300; i++) {
        OWN_FREE char *name = str_fmt("tree/many/%d", i);
        OK(file_replace(fd, name, "x", 1, 0600));
    }
    assert_int_equal(symlinkat("../outside", fd, "tree/folder-link"), 0);
    assert_int_equal(symlinkat("../outside/deep/file", fd, "tree/file-link"), 0);
    assert_int_equal(symlinkat("nowhere", fd, "tree/dangling"), 0);
    assert_int_equal(mkfifoat(fd, "tree/fifo", 0600), 0);
    OK(file_remove_tree(fd, "tree"));
    assert_false(file_exists(fd, "tree"));
    expect_content(fd, "outside/deep/file", "keep");

    assert_int_equal(symlinkat("outside", fd, "link"), 0); /* the name itself is a link */
    OK(file_remove_tree(fd, "link"));
    assert_false(file_exists(fd, "link"));
    expect_content(fd, "outside/deep/file", "keep");
    OK(file_remove_tree(fd, "outside/deep/file")); /* a single file */
    OK(file_remove_tree(fd, "never-was"));
    OK(file_remove_tree(fd, "never/was"));
}

/* In a mount namespace of its own: a folder outside is bound into the tree. Exit code 77: not allowed here.
 */
static int mount_child(const char *dir)
{
    OWN_FREE char *from = check_path(dir, "outside"), *to = check_path(dir, "tree/mount");
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(from, to, NULL, MS_BIND, NULL) < 0)
        return 77;
    OWN_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OWN(err_freep) struct err *e = file_remove_tree(fd, "tree");
    return e && strstr(err_text(e), "mount is a mount point") && file_exists(fd, "outside/file") ? 0 : 1;
}

/* A bind mount of the same file system has the same device number: kubelet makes many of them. */
static void remove_tree_stops_at_bind_mount(void **state)
{
    (void)state;
    OWN_FOLDER char *dir = check_folder();
    OWN_FD int fd = folder_open(dir);
    OK(file_mkdirs(fd, "outside", 0700));
    OK(file_replace(fd, "outside/file", "keep", 4, 0600));
    OK(file_mkdirs(fd, "tree/mount", 0700));
    pid_t pid = fork();
    if (pid == 0)
        _exit(mount_child(dir));
    int st = 0;
    assert_int_equal(waitpid(pid, &st, 0), pid);
    assert_true(WIFEXITED(st));
    if (WEXITSTATUS(st) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(st), 0);
    expect_content(fd, "outside/file", "keep");
}

static void exact_reads(void **state)
{
    (void)state;
    int p[2];
    char at[4] = "";
    bool eof = false;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    OK(fd_write_all(p[1], "abcdef", 6));
    (void)close(p[1]);
    OK(fd_read_exact(p[0], at, 4, &eof));
    assert_false(eof);
    assert_memory_equal(at, "abcd", 4);
    FAILS(ERR_FAILED, "ended after 2 of 4", fd_read_exact(p[0], at, 4, &eof));
    OK(fd_read_exact(p[0], at, 4, &eof));
    assert_true(eof);
    FAILS(ERR_FAILED, "ended after 0 of 4", fd_read_exact(p[0], at, 4, NULL));
    (void)close(p[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace),
        cmocka_unit_test(replace_by_many),
        cmocka_unit_test(replace_takes_nothing_unseen),
        cmocka_unit_test(read_at),
        cmocka_unit_test(replace_follows_no_link),
        cmocka_unit_test(replace_that_fails_leaves_nothing),
        cmocka_unit_test(read_follows_no_link),
        cmocka_unit_test(read_named),
        cmocka_unit_test(folders),
        cmocka_unit_test(remove_tree),
        cmocka_unit_test(remove_tree_stops_at_bind_mount),
        cmocka_unit_test(exact_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
