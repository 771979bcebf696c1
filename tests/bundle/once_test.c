/* A bundle that comes through a pipe is verified in one pass, by the same rules as a file. */
#include "forge.h"

#include <errno.h>
#include <sys/wait.h>

/* The forge's file out of another process, in pieces of odd sizes; the reading end. */
static int pipe_of(const struct forge *f, pid_t *ret_pid)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    *ret_pid = fork();
    assert_true(*ret_pid >= 0);
    if (*ret_pid)
        return own_close(&fds[1]), fds[0];
    (void)close(fds[0]);
    for (size_t at = 0, n = 1; at < f->file.len; at += n, n = n * 5 % 99991 + 1) {
        n = n < f->file.len - at ? n : f->file.len - at;
        if (write(fds[1], f->file.at + at, n) != (ssize_t)n)
            _exit(1); /* nobody reads any more */
    }
    _exit(0);
}

struct progress {
    uint64_t done, total;
};

static bool note(void *self, uint64_t done, uint64_t total)
{
    *(struct progress *)self = (struct progress){done, total};
    return true;
}

/* bundle_verify() of what comes through a pipe; what it says then, and how far it came, into `ret` and `p`. */
static struct err *verify(struct doc **ret, struct progress *p, const struct forge *f)
{
    OWN_BUNDLE struct bundle *b = NULL;
    struct source *source = NULL;
    const char *trust = f->pub_path;
    char name[32];
    pid_t pid;
    int fd = pipe_of(f, &pid);
    (void)snprintf(name, sizeof name, "/dev/fd/%d", fd);
    struct err *e = source_open_once(&source, name, NULL);
    own_close(&fd);
    if (!e)
        e = bundle_open_source(&b, source, BUNDLE_DELTA, &trust, 1);
    if (!e)
        e = bundle_verify(b, note, p);
    if (!e)
        *ret = bundle_receipt(b);
    bundle_free(TAKE(b)); /* ends a writer for whom nobody reads any more */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return e;
}

static void refused(const struct forge *f, const char *code)
{
    OWN_DOC struct doc *d = NULL;
    struct progress p;
    struct err *e = verify(&d, &p, f);
    assert_true(!e || (err_hint_text(e) && strstr(err_text(e), "/dev/fd/")));
    FAILS(ERR_UNTRUSTED, code, e);
    assert_null(d);
}

static struct forge *good(void)
{
    struct forge *f = forge_new();
    forge_seal(f);
    forge_write(f);
    return f;
}

/* The same that is said of the file. */
static void whole(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = good();
    OWN_BUNDLE struct bundle *b = NULL;
    OWN_DOC struct doc *d = NULL;
    struct progress p;
    const char *trust = f->pub_path;
    OK(verify(&d, &p, f));
    assert_int_equal(p.done, p.total);
    OK(bundle_open(&b, f->path, &trust, 1));
    OWN_DOC struct doc *of_file = bundle_receipt(b);
    doc_set_text(of_file, "path", doc_text(d, "path"));
    assert_true(doc_equal(d, of_file));
}

static void cut_everywhere(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = good();
    size_t whole = f->file.len;
    for (size_t at = 0; at < whole; at += 256) {
        f->file.len = at;
        refused(f, "E_TRUNCATED");
    }
    f->file.len = whole - 1;
    refused(f, "E_TRUNCATED");
}

static void more_behind_it(void **state)
{
    (void)state;
    static const char zeros[512];
    for (size_t n = 1; n <= sizeof zeros; n += 511) {
        OWN_FORGE struct forge *f = good();
        OK(buf_add(&f->file, zeros, n));
        refused(f, "E_TRAILING");
    }
}

static void a_flipped_byte(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = good();
    for (size_t at = 100; at < f->file.len; at += 397) {
        f->file.at[at] = (char)(f->file.at[at] ^ 4);
        refused(f, "E_");
        f->file.at[at] = (char)(f->file.at[at] ^ 4);
    }
}

/* ---- what index.json reaches ---- */

