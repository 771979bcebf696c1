#include "bundle/sigstore.h"

#include "bundle/format.h"
#include "doc/doc.h"
#include "pack/ustar.h"
#include "pack/ustar_write.h"

#define MEDIA_SIGSTORE "application/vnd.dev.sigstore.bundle.v0.3+json"

static struct err *set_base64(struct doc *map, const char *key, const void *p, size_t n)
{
    OWN_BUF struct buf text = {0};
    TRY(buf_base64(&text, p, n));
    doc_set_text(map, key, text.at);
    return NULL;
}

struct err *sigstore_make(struct buf *out, const struct buf *release, const struct sig *sig)
{
    OWN_DOC struct doc *d = doc_new_map();
    doc_set_text(d, "mediaType", MEDIA_SIGSTORE);
    struct doc *material = doc_set(d, "verificationMaterial", doc_new_map());
    doc_set_text(doc_set(material, "publicKey", doc_new_map()), "hint", sig->keyid);
    struct doc *envelope = doc_set(d, "dsseEnvelope", doc_new_map());
    doc_set_text(envelope, "payloadType", FORMAT_RELEASE_PAYLOAD);
    TRY(set_base64(envelope, "payload", release->at, release->len));
    /* without the key's id: tools compare it with one that they make in another way */
    struct doc *one = doc_add(doc_set(envelope, "signatures", doc_new_list()), doc_new_map());
    TRY(set_base64(one, "sig", sig->bytes, sig->len));
    return doc_json_write(out, d);
}

struct err *sigstore_write(int fd, size_t n, int64_t mtime, const struct buf *text)
{
    char name[USTAR_NAME_MAX + 1];
    (void)snprintf(name, sizeof name, "caisson/release.%zu.sigstore.json", n);
    return ustar_write_member(fd, name, mtime, text->at, text->len);
}
