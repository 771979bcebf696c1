/* A program that uses all of room_bundle and nothing above it: what it links is what bundles are read with. */
#include "bundle/image.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    OWN_BUNDLE struct bundle *b = NULL;
    uint64_t size;
    if (argc < 3)
        return 64;
    const char *trust = argv[2];
    struct err *e = bundle_open(&b, argv[1], &trust, 1);
    if (!e)
        e = bundle_verify(b, NULL, NULL);
    if (!e)
        e = bundle_images_size(&size, b, NULL, 0);
    int code = err_exit_code(e);
    err_free(e);
    return code;
}
