/* purl: package URLs (purl-spec): how scanners know a thing by name. Private to supply/. */
#pragma once
#include "base/buf.h"

/* "pkg:golang/github.com/x/y@v1.2.3": in lower case, as the type's definition wants it. */
struct err *purl_golang(struct buf *out, const char *module, const char *version) ERR_MUST;
/* "pkg:oci/pause@sha256%3A...?arch=amd64&repository_url=registry.k8s.io/pause&tag=3.10" of a normalised image name. */
struct err *purl_oci(struct buf *out, const char *image, const char *digest, const char *arch) ERR_MUST;
/* "pkg:generic/name@version". */
struct err *purl_generic(struct buf *out, const char *name, const char *version) ERR_MUST;
/* Length of an image name without its tag or digest. */
size_t purl_repository(const char *image);
