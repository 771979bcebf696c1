#include "cli/cli.h"

#include "base/str.h"
#include "cli/output.h"
#include "cli/stop.h"
#include "cli/verbs.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Colour only on a terminal, and not against NO_COLOR (no-color.org) or --no-color. */
static bool wants_color(const struct cli *x)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(no && *no) && !x->json && !args_has(&x->args, "no-color") && term &&
           strcmp(term, "dumb") != 0;
}

/* `--help` and `--version`, wherever they stand, are verbs of their own. */
static const struct verb *stand_in(struct cli *x)
{
    if (args_has(&x->args, "help")) {
        x->asked = x->verb;
        return verb_named("help");
    }
    return x->verb ? x->verb : verb_named("version");
}

static struct err *start(struct cli *x)
{
    bool keep = x->verb->keep;
    enum face_kind kind = face_choose(x->json, STDERR_FILENO);
    TRY(cancel_init(&x->cancel));
    stop_block();
    TRY(face_open(&x->face, &(struct face_opts){kind, STDERR_FILENO, x->color, keep}));
    x->run = (struct run){args_text(&x->args, "config", "cluster.yaml"), face_events(x->face), &x->cancel};
    return stop_watch(x);
}

/* The result is printed beside an error too: a run that got half way says what it did. */
static struct err *finish(const struct cli *x, struct err *e, const struct doc *result)
{
    if (!result)
        return e;
    struct err *out = output_result(x, result);
    if (!e)
        return out;
    err_ignore(out); /* the first error is the one to tell */
    return e;
}

static struct err *run(struct cli *x, int argc, char **argv)
{
    OWN_DOC struct doc *result = NULL;
    x->json = args_want_json(argc, argv);
    TRY(args_parse(&x->args, &x->verb, argc, argv));
    x->json = str_eq(args_text(&x->args, "output", "text"), "json");
    x->color = wants_color(x);
    x->verb = stand_in(x);
    TRY(start(x));
    struct err *e = x->verb->run(x, &result);
    face_finish(x->face);
    return finish(x, e, result);
}

/* The first file that is opened must not become a closed standard input or output: using those stays an error. */
static void fill_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* takes the lowest number */
}

int cli_main(int argc, char **argv)
{
    static struct cli x; /* the thread that waits for signals uses it to the very end */
    fill_standard();
    (void)umask(077);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* keys are in memory: no core, */
    (void)prctl(PR_SET_DUMPABLE, 0);                      /* and no look into it by the account's other programs */
    (void)signal(SIGPIPE, SIG_IGN);
    x.color = wants_color(&x);
    struct err *e = run(&x, argc, argv);
    if (e)
        output_error(&x, e);
    int status = e ? err_exit_code(e) : x.exit;
    err_free(e);
    return status;
}
