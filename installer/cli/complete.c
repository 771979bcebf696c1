/*
 * One script a shell, with the tables written out as data: what may follow the words typed so far. bash and zsh scripts
 * have the same shape: a value by the option before it, else words by the verb.
 */
#include "cli/args.h"

#include "base/str.h"
#include "doc/schema.h"

#include <string.h>

/* What differs between bash and zsh. */
struct dialect {
    const char *head;  /* up to the cases of option values */
    const char *files; /* complete with files; folders; words follow */
    const char *folders;
    const char *words_open, *words_close;
    const char *middle; /* between those cases and the pattern of options with values */
    const char *rest;   /* after it, up to the cases of verbs */
    const char *tail;
};

static const struct dialect bash = {
    .head = "_caisson() {\n"
            "    local cur=${COMP_WORDS[COMP_CWORD]} verb='' i\n"
            "    COMPREPLY=()\n"
            "    case ${COMP_WORDS[COMP_CWORD-1]} in\n",
    .files = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")",
    .folders = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")",
    .words_open = "mapfile -t COMPREPLY < <(compgen -W '",
    .words_close = "' -- \"$cur\")",
    .middle = "    esac\n"
              "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
              "        case ${COMP_WORDS[i]} in\n",
    .rest = " ((i++)) ;;\n"
            "        -*) ;;\n"
            "        *) verb+=\"${verb:+ }${COMP_WORDS[i]}\" ;;\n"
            "        esac\n"
            "    done\n"
            "    case $verb in\n",
    .tail = "    esac\n"
            "}\n"
            "complete -F _caisson caisson\n",
};

static const struct dialect zsh = {
    .head = "#compdef caisson\n"
            "_caisson() {\n"
            "    local cur=${words[CURRENT]} verb='' i\n"
            "    case ${words[CURRENT-1]} in\n",
    .files = "_files",
    .folders = "_files -/",
    .words_open = "compadd -- ",
    .words_close = "",
    .middle = "    esac\n"
              "    for ((i = 2; i < CURRENT; i++)); do\n"
              "        case ${words[i]} in\n",
    .rest = " ((i++)) ;;\n"
            "        -*) ;;\n"
            "        *) verb+=\"${verb:+ }${words[i]}\" ;;\n"
            "        esac\n"
            "    done\n"
            "    case $verb in\n",
    .tail = "    esac\n"
            "}\n"
            "if [[ ${funcstack[1]} == _caisson ]]; then _caisson \"$@\"; else compdef _caisson caisson; fi\n",
};

/* ---- words ---- */

/* The i-th table of options: the global one, then each verb's; NULL behind the last. */
static bool table_at(const struct opt **ret, size_t i)
{
    *ret = i == 0 ? global_opts : verbs[i - 1].name ? verbs[i - 1].opts : NULL;
    return i == 0 || verbs[i - 1].name;
}

/* Options whose value is of this kind (WORD_NONE: all that take a value), as a pattern "--out|--key". */
static struct err *value_pattern(struct buf *out, enum word word)
{
    OWN_STRS struct strs seen = {0};
    const struct opt *o;
    for (size_t i = 0; table_at(&o, i); i++)
        for (; o && o->name; o++) {
            if (!o->arg || (word != WORD_NONE && o->word != word) || strs_has(&seen, o->name))
                continue;
            TRY(buf_fmt(out, "%s--%s", seen.n ? "|" : "", o->name));
            TRY(o->letter ? buf_fmt(out, "|-%c", o->letter) : NULL);
            TRY(strs_add(&seen, o->name));
        }
    return NULL;
}

/* The first words of all verbs, or the second ones behind `first`. */
static struct err *verb_words(struct buf *out, const char *first)
{
    OWN_STRS struct strs seen = {0};
    size_t n = first ? strlen(first) : 0;
    for (const struct verb *v = verbs; v->name; v++) {
        char word[32];
        if (first && (strncmp(v->name, first, n) != 0 || v->name[n] != ' '))
            continue;
        const char *at = first ? v->name + n + 1 : v->name;
        (void)snprintf(word, sizeof word, "%.*s", (int)strcspn(at, " "), at);
        if (strs_has(&seen, word))
            continue;
        TRY(buf_fmt(out, "%s%s", seen.n ? " " : "", word));
        TRY(strs_add(&seen, word));
    }
    return NULL;
}

