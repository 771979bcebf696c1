/* What Go programs say of themselves; `go version -m` says the same of a real one. */
#include "check.h"

#include "base/child.h"
#include "supply/goinfo.h"

/* The section with this text of modules between its marks (NULL: none). */
static void section(struct buf *out, const char *go, const char *modules)
{
    static const char frame[] = "0123456789abcdef";
    OWN_BUF struct buf framed = {0};
    if (modules)
        OK(buf_fmt(&framed, "%s%s%s", frame, modules, frame));
    OK(buf_add(out, "\xff Go buildinf:\x08\x02", 16));
    OK(buf_add(out, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16));
    OK(buf_fmt(out, "%c%s", (int)strlen(go), go));
    OK(buf_fmt(out, "%c", (int)(framed.len & 0x7f) | 0x80));
    char high = (char)(framed.len >> 7);
    OK(buf_add(out, &high, 1));
    OK(buf_add(out, buf_text(&framed), framed.len));
}

static struct err *parse(struct doc **ret, const char *modules)
{
    OWN_BUF struct buf bytes = {0};
    section(&bytes, "go1.26.8", modules);
    return goinfo_parse(ret, bytes.at, bytes.len);
}

static void all_kinds_of_lines(void **state)
{
    (void)state;
    OWN_DOC struct doc *info = NULL;
    OK(parse(&info, "path\texample.org/x/cmd\nmod\texample.org/x\t(devel)\t\n"
                    "dep\tgithub.com/A/b\tv1.2.3\th1:abc=\n"
                    "dep\tk8s.io/api\tv0.0.0\n=>\tk8s.io/api/v2\tv0.36.3\th1:def=\n"
                    "dep\texample.org/y\tv0.1.0\n=>\t./y\t(devel)\t\n"
                    "later\tkind\nbuild\t-ldflags=\"-X a=b\"\nbuild\tCGO_ENABLED=0\n"));
    OWN_BUF struct buf text = {0};
    OK(doc_json_write(&text, info));
    assert_string_equal(text.at,
                        "{\"go\":\"go1.26.8\",\"modules\":[{\"path\":\"example.org/x\",\"version\":\"(devel)\"},"
                        "{\"path\":\"github.com/A/b\",\"sum\":\"h1:abc=\",\"version\":\"v1.2.3\"},"
                        "{\"path\":\"k8s.io/api/v2\",\"replaces\":\"k8s.io/api@v0.0.0\",\"sum\":\"h1:def=\","
                        "\"version\":\"v0.36.3\"},"
                        "{\"folder\":\"./y\",\"path\":\"example.org/y\",\"version\":\"v0.1.0\"}],"
                        "\"path\":\"example.org/x/cmd\",\"settings\":["
                        "{\"key\":\"-ldflags\",\"value\":\"\\\"-X a=b\\\"\"},"
                        "{\"key\":\"CGO_ENABLED\",\"value\":\"0\"}]}");
}

static void no_modules(void **state)
{
    (void)state;
    OWN_DOC struct doc *info = NULL, *old = NULL;
    OK(parse(&info, NULL));
    assert_int_equal(doc_len(doc_get(info, "modules")), 0);
    assert_string_equal(doc_text(info, "go"), "go1.26.8");
    char header[33] = "\xff Go buildinf:\x08"; /* Go 1.17: pointers, which nobody follows here */
    OK(goinfo_parse(&old, header, 32));
    assert_string_equal(doc_text(old, "go"), "");
}

static void refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "path",
        "path\tx",
        "nothing\n",
        "mod\tx\n",
        "mod\tx\tv1\th1\tmore\n",
        "dep\t\tv1\n",
        "=>\ta\tv1\th1\n",
        "dep\ta\tv1\n=>\tb\tv1\n",
        "dep\ta\tv1\n=>\tb\tv1\th\n=>\tc\tv1\th\n",
        "build\tx\n",
        "build\t=x\n",
        "path\ta\033[2J\n",
        "dep\ta\xc0\xaf\tv1\n",
        "build\ta=\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct doc *info = NULL;
        print_message("%s\n", texts[i]);
        FAILS(ERR_UNTRUSTED, "E_GOINFO", parse(&info, texts[i]));
        assert_null(info);
    }
}

