/* check: what the unit tests share: expectations on errors, and a folder of their own. */
#pragma once
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static inline void check_ok(struct err *e, const char *what, const char *file, int line)
{
    if (!e)
        return;
    print_error("%s: %s\n", what, err_text(e));
    err_free(e);
    _fail(file, line);
}

/* The error is of `kind` and its text holds `part`; it is freed. */
static inline void check_err(struct err *e, enum err_kind kind, const char *part, const char *what, const char *file,
                             int line)
{
    bool good = e && err_kind(e) == kind && strstr(err_text(e), part);
    if (!good)
        print_error("%s: wanted %s \"%s\", got %s \"%s\"\n", what, err_kind_name(kind), part,
                    e ? err_kind_name(err_kind(e)) : "success", e ? err_text(e) : "");
    err_free(e);
    if (!good)
        _fail(file, line);
}

/* The call succeeds. */
#define OK(x) check_ok((x), #x, __FILE__, __LINE__)
/* The call fails with this kind and these words in its text. */
#define FAILS(kind, part, x) check_err((x), (kind), (part), #x, __FILE__, __LINE__)

/* A new empty folder; its path in new memory. */
static inline char *check_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = str_fmt("%s/caisson-test.XXXXXX", base ? base : "/tmp");
    assert_non_null(path);
    assert_non_null(mkdtemp(path));
    return path;
}

/* Deletes the folder and frees its path. */
static inline void check_folder_done(char **path)
{
    if (*path)
        err_ignore(file_remove_tree(AT_FDCWD, *path)); /* what stays behind in /tmp fails no test */
    free(*path);
}

#define OWN_FOLDER OWN(check_folder_done)

/* "folder/name" in new memory. */
static inline char *check_path(const char *folder, const char *name)
{
    char *path = str_fmt("%s/%s", folder, name);
    assert_non_null(path);
    return path;
}

static inline void check_write(const char *folder, const char *name, const void *p, size_t n)
{
    OWN_FREE char *path = check_path(folder, name);
    OK(file_replace(AT_FDCWD, path, p, n, 0600));
}
