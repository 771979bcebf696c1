#include "crypt/x509_build.h"

#include <ctype.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { SERIAL_BITS = 128, SKI_BYTES = 20, DNS_MAX = 253, LABEL_MAX = 63 };

CRYPT_FREE(BIGNUM, BN_free, own_bn)
CRYPT_FREE(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free, own_basic)
CRYPT_FREE(ASN1_BIT_STRING, ASN1_BIT_STRING_free, own_bits)
CRYPT_FREE(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free, own_octets)
CRYPT_FREE(AUTHORITY_KEYID, AUTHORITY_KEYID_free, own_keyid)
CRYPT_FREE(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free, own_usages)
CRYPT_FREE(GENERAL_NAME, GENERAL_NAME_free, own_general_name)
CRYPT_FREE(GENERAL_NAMES, GENERAL_NAMES_free, own_general_names)

/* ---- names ---- */

static struct err *name_part(X509_NAME *name, int nid, const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n > CERT_CN_MAX)
        return err_new(ERR_USAGE, "a certificate name has 1 to %d bytes", CERT_CN_MAX);
    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)text[i]))
            return err_new(ERR_USAGE, "control character in a certificate name");
    /* V_ASN1_UTF8STRING, not MBSTRING_UTF8: that would apply X.520's limit of 64 characters. */
    X509_NAME_ENTRY *part =
        X509_NAME_ENTRY_create_by_NID(NULL, nid, V_ASN1_UTF8STRING, (const unsigned char *)text, (int)n);
    bool good = part && X509_NAME_add_entry(name, part, -1, 0) == 1;
    X509_NAME_ENTRY_free(part);
    return good ? NULL : crypt_err(ERR_FAILED, "certificate name");
}

struct err *cert_name(X509_NAME *name, const char *const orgs[], size_t n_orgs, const char *cn)
{
    if (!cn)
        return err_new(ERR_USAGE, "a certificate needs a common name");
    for (size_t i = 0; i < n_orgs; i++)
        TRY(name_part(name, NID_organizationName, orgs[i]));
    return name_part(name, NID_commonName, cn);
}

/* ---- fields ---- */

static struct err *set_serial(X509 *cert)
{
    OWN(own_bn) BIGNUM *n = BN_new();
    if (!n)
        return crypt_err(ERR_FAILED, "serial");
    do { /* zero is no serial number (RFC 5280, 4.1.2.2) */
        if (BN_priv_rand(n, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1)
            return crypt_err(ERR_FAILED, "serial");
    } while (BN_is_zero(n));
    return BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) ? NULL : crypt_err(ERR_FAILED, "serial");
}

static struct err *set_times(X509 *cert, int64_t not_before, int64_t not_after)
{
    if (not_before < 0 || not_after <= not_before)
        return err_new(ERR_USAGE, "a certificate must end after it begins");
    if (!ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)not_before) ||
        !ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)not_after))
        return crypt_err(ERR_USAGE, "dates of a certificate");
    return NULL;
}

/* The key identifier of RFC 7093, method 1: 160 bits of SHA-256; SHA-1 is not wanted anywhere. */
static struct err *add_ski(X509 *cert)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    OWN(own_octets) ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    if (!id || X509_pubkey_digest(cert, EVP_sha256(), md, &n) != 1 || n < SKI_BYTES ||
        ASN1_OCTET_STRING_set(id, md, SKI_BYTES) != 1 ||
        X509_add1_ext_i2d(cert, NID_subject_key_identifier, id, 0, X509V3_ADD_DEFAULT) != 1)
        return crypt_err(ERR_FAILED, "subject key identifier");
    return NULL;
}

static struct err *add_aki(X509 *cert, const X509 *issuer)
{
    /* get0 of a const certificate fills a cache inside it, which the library's types do not say */
    const ASN1_OCTET_STRING *of = X509_get0_subject_key_id((X509 *)(uintptr_t)issuer);
    if (!of)
        return NULL; /* an authority made elsewhere without one */
    OWN(own_keyid) AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
    if (!aki || !(aki->keyid = ASN1_OCTET_STRING_dup(of)) ||
        X509_add1_ext_i2d(cert, NID_authority_key_identifier, aki, 0, X509V3_ADD_DEFAULT) != 1)
        return crypt_err(ERR_FAILED, "authority key identifier");
    return NULL;
}

static struct err *fill(X509 *cert, const struct cert_spec *spec, EVP_PKEY *pkey, const X509 *issuer)
{
    TRY(set_serial(cert));
    TRY(set_times(cert, spec->not_before, spec->not_after));
    TRY(cert_name(X509_get_subject_name(cert), spec->orgs, spec->n_orgs, spec->cn));
    if (X509_set_version(cert, X509_VERSION_3) != 1 || X509_set_pubkey(cert, pkey) != 1 ||
        X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)) != 1)
        return crypt_err(ERR_FAILED, "certificate");
    TRY(add_ski(cert));
    return add_aki(cert, issuer ? issuer : cert);
}

struct err *cert_begin(X509 **ret, const struct cert_spec *spec, EVP_PKEY *pkey, const X509 *issuer)
{
    OWN_X509 X509 *cert = X509_new();
    if (!cert)
        return crypt_err(ERR_FAILED, "certificate");
    TRY(fill(cert, spec, pkey, issuer));
    *ret = TAKE(cert);
    return NULL;
}

/* ---- extensions ---- */

