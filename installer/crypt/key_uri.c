#include "crypt/key_uri.h"

#include "base/str.h"
#include "crypt/openssl.h"

#include <errno.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <pthread.h>
#include <string.h>

struct outside {
    struct crypt_remote remote; /* first: the one is the other */
    char *uri;
    struct key_pin pin;
    OSSL_LIB_CTX *lib;
    OSSL_PROVIDER *providers[KEY_PROVIDERS_MAX + 1];
    size_t n_providers;
    EVP_PKEY *pkey;  /* the provider's handle */
    bool asked;      /* for the PIN, in this operation */
    struct err *why; /* there was none */
};

static void outside_free(struct outside *o)
{
    if (!o)
        return;
    EVP_PKEY_free(o->pkey);
    while (o->n_providers)
        (void)OSSL_PROVIDER_unload(o->providers[--o->n_providers]);
    OSSL_LIB_CTX_free(o->lib);
    err_free(o->why);
    free(o->uri);
    free(o);
}
OWN_DEFINE(outside, outside)

static void own_store(OSSL_STORE_CTX *const *p)
{
    (void)OSSL_STORE_close(*p);
}

/* ---- what a URI is, and which are refused ---- */

bool key_is_uri(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
    return n > 1 && text[n] == ':';
}

/* True when the pkcs11 URI has the attribute `name` (with its '='). */
static bool has_attribute(const char *uri, const char *name)
{
    for (const char *at = strchr(uri, ':'); at; at = strpbrk(at + 1, ";?&"))
        if (str_starts(at + 1, name))
            return true;
    return false;
}

static struct err *check_uri(const char *uri)
{
    if (!str_starts(uri, "pkcs11:"))
        return NULL;
    if (has_attribute(uri, "pin-value=") || has_attribute(uri, "pin-source="))
        return err_hint(err_new(ERR_USAGE, "no PIN in a URI: everybody on the machine can read command lines"),
                        "leave pin-value and pin-source out; the PIN is asked for, or --passphrase-file has it");
    if (has_attribute(uri, "token=") || has_attribute(uri, "serial=") || has_attribute(uri, "slot-id="))
        return NULL;
    return err_hint(err_new(ERR_USAGE, "it names no token, and every token would be tried with the PIN"),
                    "pkcs11:token=LABEL;object=LABEL");
}

/* ---- the PIN ---- */

/* Whose operation this thread is in: a provider may ask without saying for what. */
static _Thread_local struct outside *asking;

/*
 * A pem_password_cb. A token counts wrong PINs and locks itself after a few, so that nothing is given twice in one
 * operation.
 */
static int pin_give(char *room, int size, int writing, void *arg)
{
    OWN_SECRET_BUF struct buf pin = {0};
    struct outside *o = asking;
    (void)writing;
    (void)arg;
    if (!o || o->asked)
        return -1;
    o->asked = true;
    o->why = o->pin.ask ? o->pin.ask(o->pin.self, &pin, o->uri) : err_new(ERR_USAGE, "it needs a PIN or a passphrase");
    if (o->why || size < 0 || pin.len > (size_t)size)
        return -1;
    memcpy(room, buf_text(&pin), pin.len);
    return (int)pin.len;
}

static UI_METHOD *ui;

/* For everybody who asks: the library's own way would be to read the terminal, or whatever standard input is. */
static void ui_make(void)
{
    ui = UI_UTIL_wrap_read_pem_callback(pin_give, 0);
    UI_set_default_method(ui);
}

static void operation_begin(struct outside *o)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, ui_make);
    asking = o;
    o->asked = false;
}

/* When there was no PIN to be had, that is the reason. */
static struct err *operation_end(struct outside *o, struct err *e)
{
    struct err *why = TAKE(o->why);
    asking = NULL;
    if (!e || !why) {
        err_free(why);
        return e;
    }
    err_free(e);
    return why;
}

/* ---- providers ---- */

static struct err *load_provider(struct outside *o, const char *name)
{
    OSSL_PROVIDER *p = OSSL_PROVIDER_load(o->lib, name);
    if (!p)
        return err_hint(crypt_err(ERR_USAGE, "provider %s cannot be loaded", name),
                        "its module, %s.so, belongs into %s; some need their device, too", name,
                        OPENSSL_info(OPENSSL_INFO_MODULES_DIR));
    o->providers[o->n_providers++] = p;
    return NULL;
}

