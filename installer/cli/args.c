#include "cli/args.h"

#include "base/clock.h"
#include "base/str.h"
#include "doc/schema.h"

#include <getopt.h>
#include <string.h>

enum { LONG_BASE = 256, OPTS_MAX = 32, WORDS_MAX = 64 };

/* `caisson --version` alone; behind a verb it may mean something else. */
static const struct opt top_opts[] = {
    {.name = "version", .help = "print the version"},
    {0},
};

/* The options that are valid at one place, in getopt's form and ours. */
struct optset {
    const struct opt *at[OPTS_MAX];
    size_t n;
    struct option longs[OPTS_MAX + 1];
    char shorts[2 * OPTS_MAX + 3];
};

static void optset_add(struct optset *s, const struct opt *table)
{
    for (const struct opt *o = table; o && o->name && s->n < OPTS_MAX; o++) {
        int has = o->arg ? required_argument : no_argument;
        s->longs[s->n] = (struct option){o->name, has, NULL, LONG_BASE + (int)s->n};
        s->at[s->n++] = o;
        size_t len = strlen(s->shorts);
        if (o->letter)
            (void)snprintf(s->shorts + len, sizeof s->shorts - len, "%c%s", o->letter, o->arg ? ":" : "");
    }
}

/* '+' stops at the first word, which is the verb; ':' keeps getopt quiet and tells a missing value apart. */
static void optset_init(struct optset *s, const struct opt *more, bool before_verb)
{
    *s = (struct optset){0};
    (void)snprintf(s->shorts, sizeof s->shorts, before_verb ? "+:" : ":");
    optset_add(s, global_opts);
    optset_add(s, more);
}

static const struct opt *optset_find(const struct optset *s, int val)
{
    for (size_t i = 0; i < s->n; i++)
        if (val == LONG_BASE + (int)i || (s->at[i]->letter && val == s->at[i]->letter))
            return s->at[i];
    return NULL;
}

static struct err *unknown_long(const struct optset *s, const struct verb *v, const char *typed)
{
    const char *names[OPTS_MAX];
    OWN_FREE char *name = strndup(typed + 2, strcspn(typed + 2, "="));
    for (size_t i = 0; i < s->n; i++)
        names[i] = s->at[i]->name;
    const char *near = name ? schema_nearest(name, names, s->n) : NULL;
    struct err *e = err_new(ERR_USAGE, "%s has no option --%s", v ? v->name : "caisson", name ? name : "");
    if (near)
        return err_hint(e, "did you mean --%s?", near);
    return err_hint(e, "caisson %s%s--help lists the options", v ? v->name : "", v ? " " : "");
}

static struct err *wrong_option(const struct optset *s, const struct verb *v, int c, const char *typed)
{
    const struct opt *o = optset_find(s, optopt);
    const char *where = v ? v->name : "caisson";
    if (c == ':' && o)
        return err_new(ERR_USAGE, "%s: --%s needs a value: --%s %s", where, o->name, o->name, o->arg);
    if (o)
        return err_new(ERR_USAGE, "%s: --%s takes no value", where, o->name);
    if (optopt == 0)
        return unknown_long(s, v, typed);
    return err_hint(err_new(ERR_USAGE, "%s has no option -%c", where, optopt), "caisson %s%s--help lists the options",
                    v ? v->name : "", v ? " " : "");
}

/* Reads options; argv[0] is skipped. *ret_rest is the index of the first operand. */
static struct err *scan(struct args *a, const struct optset *s, const struct verb *v, int argc, char **argv,
                        int *ret_rest)
{
    optind = 0; /* starts getopt anew */
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, s->shorts, s->longs, NULL)) != -1;) {
        const struct opt *o = c == '?' || c == ':' ? NULL : optset_find(s, c);
        if (!o)
            return wrong_option(s, v, c, argv[optind - 1]);
        if (a->n == ARGS_MAX)
            return err_new(ERR_USAGE, "more than %d options", ARGS_MAX);
        a->given[a->n].opt = o;
        a->given[a->n++].value = optarg;
    }
    *ret_rest = optind;
    return NULL;
}

/* ---- the verb ---- */

