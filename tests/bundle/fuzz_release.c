/* libFuzzer target: release.json behind its signature: parser, schema, member list. */
#include "bundle/release.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    OWN_BUF struct buf text = {0};
    OWN_DOC struct doc *release = NULL;
    OWN(members_done) struct members members = {0};
    struct err *e = buf_add(&text, p, n);
    if (!e)
        e = release_parse(&release, &text);
    if (!e)
        e = release_members(&members, release, 4096);
    if (!e)
        e = release_check_digests(release, &members);
    if (e && err_kind(e) != ERR_UNTRUSTED)
        abort();
    err_free(e);
    return 0;
}
