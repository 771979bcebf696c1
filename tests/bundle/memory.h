/* memory: bytes as a source, for fuzz targets: no file is opened, written or read. */
#pragma once
#include "bundle/source.h"

/* A source of `n` borrowed bytes. */
struct source *memory_source(const void *p, size_t n);
