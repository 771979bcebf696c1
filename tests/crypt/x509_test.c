#include "crypt/x509.h"

#include "base/child.h"
#include "base/clock.h"
#include "check.h"

enum { DAY = 86400 };

struct fixture {
    struct key *ca_key, *leaf_key;
    struct buf ca, csr;
    int64_t now;
};

static int fixture_make(void **state)
{
    static struct fixture f;
    f = (struct fixture){.now = clock_wall_s()};
    OK(key_new_ec(&f.ca_key));
    OK(key_new_ec(&f.leaf_key));
    OK(ca_create(&f.ca, f.ca_key, "test-ca", f.now - DAY, f.now + 100 * DAY));
    OK(csr_make(&f.csr, f.leaf_key, "does-not-matter"));
    *state = &f;
    return 0;
}

static int fixture_done(void **state)
{
    struct fixture *f = *state;
    key_free(f->ca_key);
    key_free(f->leaf_key);
    buf_done(&f->ca);
    buf_done(&f->csr);
    return 0;
}

static const char *const orgs[] = {"system:masters", "admins"};
static const char *const dns[] = {"kubernetes", "*.svc.cluster.local", "cp1"};
static const char *const ips[] = {"10.96.0.1", "fd00::1"};

static struct cert_spec spec_of(const struct fixture *f)
{
    return (struct cert_spec){.cn = "kube-apiserver",
                              .orgs = orgs,
                              .n_orgs = 2,
                              .dns = dns,
                              .n_dns = 3,
                              .ips = ips,
                              .n_ips = 2,
                              .server = true,
                              .client = true,
                              .not_before = f->now - 300,
                              .not_after = f->now + 30 * DAY};
}

static void has(const struct buf *text, const char *part)
{
    if (!strstr(buf_text(text), part))
        print_error("no \"%s\" in:\n%s\n", part, buf_text(text));
    assert_non_null(strstr(buf_text(text), part));
}

static void x509_text(struct buf *out, const struct buf *pem)
{
    OK(child_run((const char *const[]){"openssl", "x509", "-noout", "-text", "-nameopt", "RFC2253", NULL},
                 &(struct child_opts){.input = pem->at, .input_len = pem->len, .output = out}, NULL));
}

/* openssl's verdict on `leaf`, with `purpose` and `more` (a further option and its value, or NULLs). */
static struct err *openssl_verify(const struct buf *ca, const struct buf *leaf, const char *purpose, const char *option,
                                  const char *value)
{
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *ca_path = check_path(dir, "ca"), *leaf_path = check_path(dir, "leaf");
    check_write(dir, "ca", ca->at, ca->len);
    check_write(dir, "leaf", leaf->at, leaf->len);
    const char *argv[] = {"openssl", "verify",  "-x509_strict", "-CAfile", ca_path, "-purpose",
                          purpose,   leaf_path, NULL,           NULL,      NULL};
    if (option) {
        argv[7] = option;
        argv[8] = value;
        argv[9] = leaf_path;
    }
    return child_run(argv, &(struct child_opts){0}, NULL);
}