const struct verb *verb_named(const char *name)
{
    for (const struct verb *v = verbs; v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

/* "a, b, c": second words of the verbs that start with `group`; the same words into `words`. */
static size_t group_words(const char *group, const char *words[], char *text, size_t n)
{
    size_t len = strlen(group), count = 0;
    *text = '\0';
    for (const struct verb *v = verbs; v->name && count < WORDS_MAX; v++) {
        if (strncmp(v->name, group, len) != 0 || v->name[len] != ' ')
            continue;
        words[count++] = v->name + len + 1;
        size_t used = strlen(text);
        (void)snprintf(text + used, n - used, "%s%s", used ? ", " : "", v->name + len + 1);
    }
    return count;
}

static struct err *unknown_verb(const char *word)
{
    const char *words[WORDS_MAX];
    char firsts[WORDS_MAX][24];
    size_t n = 0;
    for (const struct verb *v = verbs; v->name && n < WORDS_MAX; v++) {
        (void)snprintf(firsts[n], sizeof firsts[n], "%.*s", (int)strcspn(v->name, " "), v->name);
        words[n] = firsts[n];
        n++;
    }
    const char *near = schema_nearest(word, words, n);
    struct err *e = err_new(ERR_USAGE, "there is no verb \"%s\"", word);
    return near ? err_hint(e, "did you mean \"%s\"?", near) : err_hint(e, "caisson help lists the verbs");
}

static struct err *unknown_second(const char *first, const char *second, const char *words[], size_t n, const char *all)
{
    const char *near = second ? schema_nearest(second, words, n) : NULL;
    if (!second)
        return err_new(ERR_USAGE, "%s needs one of: %s", first, all);
    struct err *e = err_new(ERR_USAGE, "there is no verb \"%s %s\"", first, second);
    return near ? err_hint(e, "did you mean \"%s %s\"?", first, near) : err_hint(e, "one of: %s", all);
}

/* Finds the verb that `words` start with; *ret_words is how many of them are its name. */
static struct err *find_verb(const struct verb **ret, int *ret_words, char *const *words, int n)
{
    const char *seconds[WORDS_MAX];
    char all[256];
    *ret_words = 1;
    *ret = verb_named(words[0]);
    if (*ret)
        return NULL;
    size_t count = group_words(words[0], seconds, all, sizeof all);
    if (count == 0)
        return unknown_verb(words[0]);
    if (n > 1 && (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0))
        return err_new(ERR_USAGE, "%s needs one of: %s", words[0], all);
    OWN_FREE char *name = n > 1 ? str_fmt("%s %s", words[0], words[1]) : NULL;
    *ret = name ? verb_named(name) : NULL;
    *ret_words = 2;
    return *ret ? NULL : unknown_second(words[0], n > 1 ? words[1] : NULL, seconds, count, all);
}

static struct err *check_operands(const struct args *a, const struct verb *v)
{
    if (a->n_operands < v->least)
        return err_hint(err_new(ERR_USAGE, "%s needs %s", v->name, v->operands), "caisson %s %s", v->name, v->operands);
    if (a->n_operands > v->most)
        return err_hint(err_new(ERR_USAGE, "%s: what is \"%s\"?", v->name, a->operands[v->most]), "caisson %s --help",
                        v->name);
    return NULL;
}

static struct err *check_output(const struct args *a)
{
    static const char *const formats[] = {"text", "json"};
    const char *o = args_text(a, "output", "text");
    if (str_eq(o, "text") || str_eq(o, "json"))
        return NULL;
    const char *near = schema_nearest(o, formats, ARRAY_LEN(formats));
    return err_hint(err_new(ERR_USAGE, "there is no output \"%s\"", o), near ? "did you mean %s?" : "text or json%s",
                    near ? near : "");
}

struct err *args_parse(struct args *a, const struct verb **ret_verb, int argc, char **argv)
{
    struct optset set;
    int first = 1, words = 0, rest = 0;
    *a = (struct args){0};
    *ret_verb = NULL;
    optset_init(&set, top_opts, true);
    TRY(scan(a, &set, NULL, argc, argv, &first));
    if (first >= argc) {
        if (args_has(a, "help") || args_has(a, "version"))
            return NULL;
        return err_hint(err_new(ERR_USAGE, "no verb given"), "caisson help lists the verbs");
    }
    const struct verb *v = NULL;
    TRY(find_verb(&v, &words, argv + first, argc - first));
    char **behind = argv + first + words - 1; /* its first word stands where a program's name would */
    optset_init(&set, v->opts, false);
    TRY(scan(a, &set, v, argc - first - words + 1, behind, &rest));
    a->operands = behind + rest;
    a->n_operands = argc - first - words + 1 - rest;
    *ret_verb = v;
    TRY(check_output(a));
    return args_has(a, "help") ? NULL : check_operands(a, v);
}

bool args_want_json(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool next = i + 1 < argc && strcmp(argv[i + 1], "json") == 0;
        if (strcmp(argv[i], "-ojson") == 0 || strcmp(argv[i], "--output=json") == 0 ||
            (next && (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0)))
            return true;
    }
    return false;
}

/* ---- what was given ---- */

const char *args_text(const struct args *a, const char *name, const char *otherwise)
{
    for (size_t i = a->n; i-- > 0;)
        if (strcmp(a->given[i].opt->name, name) == 0)
            return a->given[i].value;
    return otherwise;
}

bool args_has(const struct args *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->given[i].opt->name, name) == 0)
            return true;
    return false;
}

