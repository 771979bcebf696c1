#include "supply/license.h"

#include <string.h>

/* ( x ) inside one another; more is nobody's licence. */
enum { DEPTH_MAX = 16 };

static void skip_blanks(const char **at)
{
    *at += strspn(*at, " ");
}

/* Takes the word AND, OR or WITH, if it comes next. */
static bool take_word(const char **at, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(at);
    if (strncmp(*at, word, n) != 0 || ((*at)[n] != ' ' && (*at)[n] != '('))
        return false;
    *at += n;
    return true;
}

/* An identifier, with the "+" of "or later", or a DocumentRef-x:LicenseRef-y. */
static bool take_id(const char **at)
{
    static const char bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.:";
    skip_blanks(at);
    size_t n = strspn(*at, bytes);
    *at += n;
    *at += n && **at == '+';
    return n != 0;
}

static bool take_terms(const char **at, int depth);

static bool take_term(const char **at, int depth)
{
    skip_blanks(at);
    if (**at != '(')
        return take_id(at) && (!take_word(at, "WITH") || take_id(at));
    (*at)++;
    if (!take_terms(at, depth + 1))
        return false;
    skip_blanks(at);
    return *(*at)++ == ')';
}

static bool take_terms(const char **at, int depth)
{
    if (depth > DEPTH_MAX)
        return false;
    do
        if (!take_term(at, depth))
            return false;
    while (take_word(at, "AND") || take_word(at, "OR"));
    return true;
}

bool license_is_valid(const char *expression)
{
    const char *at = expression;
    if (!take_terms(&at, 0))
        return false;
    skip_blanks(&at);
    return *at == '\0';
}