/* Every shorter section is refused, and none is read beyond its end. */
static void cut_off(void **state)
{
    (void)state;
    OWN_BUF struct buf bytes = {0};
    section(&bytes, "go1.26.8", "path\tx\n");
    for (size_t n = 0; n < bytes.len; n++) {
        OWN_FREE char *part = malloc(n + 1);
        struct doc *info = NULL;
        memcpy(part, bytes.at, n);
        FAILS(ERR_UNTRUSTED, "E_GOINFO", goinfo_parse(&info, part, n));
    }
    static const char lengths[][11] = {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\xff\xff\xff\xff\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        OWN_FREE char *copy = malloc(64);
        struct doc *info = NULL;
        memcpy(copy, bytes.at, 32);
        memcpy(copy + 32, lengths[i], 11);
        FAILS(ERR_UNTRUSTED, "E_GOINFO", goinfo_parse(&info, copy, 43));
    }
}

static void other_files(void **state)
{
    (void)state;
    OWN_FOLDER char *folder = check_folder();
    static const char *const files[] = {"", "\x7f",
                                        "\x7f"
                                        "ELF",
                                        "#!/bin/sh\n"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct doc *info = NULL;
        check_write(folder, "file", files[i], strlen(files[i]));
        OWN_FREE char *path = check_path(folder, "file");
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        OK(goinfo_read(&info, fd));
        assert_null(info);
        assert_int_equal(goinfo_is_elf(fd), i == 2);
    }
    struct doc *info = NULL; /* this very program: ELF, and not Go's */
    OWN_FD int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    OK(goinfo_read(&info, self));
    assert_null(info);
    assert_true(goinfo_is_elf(self));
}

/* A tab and the text of it, as `go version -m` prints each line. */
static void must_say(const char *output, const char *kind, const char *a, const char *b, const char *c)
{
    OWN_FREE char *line = str_fmt("\t%s\t%s%s%s%s%s", kind, a, b ? "\t" : "", b ? b : "", c ? "\t" : "", c ? c : "");
    if (!strstr(output, line))
        fail_msg("go version -m does not say:%s", line);
}

static void like_go_itself(void **state)
{
    (void)state;
    OWN_BUF struct buf root = {0}, said = {0};
    OWN_DOC struct doc *info = NULL;
    struct err *none =
        child_run((const char *const[]){"go", "env", "GOROOT", NULL}, &(struct child_opts){.output = &root}, NULL);
    if (none) {
        print_message("no go here: only made-up sections were read\n");
        err_free(none);
        return;
    }
    root.at[strcspn(root.at, "\n")] = '\0';
    OWN_FREE char *path = check_path(root.at, "bin/go");
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    OK(child_run((const char *const[]){path, "version", "-m", path, NULL}, &(struct child_opts){.output = &said},
                 NULL));
    OK(goinfo_read(&info, fd));
    assert_non_null(info);
    assert_non_null(strstr(said.at, doc_text(info, "go")));
    must_say(said.at, "path", doc_text(info, "path"), NULL, NULL);
    DOC_EACH (v, doc_get(info, "modules"))
        must_say(said.at, v == doc_get(info, "modules")->child ? "mod" : "dep", doc_text(v, "path"),
                 doc_text(v, "version"), doc_text(v, "sum"));
    size_t lines = 0;
    for (const char *at = said.at; (at = strchr(at, '\n')); at++)
        lines++;
    size_t replaced = 0;
    DOC_EACH (v, doc_get(info, "modules"))
        replaced += doc_get(v, "replaces") || doc_get(v, "folder");
    /* the first line names file and version, the second the path */
    assert_int_equal(lines, 2 + doc_len(doc_get(info, "modules")) + replaced + doc_len(doc_get(info, "settings")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_kinds_of_lines),
                                       cmocka_unit_test(no_modules),
                                       cmocka_unit_test(refused),
                                       cmocka_unit_test(cut_off),
                                       cmocka_unit_test(other_files),
                                       cmocka_unit_test(like_go_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
