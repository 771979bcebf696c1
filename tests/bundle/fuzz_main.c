/* Runs a fuzz target over files: the corpora as plain tests, with any compiler. */
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct err *run_file(int dirfd, const char *name)
{
    OWN_BUF struct buf bytes = {0};
    TRY(file_read(&bytes, dirfd, name));
    (void)LLVMFuzzerTestOneInput((const uint8_t *)buf_text(&bytes), bytes.len);
    return NULL;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    int n = 0;
    if (!dir)
        return 64;
    for (struct dirent *d; (d = readdir(dir));) {
        struct err *e = d->d_name[0] == '.' ? NULL : run_file(dirfd(dir), d->d_name);
        if (e) {
            (void)fprintf(stderr, "%s\n", err_text(e));
            err_free(e);
            return 1;
        }
        n += d->d_name[0] != '.';
    }
    (void)closedir(dir);
    (void)printf("%d inputs\n", n);
    return n ? 0 : 1;
}
