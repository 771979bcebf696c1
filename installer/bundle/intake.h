/*
 * intake: how blobs get into a store. Who reads a blob also hashes it; a thread of its own writes what was hashed, and
 * gives the file its name when the digest was right. Memory is bounded by a few blocks. Private to bundle/.
 */
#pragma once
#include "bundle/release.h"
#include "bundle/source.h"
#include "bundle/store_dir.h"

struct intake;

/* Starts the writer; `readers` threads will read at once. */
struct err *intake_open(struct intake **ret, const struct store_dir *s, unsigned readers) ERR_MUST;
/*
 * Takes the blob `m`, whose header is at m->at of the source; `count` is told of its bytes as they come. From any
 * thread. What it returns NULL for is perhaps not yet written. ERR_UNTRUSTED (E_DIGEST, with member and offset).
 */
struct err *intake_blob(struct intake *in, const struct source *source, const struct member *m, source_sink count,
                        void *self) ERR_MUST;
/* Waits until all is written. The writer's error, because of which intake_blob() has failed too. */
struct err *intake_finish(struct intake *in) ERR_MUST;
/* Stops and frees; what is not complete goes away. */
void intake_free(struct intake *in);
OWN_DEFINE(intake, intake)
#define OWN_INTAKE OWN(intake_freep)
