/* text: makes text from elsewhere (machines, files) safe to show on a terminal. */
#pragma once
#include <stddef.h>

/*
 * Replaces control characters (also C1, and newlines unless `lines`; tabs become blanks) and bytes that are not UTF-8
 * by '?', in place: no machine's answer may move the cursor or set a title.
 */
void text_clean(char *s, size_t n, int lines);
/* Bytes of the first `columns` characters of `s`. */
size_t text_clip(const char *s, size_t columns);