static void leaf_as_openssl_reads_it(void **state)
{
    const struct fixture *f = *state;
    struct cert_spec spec = spec_of(f);
    OWN_BUF struct buf leaf = {0}, text = {0};
    OK(cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    OK(openssl_verify(&f->ca, &leaf, "sslserver", "-verify_hostname", "x.svc.cluster.local"));
    OK(openssl_verify(&f->ca, &leaf, "sslclient", "-verify_ip", "fd00::1"));
    FAILS(ERR_FAILED, "mismatch", openssl_verify(&f->ca, &leaf, "sslserver", "-verify_hostname", "other"));
    x509_text(&text, &leaf);
    has(&text, "Version: 3 (0x2)");
    has(&text, "Signature Algorithm: ecdsa-with-SHA256");
    has(&text, "Issuer: CN=test-ca");
    has(&text, "Subject: CN=kube-apiserver,O=admins,O=system:masters");
    has(&text, "X509v3 Basic Constraints: critical\n                CA:FALSE");
    has(&text, "X509v3 Key Usage: critical\n                Digital Signature\n");
    has(&text, "TLS Web Server Authentication, TLS Web Client Authentication");
    has(&text, "DNS:kubernetes, DNS:*.svc.cluster.local, DNS:cp1, IP Address:10.96.0.1, IP "
               "Address:FD00:0:0:0:0:0:0:1");
    has(&text, "X509v3 Subject Key Identifier");
    has(&text, "X509v3 Authority Key Identifier");
    assert_null(strstr(text.at, "does-not-matter"));
}

static void info_of_leaf(void **state)
{
    const struct fixture *f = *state;
    struct cert_spec spec = spec_of(f);
    OWN_BUF struct buf leaf = {0}, out = {0};
    struct cert_info info, second;
    char id[DIGEST_HEX];
    OK(cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    OK(cert_info(leaf.at, &info));
    assert_int_equal(info.not_before, spec.not_before);
    assert_int_equal(info.not_after, spec.not_after);
    assert_string_equal(info.cn, "kube-apiserver");
    assert_false(info.ca);
    OK(key_id(id, f->leaf_key));
    assert_string_equal(info.key_id, id);
    assert_true(strlen(info.serial) > 24 && strlen(info.serial) <= 32);
    OK(child_run((const char *const[]){"openssl", "x509", "-outform", "DER", NULL},
                 &(struct child_opts){.input = leaf.at, .input_len = leaf.len, .output = &out}, NULL));
    OK(digest_hex(id, out.at, out.len));
    assert_string_equal(info.fingerprint, id);
    buf_done(&leaf);
    OK(cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    OK(cert_info(leaf.at, &second));
    assert_string_not_equal(info.serial, second.serial);
    FAILS(ERR_UNTRUSTED, "cannot be read", cert_info("", &info));
    FAILS(ERR_UNTRUSTED, "cannot be read", cert_info(f->csr.at, &info));
}

/* UTCTime ends in 2049; later dates must be GeneralizedTime. */
static void dates_beyond_2050(void **state)
{
    const struct fixture *f = *state;
    OWN_BUF struct buf ca = {0}, text = {0};
    struct cert_info info;
    OK(ca_create(&ca, f->ca_key, "long-ca", 0, 4102444800)); /* 1970-01-01 to 2100-01-01 */
    OK(cert_info(ca.at, &info));
    assert_int_equal(info.not_before, 0);
    assert_int_equal(info.not_after, 4102444800);
    x509_text(&text, &ca);
    has(&text, "Not After : Jan  1 00:00:00 2100 GMT");
    OK(openssl_verify(&ca, &ca, "any", NULL, NULL));
}

static void authority_constraints(void **state)
{
    const struct fixture *f = *state;
    OWN_BUF struct buf text = {0}, sub = {0}, subsub = {0}, leaf = {0};
    struct cert_info info;
    x509_text(&text, &f->ca);
    has(&text, "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:1\n");
    has(&text, "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n");
    OK(cert_info(f->ca.at, &info));
    assert_true(info.ca);

    struct cert_spec spec = {.cn = "sub-ca", .ca = true, .not_before = f->now - 300, .not_after = f->now + DAY};
    OK(cert_issue(&sub, &spec, f->csr.at, f->ca.at, f->ca_key));
    buf_done(&text);
    x509_text(&text, &sub);
    has(&text, "CA:TRUE, pathlen:0");
    FAILS(ERR_UNTRUSTED, "below it", cert_issue(&subsub, &spec, f->csr.at, sub.at, f->leaf_key));
    spec.server = true;
    FAILS(ERR_USAGE, "authority has no usages", cert_issue(&subsub, &spec, f->csr.at, f->ca.at, f->ca_key));

    struct cert_spec of_leaf = spec_of(f);
    of_leaf.not_after = f->now + DAY;
    OK(cert_issue(&leaf, &of_leaf, f->csr.at, sub.at, f->leaf_key)); /* the intermediate issues */
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *sub_path = check_path(dir, "sub");
    check_write(dir, "sub", sub.at, sub.len);
    OK(openssl_verify(&f->ca, &leaf, "sslserver", "-untrusted", sub_path));
    FAILS(ERR_FAILED, "unable to get", openssl_verify(&f->ca, &leaf, "sslserver", NULL, NULL));
}

static void leaf_is_no_authority(void **state)
{
    const struct fixture *f = *state;
    struct cert_spec spec = spec_of(f);
    OWN_BUF struct buf leaf = {0}, below = {0};
    OK(cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    FAILS(ERR_UNTRUSTED, "no certificate authority", cert_issue(&below, &spec, f->csr.at, leaf.at, f->leaf_key));
    FAILS(ERR_UNTRUSTED, "not the one", cert_issue(&below, &spec, f->csr.at, f->ca.at, f->leaf_key));
    assert_int_equal(below.len, 0);
}

static void lifetimes(void **state)
{
    const struct fixture *f = *state;
    struct cert_spec spec = spec_of(f);
    OWN_BUF struct buf leaf = {0};
    spec.not_after = f->now + 100 * DAY;
    OK(cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    spec.not_after++;
    FAILS(ERR_REFUSED, "outlive", cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    spec.not_after = spec.not_before;
    FAILS(ERR_USAGE, "end after it begins", cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
}

/* The request with one bit of its signature changed. */
static void proof_of_possession(void **state)
{
    const struct fixture *f = *state;
    struct cert_spec spec = spec_of(f);
    OWN_FOLDER char *dir = check_folder();
    OWN_FREE char *path = check_path(dir, "csr");
    OWN_BUF struct buf der = {0}, bad = {0}, leaf = {0};
    OK(child_run((const char *const[]){"openssl", "req", "-outform", "DER", NULL},
                 &(struct child_opts){.input = f->csr.at, .input_len = f->csr.len, .output = &der}, NULL));
    der.at[der.len - 1] ^= 1;
    check_write(dir, "csr", der.at, der.len);
    OK(child_run((const char *const[]){"openssl", "req", "-inform", "DER", "-in", path, NULL},
                 &(struct child_opts){.output = &bad}, NULL));
    FAILS(ERR_UNTRUSTED, "proof of possession", cert_issue(&leaf, &spec, bad.at, f->ca.at, f->ca_key));
    FAILS(ERR_UNTRUSTED, "cannot be read", cert_issue(&leaf, &spec, "x", f->ca.at, f->ca_key));
    FAILS(ERR_UNTRUSTED, "cannot be read", cert_issue(&leaf, &spec, f->ca.at, f->ca.at, f->ca_key));
}

static void requests_of_other_keys_refused(void **state)
{
    const struct fixture *f = *state;
    struct cert_spec spec = spec_of(f);
    OWN_BUF struct buf csr = {0}, leaf = {0};
    OK(child_run((const char *const[]){"openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384",
                                       "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x", NULL},
                 &(struct child_opts){.output = &csr}, NULL));
    FAILS(ERR_UNTRUSTED, "secp384r1", cert_issue(&leaf, &spec, csr.at, f->ca.at, f->ca_key));
}

static void names_checked(void **state)
{
    const struct fixture *f = *state;
    static const char *const bad_dns[] = {"",    ".",       "*.",  "a..b", "-a",    "a-", "a.-b",
                                          "a b", "a,DNS:b", "a\n", "*",    "a.*.b", "a."};
    static const char *const bad_ips[] = {"", "10.0.0", "10.0.0.256", "10.0.0.1/24", "cp1", "fd00::1%eth0"};
    OWN_BUF struct buf leaf = {0};
    for (size_t i = 0; i < ARRAY_LEN(bad_dns); i++) {
        struct cert_spec spec = spec_of(f);
        spec.dns = &bad_dns[i];
        spec.n_dns = 1;
        FAILS(ERR_USAGE, "no DNS name", cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad_ips); i++) {
        struct cert_spec spec = spec_of(f);
        spec.ips = &bad_ips[i];
        spec.n_ips = 1;
        FAILS(ERR_USAGE, "no numeric address", cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    }
    static const char *const bad_cn[] = {NULL, "", "a\nb"};
    for (size_t i = 0; i < ARRAY_LEN(bad_cn); i++) {
        struct cert_spec spec = spec_of(f);
        spec.cn = bad_cn[i];
        FAILS(ERR_USAGE, "name", cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    }
    struct cert_spec none = spec_of(f);
    none.server = none.client = false;
    FAILS(ERR_USAGE, "servers or clients", cert_issue(&leaf, &none, f->csr.at, f->ca.at, f->ca_key));
}

/* "system:node:" and a host name is longer than X.520 allows; Kubernetes needs it all the same. */
static void long_node_name(void **state)
{
    const struct fixture *f = *state;
    char cn[200] = "system:node:";
    memset(cn + strlen(cn), 'n', sizeof cn - 13);
    cn[sizeof cn - 1] = '\0';
    struct cert_spec spec = {.cn = cn, .client = true, .not_before = f->now - 300, .not_after = f->now + DAY};
    OWN_BUF struct buf leaf = {0};
    struct cert_info info;
    OK(cert_issue_for_key(&leaf, &spec, f->leaf_key, f->ca.at, f->ca_key));
    OK(openssl_verify(&f->ca, &leaf, "sslclient", NULL, NULL));
    FAILS(ERR_FAILED, "unsuitable", openssl_verify(&f->ca, &leaf, "sslserver", NULL, NULL));
    OK(cert_info(leaf.at, &info));
    assert_string_equal(info.cn, cn);
}

static void other_key_types(void **state)
{
    const struct fixture *f = *state;
    OWN_KEY struct key *ed = NULL, *rsa = NULL;
    OWN_BUF struct buf ca = {0}, leaf = {0}, text = {0}, csr = {0};
    struct cert_spec spec = spec_of(f);
    OK(key_new_ed25519(&ed));
    OK(key_new_rsa(&rsa, 2048));
    OK(ca_create(&ca, ed, "ed-ca", f->now - DAY, f->now + 100 * DAY));
    OK(csr_make(&csr, rsa, "rsa"));
    OK(cert_issue(&leaf, &spec, csr.at, ca.at, ed));
    OK(openssl_verify(&ca, &leaf, "sslserver", NULL, NULL));
    x509_text(&text, &leaf);
    has(&text, "Signature Algorithm: ED25519");
    has(&text, "Digital Signature, Key Encipherment");
}

static void checked_against_authorities(void **state)
{
    const struct fixture *f = *state;
    struct cert_spec spec = spec_of(f);
    OWN_KEY struct key *other_key = NULL;
    OWN_BUF struct buf leaf = {0}, other = {0}, both = {0};
    OK(key_new_ec(&other_key));
    OK(ca_create(&other, other_key, "test-ca", f->now - DAY, f->now + 100 * DAY)); /* the same name */
    OK(buf_fmt(&both, "%s%s", other.at, f->ca.at));
    OK(cert_issue(&leaf, &spec, f->csr.at, f->ca.at, f->ca_key));
    OK(cert_check(leaf.at, f->ca.at, f->now));
    OK(cert_check(leaf.at, both.at, f->now));
    FAILS(ERR_UNTRUSTED, "certificate", cert_check(leaf.at, other.at, f->now));
    FAILS(ERR_UNTRUSTED, "expired", cert_check(leaf.at, f->ca.at, f->now + 31 * DAY));
    FAILS(ERR_UNTRUSTED, "not yet valid", cert_check(leaf.at, f->ca.at, f->now - 301));
    FAILS(ERR_UNTRUSTED, "no authority", cert_check(leaf.at, "", f->now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaf_as_openssl_reads_it),
        cmocka_unit_test(info_of_leaf),
        cmocka_unit_test(dates_beyond_2050),
        cmocka_unit_test(authority_constraints),
        cmocka_unit_test(leaf_is_no_authority),
        cmocka_unit_test(lifetimes),
        cmocka_unit_test(proof_of_possession),
        cmocka_unit_test(requests_of_other_keys_refused),
        cmocka_unit_test(names_checked),
        cmocka_unit_test(long_node_name),
        cmocka_unit_test(other_key_types),
        cmocka_unit_test(checked_against_authorities),
    };
    return cmocka_run_group_tests(tests, fixture_make, fixture_done);
}
