#include "base/text.h"

#include <string.h>

/* Length of the UTF-8 character at `s` (at most `n` bytes), or 0 when it is none. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
    size_t len = *s < 0x80                 ? 1
                 : *s >= 0xc2 && *s < 0xe0 ? 2
                 : *s >= 0xe0 && *s < 0xf0 ? 3
                 : *s >= 0xf0 && *s < 0xf5 ? 4
                                           : 0;
    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) ||
        (*s == 0xf4 && s[1] > 0x8f))
        return 0; /* overlong, surrogate, beyond Unicode */
    return len;
}

void text_clean(char *s, size_t n, int lines)
{
    for (size_t i = 0; i < n;) {
        unsigned char *at = (unsigned char *)s + i;
        size_t len = utf8_len(at, n - i);
        if (*at == '\t' || (*at == '\n' && !lines))
            *at = ' ';
        else if (len == 0 || (*at < 0x20 && *at != '\n') || *at == 0x7f)
            *at = '?';
        else if (len == 2 && *at == 0xc2 && at[1] < 0xa0)
            at[0] = at[1] = '?';
        i += len ? len : 1;
    }
}

size_t text_clip(const char *s, size_t columns)
{
    size_t i = 0;
    for (; s[i]; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80 && columns-- == 0)
            break;
    return i;
}
