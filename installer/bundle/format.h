/* format: names and limits of bundle format 1, shared with supply/ that writes it. bundles/README.md explains each. */
#pragma once
#include "base/buf.h"
#include "crypt/key.h"

#define FORMAT_LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}" /* all of the member oci-layout */
#define FORMAT_FULL "caisson-bundle 1 full\n"              /* all of the member caisson/format */
#define FORMAT_DELTA "caisson-bundle 1 delta\n"            /* the same, of a delta */

#define FORMAT_STATEMENT "https://in-toto.io/Statement/v1"
#define FORMAT_PREDICATE "https://caisson.dev/release/v1"
#define FORMAT_ROOT "caisson-root"
#define FORMAT_SBOM "CycloneDX-1.6" /* `format` of a bill of materials */

/* Payload types that signatures cover through format_pae(). */
#define FORMAT_RELEASE_PAYLOAD "application/vnd.in-toto+json"
#define FORMAT_ROOT_PAYLOAD "application/vnd.caisson.root.v1+json"

#define FORMAT_SCHEME_P256 "ecdsa-p256-sha256"
#define FORMAT_SCHEME_ED25519 "ed25519"

#define MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_INDEX "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_PACKAGE "application/vnd.caisson.package.v1.tar+zstd"
#define MEDIA_DEFINITION "application/vnd.caisson.definition.v1+yaml"
#define MEDIA_FILE "application/vnd.caisson.file.v1"
#define MEDIA_SBOM "application/vnd.cyclonedx+json"
#define ARTIFACT_COMPONENT "application/vnd.caisson.component.v1"
#define ARTIFACT_PROFILE "application/vnd.caisson.profile.v1"
#define ARTIFACT_SBOM "application/vnd.caisson.sbom.v1"

#define ANNOTATION_NAME "io.containerd.image.name"
#define ANNOTATION_REF "org.opencontainers.image.ref.name"
#define ANNOTATION_TITLE "org.opencontainers.image.title"

enum {
    FORMAT_ROOT_BYTES_MAX = 64 << 10,
    FORMAT_ROOTS_MAX = 64,
    FORMAT_RELEASE_BYTES_MAX = 16 << 20,
    FORMAT_SIG_BYTES_MAX = 512,
    FORMAT_SIGS_MAX = 16,
    FORMAT_SIGSTORE_BYTES_MAX = 32 << 20,
    FORMAT_HEAD_BYTES_MAX = 64 << 20, /* up to the first blob */
    FORMAT_MEMBERS_MAX = 100000,
    FORMAT_MANIFEST_BYTES_MAX = 4 << 20, /* of an OCI manifest, index or config */
    FORMAT_SMALL_BYTES_MAX = 16 << 20,   /* of what is ever read into memory */
    FORMAT_SBOM_BYTES_MAX = 64 << 20,
    FORMAT_OCI_DEPTH_MAX = 4, /* indexes inside indexes */
};

#define FORMAT_INT_MAX ((INT64_C(1) << 53) - 1)

/* Appends DSSE's pre-authentication encoding of `n` bytes of type `type`: what is signed. */
struct err *format_pae(struct buf *out, const char *type, const void *p, size_t n) ERR_MUST;
/* ERR_UNTRUSTED (E_REF) unless `ref` is a full image name: host/path:tag or host/path@sha256:..., normalised. */
struct err *format_ref(const char *ref) ERR_MUST;
/* ERR_UNTRUSTED (E_PATH) unless `s` is a plain name: a-z, 0-9, inner dashes and dots, at most 63 bytes. */
struct err *format_name(const char *s) ERR_MUST;
/* The signature scheme that a public key (PEM, as key_public_pem() writes it) is bound to, or NULL. */
const char *format_scheme(const char *spki_pem);
/* The same of a key; NULL: one of a kind that signs no releases. */
const char *format_key_scheme(const struct key *key);
/* The 64 digits of "sha256:<64 hex>", borrowed, or NULL. */
const char *format_hex(const char *digest);
