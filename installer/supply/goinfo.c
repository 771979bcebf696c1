#include "supply/goinfo.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "base/text.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* The header: magic (14 bytes), size of pointers, flags, and 16 bytes that are pointers when the strings are not here.
 */
enum { HEADER = 32, FLAGS_AT = 15, STRINGS_ARE_HERE = 2, FRAME = 16, SECTION_MAX = 4 << 20, NAMES_MAX = 1 << 20 };

static const char magic[] = "\xff Go buildinf:";
static const char section_name[] = ".go.buildinfo";

static struct err *bad(const char *why)
{
    return err_new(ERR_UNTRUSTED, "E_GOINFO: section %s: %s", section_name, why);
}

/* ---- the text: lines of fields with tabs between them ---- */

/* Fields are shown and compared: no control characters, nothing but UTF-8. */
static struct err *check_field(char *field)
{
    OWN_FREE char *same = strdup(field);
    if (!same)
        return err_os(ENOMEM, "Go build information");
    text_clean(same, strlen(same), 0);
    return strcmp(same, field) == 0 ? NULL : bad("a field with control characters");
}

static struct err *read_module(struct doc *to, char *fields, bool replacement)
{
    static const char *const keys[] = {"path", "version", "sum"};
    size_t n = 0;
    for (char *field; (field = strsep(&fields, "\t")); n++) {
        if (n == ARRAY_LEN(keys))
            return bad("a module of more than three fields");
        TRY(check_field(field));
        if (*field)
            doc_set_text(to, keys[n], field);
    }
    return n < (replacement ? 3 : 2) || !doc_get(to, "path") ? bad("a module of too few fields") : NULL;
}

/* `last` was replaced by what the line says: another module, or a folder of the machine that built it. */
static struct err *replace(struct doc *last, char *fields)
{
    OWN_DOC struct doc *by = doc_new_map();
    TRY(read_module(by, fields, true));
    if (strchr("./", doc_text(by, "path")[0])) {
        doc_set_text(last, "folder", doc_text(by, "path"));
        return NULL;
    }
    const char *version = doc_text(last, "version");
    doc_set_fmt(last, "replaces", "%s@%s", doc_text(last, "path"), version ? version : "");
    doc_merge(last, by);
    return NULL;
}

/* Kept as it stands there, quotes and all: `go version -m` prints it so too. */
static struct err *read_setting(struct doc *list, char *line)
{
    char *equals = strchr(line, '=');
    TRY(check_field(line));
    if (!equals || equals == line)
        return bad("a setting without key");
    *equals = '\0';
    struct doc *v = doc_add(list, doc_new_map());
    doc_set_text(v, "key", line);
    doc_set_text(v, "value", equals + 1);
    return NULL;
}

/* Kinds of lines that are not known here are for a later reader, as Go itself sees it. */
static struct err *read_line(struct doc *info, struct doc **last, char *line)
{
    char *fields = line, *kind = strsep(&fields, "\t");
    if (!fields)
        return bad("a line without fields");
    if (strcmp(kind, "build") == 0)
        return read_setting(doc_get(info, "settings"), fields);
    if (strcmp(kind, "path") == 0) {
        doc_set_text(info, "path", fields);
        return check_field(fields);
    }
    if (strcmp(kind, "mod") == 0 || strcmp(kind, "dep") == 0) {
        *last = doc_add(doc_get(info, "modules"), doc_new_map());
        return read_module(*last, fields, false);
    }
    if (strcmp(kind, "=>") != 0)
        return NULL;
    if (!*last)
        return bad("a replacement of nothing");
    struct doc *replaced = TAKE(*last);
    return replace(replaced, fields);
}

static struct err *read_lines(struct doc *info, char *text)
{
    struct doc *last = NULL;
    for (char *line; (line = strsep(&text, "\n"));)
        if (*line)
            TRY(read_line(info, &last, line));
    return NULL;
}

/* ---- the section ---- */

/* A string with its length in front, as a base-128 number; it is cut out of what is left. */
static struct err *take_string(char **ret, size_t *ret_len, char **p, size_t *n)
{
    uint64_t len = 0;
    unsigned shift = 0;
    for (bool more = true; more; shift += 7) {
        if (*n == 0 || shift > 28)
            return bad("a length that is none");
        more = (**p & 0x80) != 0;
        len |= (uint64_t)(**p & 0x7f) << shift;
        (*p)++;
        (*n)--;
    }
    if (len > *n)
        return bad("cut off");
    *ret = *p;
    *ret_len = (size_t)len;
    *p += len;
    *n -= (size_t)len;
    return NULL;
}