size_t args_all(const struct args *a, const char *name, const char *ret[ARGS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->given[i].opt->name, name) == 0)
            ret[n++] = a->given[i].value;
    return n;
}

struct err *args_int(const struct args *a, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    const char *s = args_text(a, name, NULL);
    if (!s || str_int(s, min, max, ret))
        return NULL;
    return err_new(ERR_USAGE, "--%s: \"%s\" is no whole number from %lld to %lld", name, s, (long long)min,
                   (long long)max);
}

/* Bytes of a unit's name; 0: there is no such unit. */
static uint64_t unit_bytes(const char *name)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"", 1},          {"B", 1},         {"kB", 1000},    {"MB", 1000000}, {"GB", 1000000000},
                 {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (strcmp(units[i].name, name) == 0)
            return units[i].bytes;
    return 0;
}

struct err *args_size(const struct args *a, const char *name, uint64_t *ret)
{
    const char *s = args_text(a, name, NULL);
    if (!s)
        return NULL;
    size_t n = strspn(s, "0123456789");
    OWN_FREE char *digits = strndup(s, n);
    uint64_t unit = unit_bytes(s + n);
    int64_t number;
    if (!digits || !unit || !str_int(digits, 1, (int64_t)(INT64_MAX / unit), &number))
        return err_hint(err_new(ERR_USAGE, "--%s: \"%s\" is no size", name, s), "as in 4000000000, 700MB, 4GB or 4GiB");
    *ret = (uint64_t)number * unit;
    return NULL;
}

struct err *args_date(const struct args *a, const char *name, char ret[32])
{
    int64_t t;
    const char *s = args_text(a, name, "");
    int n = snprintf(ret, 32, "%s%s", s, !*s || strchr(s, 'T') ? "" : "T00:00:00Z");
    if (!*s || (n < 32 && clock_parse(ret, &t)))
        return NULL;
    return err_hint(err_new(ERR_USAGE, "--%s: \"%s\" is no date", name, s), "2027-12-31, or 2027-12-31T18:00:00Z");
}

static struct err *add_position(struct doc *list, const char *name, const char *s)
{
    const char *dot = strchr(s, '.');
    OWN_FREE char *epoch = dot ? strndup(s, (size_t)(dot - s)) : NULL;
    int64_t e = 0, n = 0;
    if (!epoch || !str_int(epoch, 0, UINT32_MAX, &e) || !str_int(dot + 1, 0, (INT64_C(1) << 53) - 1, &n))
        return err_hint(err_new(ERR_USAGE, "--%s: \"%s\" is no EPOCH.SEQUENCE", name, s),
                        "as in 0.12; `caisson bundle verify` shows both numbers of a bundle");
    struct doc *d = doc_add(list, doc_new_map());
    doc_set_int(d, "epoch", e);
    doc_set_int(d, "sequence", n);
    return NULL;
}

struct err *args_positions(const struct args *a, const char *name, struct doc *list)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->given[i].opt->name, name) == 0)
            TRY(add_position(list, name, a->given[i].value));
    return NULL;
}

const char *args_operand(const struct args *a, int i)
{
    return i < a->n_operands ? a->operands[i] : NULL;
}
