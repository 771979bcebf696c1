/* files: the file server of files.py for tests of downloads, and what it saw. */
#pragma once
#include "check.h"
#include "http/serve.h"

struct files {
    struct serve server;
    const char *missing;                          /* why there is none */
    int plain, secure, misnamed, refusing, proxy; /* ports */
    char *ca;
};

static inline void files_start(struct files *f)
{
    *f = (struct files){0};
    f->missing = serve_start(&f->server, SOURCE_DIR "/tests/http/files.py");
    if (f->missing)
        return;
    assert_int_equal(
        sscanf(f->server.line, "%d %d %d %d %d", &f->plain, &f->secure, &f->misnamed, &f->refusing, &f->proxy), 5);
    OWN_FREE char *path = check_path(f->server.dir, "ca.pem");
    OWN_BUF struct buf pem = {0};
    OK(file_read(&pem, AT_FDCWD, path));
    f->ca = buf_take(&pem);
}

static inline void files_stop(struct files *f)
{
    if (!f->missing)
        serve_stop(&f->server);
    free(f->ca);
}

/* A file for the server to serve. */
static inline void files_put(const struct files *f, const char *name, const void *p, size_t n)
{
    OWN_FREE char *folder = check_path(f->server.dir, "files");
    check_write(folder, name, p, n);
}

/* What was asked since the last call, in new memory. */
static inline char *files_log(const struct files *f)
{
    OWN_FREE char *path = check_path(f->server.dir, "log");
    struct buf text = {0};
    if (file_exists(AT_FDCWD, path))
        OK(file_read(&text, AT_FDCWD, path));
    (void)unlink(path);
    OK(buf_str(&text, ""));
    return buf_take(&text);
}

/* "https://127.0.0.1:PORT/MODE/NAME" in new memory. */
static inline char *files_url(const struct files *f, const char *mode, const char *name)
{
    char *url = str_fmt("https://127.0.0.1:%d/%s/%s", f->secure, mode, name);
    assert_non_null(url);
    return url;
}

/* How often `part` stands in `text`. */
static inline int files_count(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = strstr(text, part); p; p = strstr(p + 1, part))
        n++;
    return n;
}

#define NEED_FILES(f)                                                                                                  \
    do {                                                                                                               \
        if ((f).missing) {                                                                                             \
            print_message("%s\n", (f).missing);                                                                        \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)
