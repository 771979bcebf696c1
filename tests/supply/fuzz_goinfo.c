/* libFuzzer target: a file as an ELF program, and its bytes as the section that Go writes. */
#include "base/buf.h"
#include "supply/goinfo.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Refusals are of one kind, and what is accepted can be written down. */
static void check(struct err *e, const struct doc *info)
{
    OWN_BUF struct buf text = {0};
    if (!e && info)
        e = doc_json_write(&text, info);
    if (e && err_kind(e) != ERR_UNTRUSTED)
        abort();
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static int fd = -1;
    OWN_BUF struct buf bytes = {0};
    OWN_DOC struct doc *section = NULL, *whole = NULL;
    if (fd < 0)
        fd = memfd_create("program", MFD_CLOEXEC);
    err_ignore(buf_add(&bytes, p, n)); /* without memory there is nothing to try */
    if (bytes.at)
        check(goinfo_parse(&section, bytes.at, bytes.len), section);
    if (ftruncate(fd, 0) == 0 && pwrite(fd, p, n, 0) == (ssize_t)n)
        check(goinfo_read(&whole, fd), whole);
    return 0;
}