/*
 * A world of its own for this key: nothing else in the program sees these providers. A token's module may use the same
 * library, and would meet itself there if they stood in the common one.
 */
static struct err *load_providers(struct outside *o, const char *const providers[], size_t n)
{
    unsigned long flags = CONF_MFLAGS_DEFAULT_SECTION | CONF_MFLAGS_IGNORE_MISSING_FILE;
    o->lib = OSSL_LIB_CTX_new();
    if (!o->lib)
        return crypt_err(ERR_FAILED, "memory");
    if (n > KEY_PROVIDERS_MAX)
        return err_new(ERR_USAGE, "more than %d providers", KEY_PROVIDERS_MAX);
    if (CONF_modules_load_file_ex(o->lib, NULL, NULL, flags) <= 0)
        return err_hint(crypt_err(ERR_USAGE, "openssl.cnf"), "it is the machine's, or what OPENSSL_CONF names");
    TRY(load_provider(o, "default"));
    for (size_t i = 0; i < n; i++)
        TRY(load_provider(o, providers[i]));
    return NULL;
}

/* ---- the store ---- */

struct found {
    EVP_PKEY *private, *public;
    size_t n; /* private keys */
};

static void found_done(struct found *f)
{
    EVP_PKEY_free(f->private);
    EVP_PKEY_free(f->public);
}

static void take(struct found *f, const OSSL_STORE_INFO *info)
{
    int type = OSSL_STORE_INFO_get_type(info);
    f->n += type == OSSL_STORE_INFO_PKEY;
    if (type == OSSL_STORE_INFO_PKEY && !f->private)
        f->private = OSSL_STORE_INFO_get1_PKEY(info);
    else if (type == OSSL_STORE_INFO_PUBKEY && !f->public)
        f->public = OSSL_STORE_INFO_get1_PUBKEY(info);
    else if (type == OSSL_STORE_INFO_CERT && !f->public)
        f->public = X509_get_pubkey(OSSL_STORE_INFO_get0_CERT(info));
}

/* The library has tried other ways before the one of a file, so that its newest reason is the nearest. */
static struct err *file_err(const char *what)
{
    while (ERR_peek_error() != ERR_peek_last_error())
        (void)ERR_get_error();
    return err_hint(crypt_err(ERR_USAGE, "%s", what), "file:/absolute/path");
}

static struct err *not_open(const char *uri)
{
    if (str_starts(uri, "file:"))
        return file_err("it cannot be opened");
    struct err *e = crypt_err(ERR_USAGE, "no provider here opens such a URI");
    return str_starts(uri, "pkcs11:")
               ? err_hint(e, "--provider pkcs11, which must find the token's module: PKCS11_PROVIDER_MODULE, or "
                             "pkcs11-module-path in openssl.cnf")
               : err_hint(e, "--provider NAME, or openssl.cnf");
}

static struct err *look(struct found *f, const struct outside *o, const char *uri)
{
    OWN(own_store) OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, o->lib, NULL, ui, NULL, NULL, NULL, NULL);
    if (!store)
        return not_open(uri);
    while (!OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info)
            take(f, info);
        OSSL_STORE_INFO_free(info);
    }
    return NULL;
}

/* The token's part of a pkcs11 URI. */
static struct err *token_of(struct buf *ret, const char *uri)
{
    const char *sep = "";
    TRY(buf_str(ret, "pkcs11:"));
    for (const char *at = strchr(uri, ':') + 1; *at && *at != '?';) {
        size_t n = strcspn(at, ";?");
        if (!str_starts(at, "object=") && !str_starts(at, "id=") && !str_starts(at, "type=")) {
            TRY(buf_fmt(ret, "%s%.*s", sep, (int)n, at));
            sep = ";";
        }
        at += n + (at[n] == ';');
    }
    return NULL;
}