/* An image whose config is this text. */
static struct forge *with_config(const char *text, size_t n)
{
    struct forge *f = forge_new();
    struct doc *m = doc_new_map(), *layers = doc_set(m, "layers", doc_new_list());
    char digest[72];
    size_t size;
    doc_set_int(m, "schemaVersion", 2);
    (void)forge_blob(digest, f, text, n);
    doc_set(m, "config", forge_descriptor("application/vnd.oci.image.config.v1+json", digest, n));
    (void)forge_blob(digest, f, "a layer", 7);
    doc_add(layers, forge_descriptor("application/vnd.oci.image.layer.v1.tar", digest, 7));
    (void)forge_json(digest, f, m, &size);
    doc_add(doc_get(f->index, "manifests"),
            forge_descriptor("application/vnd.oci.image.manifest.v1+json", digest, size));
    forge_seal(f);
    forge_write(f);
    return f;
}

static void closure(void **state)
{
    (void)state;
    static const struct {
        const char *config, *code;
    } rows[] = {
        {"{\"architecture\":\"amd64\",\"os\":\"linux\"}", NULL},
        {" \r\n\t{\"architecture\":\"amd64\",\"os\":\"linux\"}", NULL},
        {"{\"architecture\":\"arm64\",\"os\":\"linux\"}", "E_PLATFORM"},
        {"{\"architecture\":", "E_OCI"},
        {"no JSON", "E_OCI"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        OWN_FORGE struct forge *f = with_config(rows[i].config, strlen(rows[i].config));
        OWN_DOC struct doc *d = NULL;
        struct progress p;
        if (rows[i].code) {
            forge_file_refused(f, rows[i].code, "index.json: ");
            refused(f, rows[i].code);
        } else {
            OK(verify(&d, &p, f));
        }
    }
}

static void nobodys_blob(void **state)
{
    (void)state;
    OWN_FORGE struct forge *f = forge_new();
    char digest[72];
    (void)forge_blob(digest, f, "nobody's", 8);
    forge_seal(f);
    forge_write(f);
    refused(f, "E_OCI_ORPHAN");
}

/* Memory has an end: what is not needed is not kept, and what may be is up to a limit. */
static void many_documents(void **state)
{
    (void)state;
    enum { LARGE = 4 << 20, N = 17 };
    for (int i = 0; i < 2; i++) {
        OWN_FORGE struct forge *f = forge_new();
        OWN_FREE char *text = calloc(1, LARGE);
        OWN_DOC struct doc *d = NULL;
        struct progress p;
        for (int k = 0; k < N; k++) {
            char digest[72];
            memset(text, i ? '{' : 'x', 1);
            (void)snprintf(text + 1, 16, "%d", k);
            (void)forge_blob(digest, f, text, LARGE);
        }
        forge_seal(f);
        forge_write(f);
        struct err *e = verify(&d, &p, f);
        assert_true(e && err_hint_text(e));
        FAILS(i ? ERR_FAILED : ERR_UNTRUSTED, i ? "E_LIMIT" : "E_OCI_ORPHAN", e);
    }
}

/* ---- deltas ---- */

static void deltas(void **state)
{
    (void)state;
    for (size_t step = 1; step <= 3; step++) {
        OWN_FORGE struct forge *f = forge_new();
        OWN_BUNDLE struct bundle *b = NULL;
        OWN_DOC struct doc *d = NULL;
        struct progress p;
        const char *trust = f->pub_path;
        forge_seal(f);
        struct buf *format = &forge_find(f, "caisson/format")->body;
        format->len = 0;
        OK(buf_str(format, "caisson-bundle 1 delta\n"));
        for (size_t i = 0; i < f->n_blobs; i += step)
            forge_remove(f, f->blobs[i].name);
        forge_write(f);
        OK(verify(&d, &p, f));
        assert_int_equal(p.total, 0);
        OK(bundle_open_delta(&b, f->path, &trust, 1));
        OWN_DOC struct doc *of_file = bundle_receipt(b);
        doc_set_text(of_file, "path", doc_text(d, "path"));
        assert_true(doc_equal(d, of_file));
        assert_true(doc_int(d, "missing", 0) > 0);
        f->file.len -= 512;
        refused(f, "E_TRUNCATED");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),          cmocka_unit_test(cut_everywhere), cmocka_unit_test(more_behind_it),
        cmocka_unit_test(a_flipped_byte), cmocka_unit_test(closure),        cmocka_unit_test(nobodys_blob),
        cmocka_unit_test(many_documents), cmocka_unit_test(deltas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