static struct err *option_words(struct buf *out, const struct opt *o)
{
    for (; o && o->name; o++)
        TRY(buf_fmt(out, "--%s ", o->name));
    return NULL;
}

/* The values that an option may have, when they can be told here; else NULL. */
static const char *fixed_words(enum word word)
{
    static const char *const words[] = {
        [WORD_FORMAT] = "text json", [WORD_SBOM] = "cyclonedx spdx", [WORD_SCHEME] = "p256 ed25519"};
    return (size_t)word < ARRAY_LEN(words) ? words[word] : NULL;
}

/* ---- bash and zsh ---- */

static struct err *value_case(struct buf *out, const struct dialect *s, enum word word)
{
    size_t before = out->len;
    TRY(buf_str(out, "    "));
    size_t empty = out->len;
    TRY(value_pattern(out, word));
    if (out->len == empty) {
        out->len = before;
        return NULL;
    }
    TRY(buf_str(out, ") "));
    if (fixed_words(word))
        TRY(buf_fmt(out, "%s%s%s", s->words_open, fixed_words(word), s->words_close));
    else
        TRY(buf_str(out, word == WORD_FOLDER ? s->folders : word == WORD_FILE ? s->files : ":"));
    return buf_str(out, "; return ;;\n");
}

static struct err *operand_words(struct buf *out, const struct verb *v)
{
    if (v->word == WORD_SHELL)
        return buf_str(out, "bash zsh fish ");
    if (v->word != WORD_VERB)
        return NULL;
    TRY(verb_words(out, NULL));
    return buf_str(out, " ");
}

static struct err *verb_case(struct buf *out, const struct dialect *s, const struct verb *v)
{
    TRY(buf_fmt(out, "    '%s'|'%s '*)\n", v->name, v->name));
    if (v->word == WORD_FILE || v->word == WORD_FOLDER)
        TRY(buf_fmt(out, "        if [[ $cur != -* ]]; then %s; return; fi\n",
                    v->word == WORD_FILE ? s->files : s->folders));
    TRY(buf_fmt(out, "        %s", s->words_open));
    TRY(operand_words(out, v));
    TRY(option_words(out, v->opts));
    TRY(option_words(out, global_opts));
    out->at[--out->len] = '\0'; /* the last blank */
    return buf_fmt(out, "%s ;;\n", s->words_close);
}

/* First words that are no verb themselves: "bundle". */
static struct err *group_cases(struct buf *out, const struct dialect *s)
{
    OWN_STRS struct strs seen = {0};
    for (const struct verb *v = verbs; v->name; v++) {
        char word[32];
        (void)snprintf(word, sizeof word, "%.*s", (int)strcspn(v->name, " "), v->name);
        if (!strchr(v->name, ' ') || strs_has(&seen, word))
            continue;
        TRY(buf_fmt(out, "    '%s') %s", word, s->words_open));
        TRY(verb_words(out, word));
        TRY(buf_fmt(out, "%s ;;\n", s->words_close));
        TRY(strs_add(&seen, word));
    }
    return NULL;
}

static struct err *script(struct buf *out, const struct dialect *s)
{
    TRY(buf_str(out, s->head));
    TRY(value_case(out, s, WORD_FILE));
    TRY(value_case(out, s, WORD_FOLDER));
    TRY(value_case(out, s, WORD_FORMAT));
    TRY(value_case(out, s, WORD_SBOM));
    TRY(value_case(out, s, WORD_SCHEME));
    TRY(buf_fmt(out, "%s        ", s->middle));
    TRY(value_pattern(out, WORD_NONE));
    TRY(buf_fmt(out, ")%s    '') %s", s->rest, s->words_open));
    TRY(verb_words(out, NULL));
    TRY(buf_str(out, " "));
    TRY(option_words(out, global_opts));
    out->at[--out->len] = '\0';
    TRY(buf_fmt(out, "%s ;;\n", s->words_close));
    TRY(group_cases(out, s));
    for (const struct verb *v = verbs; v->name; v++)
        TRY(verb_case(out, s, v));
    return buf_str(out, s->tail);
}