/* Providers say nothing of a wrong PIN. What else the token has does: with a good one, it can be listed now. */
static struct err *not_in_token(const struct outside *o)
{
    OWN(found_done) struct found any = {0};
    OWN_BUF struct buf token = {0};
    TRY(token_of(&token, o->uri));
    TRY(look(&any, o, buf_text(&token)));
    ERR_clear_error();
    if (any.private || any.public)
        return err_hint(err_new(ERR_USAGE, "the token has no such private key"),
                        "pkcs11-tool --list-objects shows what it has");
    if (o->asked)
        return err_hint(err_new(ERR_USAGE, "the PIN is wrong, or the token holds nothing"),
                        "it was given once; a token locks itself after a few wrong ones");
    return err_hint(err_new(ERR_USAGE, "there is no such token"),
                    "is it plugged in, and does the provider load its module? pkcs11-tool --list-token-slots");
}

static struct err *find(struct found *f, const struct outside *o)
{
    TRY(look(f, o, o->uri));
    if (f->n > 1)
        return err_hint(err_new(ERR_USAGE, "%zu private keys are there", f->n), "name one: ;object=LABEL or ;id=%%01");
    if (f->n == 0 && str_starts(o->uri, "pkcs11:"))
        return not_in_token(o);
    if (f->n == 0 && str_starts(o->uri, "file:"))
        return file_err(o->asked ? "wrong passphrase, or no private key" : "no private key is there");
    return f->n ? NULL
                : err_hint(crypt_err(ERR_USAGE, "no private key is there"),
                           "--provider NAME for who knows this URI; is what it names there?");
}

/* ---- the key ---- */

/* The public half as a key of this room's own: its checks hold for it, and its id is that of the published file. */
static struct err *public_half(struct key **ret, const struct found *f)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(f->private, &der);
    if (n <= 0 && f->public)
        n = i2d_PUBKEY(f->public, &der);
    const unsigned char *at = der;
    EVP_PKEY *pkey = n > 0 ? d2i_PUBKEY(NULL, &at, n) : NULL;
    OPENSSL_free(der);
    if (!pkey)
        return err_hint(crypt_err(ERR_USAGE, "its public half is not there"),
                        "put the public key or a certificate beside it, under the same id");
    return crypt_key_wrap(ret, pkey, false);
}

static struct err *open_key(struct key **ret, struct outside *o, const char *const providers[], size_t n)
{
    OWN(found_done) struct found f = {0};
    TRY(load_providers(o, providers, n));
    TRY(find(&f, o));
    TRY(public_half(ret, &f));
    o->pkey = TAKE(f.private);
    return NULL;
}

static struct err *sign_there(struct buf *out, const struct outside *o, const void *msg, size_t n)
{
    OWN(own_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[4 * KEY_SIG_MAX]; /* some ask for more room than they need */
    size_t len = sizeof sig;
    const char *md = EVP_PKEY_is_a(o->pkey, "ED25519") ? NULL : "SHA256";
    char where[128]; /* else the default provider could be chosen, with the public half that it is given */
    (void)snprintf(where, sizeof where, "?provider=%s", OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(o->pkey)));
    if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, md, o->lib, where, o->pkey, NULL) != 1 ||
        EVP_DigestSign(ctx, sig, &len, msg, n) != 1)
        return err_hint(crypt_err(ERR_FAILED, "it does not sign"),
                        "is the PIN right? For a TPM's key with a passphrase add ?pass to its handle");
    return buf_add(out, sig, len);
}

static struct err *outside_sign(struct crypt_remote *r, struct buf *out, const void *msg, size_t n)
{
    struct outside *o = (struct outside *)r;
    operation_begin(o);
    return operation_end(o, sign_there(out, o, msg, n));
}

static void outside_close(struct crypt_remote *r)
{
    outside_free((struct outside *)r);
}

struct err *key_from_uri(struct key **ret, const char *uri, const char *const providers[], size_t n, struct key_pin pin)
{
    OWN_KEY struct key *k = NULL;
    TRY(crypt_ready());
    TRY(check_uri(uri));
    OWN(outside_freep) struct outside *o = calloc(1, sizeof *o);
    if (!o || !(o->uri = strdup(uri)))
        return err_os(ENOMEM, "key");
    o->remote = (struct crypt_remote){outside_sign, outside_close};
    o->pin = pin;
    operation_begin(o);
    TRY(operation_end(o, open_key(&k, o, providers, n)));
    k->has_private = true;
    k->remote = &TAKE(o)->remote;
    *ret = TAKE(k);
    return NULL;
}
