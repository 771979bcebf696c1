/*
 * goinfo: what a program that Go made says of itself: the modules that went into it. Go (1.18 and newer) writes it into
 * the ELF section .go.buildinfo; `go version -m` shows the same. Private to supply/.
 */
#pragma once
#include "base/err.h"
#include "doc/doc.h"

#include <stdbool.h>
#include <stddef.h>

/* True for a file that begins as an ELF file does. */
bool goinfo_is_elf(int fd);
/*
 * Reads an ELF file (64 bits, little-endian). *ret is NULL when it has no such section, or is no file of that kind;
 * else {go: "go1.26.8", path: "cmd/x", modules: [{path, version, sum}], settings: [{key, value}]}. The first module is
 * the main one; a module that was replaced is named as what took its place, with `replaces` "path@version"; replaced by
 * a folder, it keeps its name and has that as `folder`. A program older than Go 1.18 says only {go: ""}. ERR_UNTRUSTED
 * with E_GOINFO for a section that is not as Go writes it.
 */
struct err *goinfo_read(struct doc **ret, int fd) ERR_MUST;
/* The same of the bytes of the section; `p` is changed. */
struct err *goinfo_parse(struct doc **ret, char *p, size_t n) ERR_MUST;
