#include "cli/verbs.h"

#include "base/str.h"
#include "cli/ask.h"

#include <string.h>
#include <strings.h>

/* ---- trust bundle ---- */

struct trust {
    struct cli *x;
    struct err *error; /* a question that was not answered */
};

static void show_role(FILE *out, const struct doc *role)
{
    (void)fprintf(out, "  %s: %s of\n", doc_text(role, "name"), doc_text(role, "threshold"));
    DOC_EACH (k, doc_get(role, "keys"))
        (void)fprintf(out, "    %s  %s\n", doc_text(k, "id"), doc_text(k, "scheme"));
}

static void show_document(FILE *out, const struct doc *d)
{
    const char *expires = doc_text(d, "expires");
    (void)fprintf(out, "root document %s of product %s%s%s\n", doc_text(d, "version"), doc_text(d, "product"),
                  expires ? ", expires " : "", expires ? expires : "");
    DOC_EACH (v, doc_get(d, "roles"))
        show_role(out, v);
    (void)fprintf(out, "  fingerprint %s\n", doc_text(d, "digest"));
}

static char *document_text(const struct doc *d)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return NULL;
    show_document(out, d);
    return fclose(out) == 0 ? text : NULL;
}

/* Who cannot be asked compares first and comes again with --fingerprint. */
static bool confirm(void *self, const struct doc *document)
{
    struct trust *t = self;
    char answer[16] = "";
    OWN_FREE char *text = document_text(document);
    if (!ask_can())
        event_emit(face_events(t->x->face), EVENT_NOTE, NULL, "%s", text ? text : doc_text(document, "digest"));
    else
        t->error = ask_line(t->x, answer, sizeof answer,
                            "%sCompare the fingerprint with the publisher, by another way than this file came.\n"
                            "  trust it? [y/N] ",
                            text ? text : "");
    return !t->error && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
}

static struct err *check_fingerprint(const char *f)
{
    if (!f || (str_starts(f, "sha256:") && str_is_sha256(f + strlen("sha256:"))))
        return NULL;
    return err_hint(err_new(ERR_USAGE, "--fingerprint: \"%s\" is no fingerprint", f),
                    "sha256: and 64 hex digits, as `caisson root show` prints it");
}

struct err *run_trust_bundle(struct cli *x, struct doc **ret)
{
    struct trust t = {.x = x};
    const char *file = args_operand(&x->args, 0), *fingerprint = args_text(&x->args, "fingerprint", NULL);
    TRY(check_fingerprint(fingerprint));
    struct err *e = ops_trust_bundle(ret, file, fingerprint, confirm, &t);
    if (e || t.error) {
        err_ignore(e ? t.error : NULL); /* the first one is told */
        return e ? e : t.error;
    }
    if (!str_eq(doc_text(*ret, "result"), "declined"))
        return NULL;
    e = err_new(ERR_REFUSED, "the publisher of %s was not accepted", file);
    return err_hint(e, "compare the fingerprint with the publisher, then caisson trust bundle %s --fingerprint %s",
                    file, doc_text(*ret, "fingerprint"));
}

void show_trust_bundle(FILE *out, const struct cli *x, const struct doc *d)
{
    static const char *const words[][2] = {
        {"new", "pinned"}, {"next", "pinned, as what follows from the one before"}, {"same", "pinned already"}};
    (void)x;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(doc_text(d, "result"), words[i][0]))
            (void)fprintf(out, "%s: root document %s of product %s, %s\n  in %s\n", words[i][1], doc_text(d, "version"),
                          doc_text(d, "product"), doc_text(d, "fingerprint"), doc_text(d, "path"));
}