/* ---- fish ---- */

static struct err *fish_quoted(struct buf *out, const char *text)
{
    TRY(buf_str(out, "'"));
    for (; *text; text++)
        TRY(buf_fmt(out, "%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text));
    return buf_str(out, "'");
}

/* The condition that the words typed are this verb. */
static struct err *fish_seen(struct buf *out, const struct verb *v)
{
    int first = (int)strcspn(v->name, " ");
    TRY(buf_fmt(out, "'__fish_seen_subcommand_from %.*s", first, v->name));
    if (v->name[first])
        TRY(buf_fmt(out, "; and __fish_seen_subcommand_from %s", v->name + first + 1));
    return buf_str(out, "'");
}

static struct err *fish_value(struct buf *out, const struct opt *o)
{
    if (fixed_words(o->word))
        return buf_fmt(out, " -x -a '%s'", fixed_words(o->word));
    return buf_str(out, !o->arg                  ? ""
                        : o->word == WORD_FILE   ? " -r -F"
                        : o->word == WORD_FOLDER ? " -x -a '(__fish_complete_directories)'"
                                                 : " -x");
}

static struct err *fish_option(struct buf *out, const struct verb *v, const struct opt *o)
{
    TRY(buf_str(out, "complete -c caisson"));
    if (v) {
        TRY(buf_str(out, " -n "));
        TRY(fish_seen(out, v));
    }
    TRY(buf_fmt(out, " -l %s", o->name));
    TRY(o->letter ? buf_fmt(out, " -s %c", o->letter) : NULL);
    TRY(fish_value(out, o));
    TRY(buf_str(out, " -d "));
    TRY(fish_quoted(out, o->help));
    return buf_str(out, "\n");
}

static struct err *fish_verb(struct buf *out, const struct verb *v)
{
    int first = (int)strcspn(v->name, " ");
    if (v->name[first]) {
        TRY(buf_fmt(out, "complete -c caisson -n __fish_use_subcommand -a %.*s\n", first, v->name));
        TRY(buf_fmt(out,
                    "complete -c caisson -n '__fish_seen_subcommand_from %.*s; and not __fish_seen_subcommand_from ",
                    first, v->name));
        OWN_FREE char *group = strndup(v->name, (size_t)first);
        TRY(verb_words(out, group ? group : ""));
        TRY(buf_fmt(out, "' -a %s -d ", v->name + first + 1));
    } else {
        TRY(buf_fmt(out, "complete -c caisson -n __fish_use_subcommand -a %s -d ", v->name));
    }
    TRY(fish_quoted(out, v->summary));
    TRY(buf_str(out, "\n"));
    for (const struct opt *o = v->opts; o && o->name; o++)
        TRY(fish_option(out, v, o));
    if (v->word != WORD_FILE && v->word != WORD_FOLDER && v->word != WORD_SHELL && v->word != WORD_VERB)
        return NULL;
    TRY(buf_str(out, "complete -c caisson -n "));
    TRY(fish_seen(out, v));
    if (v->word == WORD_FILE)
        return buf_str(out, " -F\n");
    if (v->word == WORD_FOLDER)
        return buf_str(out, " -x -a '(__fish_complete_directories)'\n");
    TRY(buf_str(out, " -a '"));
    TRY(operand_words(out, v));
    return buf_str(out, "'\n");
}

static struct err *fish_script(struct buf *out)
{
    TRY(buf_str(out, "complete -c caisson -f\n"));
    for (const struct opt *o = global_opts; o->name; o++)
        TRY(fish_option(out, NULL, o));
    for (const struct verb *v = verbs; v->name; v++)
        TRY(fish_verb(out, v));
    return NULL;
}

struct err *complete_text(struct buf *out, const char *shell)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    if (str_eq(shell, "bash"))
        return script(out, &bash);
    if (str_eq(shell, "zsh"))
        return script(out, &zsh);
    if (str_eq(shell, "fish"))
        return fish_script(out);
    const char *near = schema_nearest(shell, shells, ARRAY_LEN(shells));
    return err_hint(err_new(ERR_USAGE, "no completion for \"%s\"", shell),
                    near ? "did you mean %s?" : "bash, zsh or fish%s", near ? near : "");
}