struct err *cert_add_basic(X509 *cert, bool ca, long pathlen)
{
    OWN(own_basic) BASIC_CONSTRAINTS *basic = BASIC_CONSTRAINTS_new();
    if (!basic)
        return crypt_err(ERR_FAILED, "basic constraints");
    basic->ca = ca ? 0xff : 0; /* the library's ASN.1 boolean */
    if (pathlen >= 0 && (!(basic->pathlen = ASN1_INTEGER_new()) || ASN1_INTEGER_set(basic->pathlen, pathlen) != 1))
        return crypt_err(ERR_FAILED, "basic constraints");
    if (X509_add1_ext_i2d(cert, NID_basic_constraints, basic, 1, X509V3_ADD_DEFAULT) != 1)
        return crypt_err(ERR_FAILED, "basic constraints");
    return NULL;
}

struct err *cert_add_usage(X509 *cert, unsigned bits)
{
    OWN(own_bits) ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    bool good = usage != NULL;
    for (int i = 0; good && i <= USE_CRL_SIGN; i++)
        if (bits & (1U << i))
            good = ASN1_BIT_STRING_set_bit(usage, i, 1) == 1;
    if (!good || X509_add1_ext_i2d(cert, NID_key_usage, usage, 1, X509V3_ADD_DEFAULT) != 1)
        return crypt_err(ERR_FAILED, "key usage");
    return NULL;
}

static struct err *add_extended(X509 *cert, bool server, bool client)
{
    OWN(own_usages) EXTENDED_KEY_USAGE *usages = sk_ASN1_OBJECT_new_null();
    bool good = usages != NULL;
    if (good && server)
        good = sk_ASN1_OBJECT_push(usages, OBJ_nid2obj(NID_server_auth)) > 0;
    if (good && client)
        good = sk_ASN1_OBJECT_push(usages, OBJ_nid2obj(NID_client_auth)) > 0;
    if (!good || X509_add1_ext_i2d(cert, NID_ext_key_usage, usages, 0, X509V3_ADD_DEFAULT) != 1)
        return crypt_err(ERR_FAILED, "extended key usage");
    return NULL;
}

/* A host name of letters, digits, '-' and dots, with "*." allowed in front: nothing a SAN could hide
 * something in. */
static bool dns_is_good(const char *s)
{
    size_t n = strlen(s), label = 0;
    if (s[0] == '*' && s[1] == '.')
        s += 2;
    if (n == 0 || n > DNS_MAX || *s == '\0')
        return false;
    for (; *s; s++) {
        bool edge = label == 0 || s[1] == '.' || s[1] == '\0';
        if (*s == '.' ? label == 0 || s[1] == '\0' : !(isalnum((unsigned char)*s) || (*s == '-' && !edge)))
            return false;
        label = *s == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return true;
}

/* Puts `value` (ownership passes) into the list as a name of `type`. */
static struct err *add_name(GENERAL_NAMES *list, int type, ASN1_STRING *value)
{
    OWN(own_general_name) GENERAL_NAME *name = GENERAL_NAME_new();
    if (!name || !value) {
        ASN1_STRING_free(value);
        return crypt_err(ERR_FAILED, "subject alternative name");
    }
    GENERAL_NAME_set0_value(name, type, value);
    if (sk_GENERAL_NAME_push(list, name) <= 0)
        return crypt_err(ERR_FAILED, "subject alternative name");
    name = NULL;
    return NULL;
}

static struct err *add_dns(GENERAL_NAMES *list, const char *dns)
{
    if (!dns_is_good(dns))
        return err_new(ERR_USAGE, "\"%s\" is no DNS name", dns);
    ASN1_STRING *value = ASN1_IA5STRING_new();
    if (value && ASN1_STRING_set(value, dns, -1) != 1) {
        ASN1_STRING_free(value);
        value = NULL;
    }
    return add_name(list, GEN_DNS, value);
}

static struct err *add_ip(GENERAL_NAMES *list, const char *ip)
{
    ASN1_OCTET_STRING *value = a2i_IPADDRESS(ip);
    if (!value)
        return crypt_err(ERR_USAGE, "\"%s\" is no numeric address", ip);
    return add_name(list, GEN_IPADD, value);
}

static struct err *add_san(X509 *cert, const struct cert_spec *spec)
{
    OWN(own_general_names) GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    if (!list)
        return crypt_err(ERR_FAILED, "subject alternative name");
    for (size_t i = 0; i < spec->n_dns; i++)
        TRY(add_dns(list, spec->dns[i]));
    for (size_t i = 0; i < spec->n_ips; i++)
        TRY(add_ip(list, spec->ips[i]));
    if (X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) != 1)
        return crypt_err(ERR_FAILED, "subject alternative name");
    return NULL;
}

struct err *cert_add_leaf(X509 *cert, const struct cert_spec *spec)
{
    TRY(add_extended(cert, spec->server, spec->client));
    return spec->n_dns + spec->n_ips ? add_san(cert, spec) : NULL;
}

struct err *cert_finish(struct buf *pem, X509 *cert, EVP_PKEY *issuer_key)
{
    if (X509_sign(cert, issuer_key, crypt_sign_md(issuer_key)) <= 0)
        return crypt_err(ERR_FAILED, "sign the certificate");
    OWN_BIO BIO *bio = NULL;
    TRY(crypt_bio_new(&bio));
    if (PEM_write_bio_X509(bio, cert) != 1)
        return crypt_err(ERR_FAILED, "write the certificate");
    return crypt_bio_take(pem, bio);
}