/* The module text stands between two marks of 16 bytes; without modules there is nothing. */
static struct err *read_modules(struct doc *info, char *text, size_t n)
{
    if (n == 0)
        return NULL;
    if (n < 2 * FRAME + 1 || text[n - FRAME - 1] != '\n' || memchr(text + FRAME, '\0', n - 2 * FRAME))
        return bad("modules without their frame");
    text[n - FRAME - 1] = '\0';
    return read_lines(info, text + FRAME);
}

struct err *goinfo_parse(struct doc **ret, char *p, size_t n)
{
    OWN_DOC struct doc *info = doc_new_map();
    OWN_FREE char *version = NULL;
    char *text = NULL;
    size_t len = 0;
    if (n < HEADER || memcmp(p, magic, sizeof magic - 1) != 0)
        return bad("does not begin as Go begins it");
    doc_set_text(info, "go", "");
    doc_set(info, "modules", doc_new_list());
    doc_set(info, "settings", doc_new_list());
    if (p[FLAGS_AT] & STRINGS_ARE_HERE) {
        p += HEADER;
        n -= HEADER;
        TRY(take_string(&text, &len, &p, &n));
        version = strndup(text, len);
        if (!version)
            return err_os(ENOMEM, "Go build information");
        TRY(check_field(version));
        doc_set_text(info, "go", version);
        TRY(take_string(&text, &len, &p, &n));
        TRY(read_modules(info, text, len));
    }
    *ret = TAKE(info);
    return NULL;
}

/* ---- ELF ---- */

/* False when the file has no such bytes. */
static bool read_at(int fd, void *p, size_t n, uint64_t at)
{
    size_t got = 0;
    struct err *e = at > INT64_MAX ? NULL : fd_read_at(&got, fd, p, n, at);
    err_ignore(e);
    return got == n;
}

bool goinfo_is_elf(int fd)
{
    char ident[SELFMAG];
    return read_at(fd, ident, sizeof ident, 0) && memcmp(ident, ELFMAG, SELFMAG) == 0;
}

static bool read_section(char **ret, int fd, const Elf64_Shdr *s, uint64_t max)
{
    *ret = s->sh_type != SHT_NOBITS && s->sh_size && s->sh_size <= max ? malloc(s->sh_size + 1) : NULL;
    if (!*ret || !read_at(fd, *ret, s->sh_size, s->sh_offset))
        return false;
    (*ret)[s->sh_size] = '\0';
    return true;
}

static bool header_at(Elf64_Shdr *ret, int fd, const Elf64_Ehdr *elf, uint64_t i)
{
    uint64_t at;
    return !__builtin_add_overflow(elf->e_shoff, i * sizeof *ret, &at) && read_at(fd, ret, sizeof *ret, at);
}

/* The section of that name; false when there is none, or no table of sections that can be read. */
static bool find_section(Elf64_Shdr *ret, int fd)
{
    Elf64_Ehdr elf;
    Elf64_Shdr names;
    OWN_FREE char *text = NULL;
    if (!read_at(fd, &elf, sizeof elf, 0) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
        elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB || elf.e_shentsize != sizeof *ret ||
        elf.e_shoff == 0)
        return false;
    if (!header_at(&names, fd, &elf, elf.e_shstrndx) || !read_section(&text, fd, &names, NAMES_MAX))
        return false;
    for (unsigned i = 0; i < elf.e_shnum && header_at(ret, fd, &elf, i); i++)
        if (ret->sh_name < names.sh_size && strcmp(text + ret->sh_name, section_name) == 0)
            return true;
    return false;
}

struct err *goinfo_read(struct doc **ret, int fd)
{
    Elf64_Shdr section;
    OWN_FREE char *bytes = NULL;
    *ret = NULL;
    if (!find_section(&section, fd))
        return NULL;
    if (!read_section(&bytes, fd, &section, SECTION_MAX))
        return bad("too large, or not in the file");
    return goinfo_parse(ret, bytes, section.sh_size);
}
