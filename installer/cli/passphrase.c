#include "cli/passphrase.h"

#include "base/str.h"
#include "cli/ask.h"

#include <string.h>

/* What is in the file is of one key: another one's token would count a wrong PIN, and its module would learn this one.
 */
static struct err *for_one_key(struct cli *x, const char *file, const char *path)
{
    char digest[DIGEST_HEX];
    TRY(digest_hex(digest, path, strlen(path)));
    if (*x->unlocked && strcmp(x->unlocked, digest) != 0)
        return err_hint(
            err_new(ERR_USAGE, "passphrase file %s was for another key, and this one is protected, too", file),
            "use protected keys one by one (bundle sign, root sign), or let it ask at a terminal");
    memcpy(x->unlocked, digest, sizeof digest);
    return NULL;
}

/* The file's text without its last newline: one line, as a person would type it. */
static struct err *from_file(struct buf *out, const char *file)
{
    TRY(keys_read_secret(out, "passphrase file", file, PASSPHRASE_MAX + 2));
    if (out->len && out->at[out->len - 1] == '\n')
        out->at[--out->len] = '\0';
    if (out->len == 0 || strlen(out->at) != out->len || strchr(out->at, '\n'))
        return err_hint(err_new(ERR_USAGE, "passphrase file %s: not one line of text", file),
                        "write the passphrase into it, on one line");
    return NULL;
}

static struct err *typed(struct cli *x, struct buf *out, const char *how, const char *path)
{
    char line[PASSPHRASE_MAX + 2] = "";
    struct err *e = ask_secret(x, line, sizeof line, "%s %s: ", how, path);
    if (!e)
        e = buf_str(out, line);
    explicit_bzero(line, sizeof line);
    return e;
}

static bool is_token(const char *path)
{
    return key_is_uri(path) && !str_starts(path, "file:");
}

static struct err *of_key(void *self, struct buf *out, const char *path)
{
    struct cli *x = self;
    const char *file = args_text(&x->args, "passphrase-file", NULL);
    if (file)
        TRY(for_one_key(x, file, path));
    if (file)
        return from_file(out, file);
    if (ask_can())
        return typed(x, out, is_token(path) ? "PIN of" : "Passphrase of", path);
    return err_hint(is_token(path)
                        ? err_new(ERR_USAGE, "it has a PIN, and there is no terminal to ask for it")
                        : err_new(ERR_USAGE, "it is encrypted, and there is no terminal to ask for its passphrase"),
                    "--passphrase-file FILE");
}

_Static_assert((int)KEY_PROVIDERS_MAX >= (int)ARGS_MAX, "args_all() wants room for all");

struct keys_ask passphrase_ask(struct cli *x)
{
    struct keys_ask ask = {.passphrase = of_key, .self = x};
    ask.n_providers = args_all(&x->args, "provider", ask.providers);
    return ask;
}

struct err *passphrase_new(struct cli *x, struct buf *out, const char *path)
{
    OWN_SECRET_BUF struct buf again = {0};
    const char *file = args_text(&x->args, "passphrase-file", NULL);
    if (file)
        return from_file(out, file);
    if (!ask_can())
        return NULL;
    TRY(typed(x, out, "New passphrase (empty: none) of", path));
    TRY(typed(x, &again, "The same again, of", path));
    if (strcmp(buf_text(out), buf_text(&again)) != 0)
        return err_new(ERR_USAGE, "the two passphrases differ; no key was made");
    return NULL;
}
