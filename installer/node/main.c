/* caisson-node: the helper on every machine. */
#include "base/own.h"
#include "node/node.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: caisson-node serve [--root DIR]\n"
                            "       caisson-node boot [--root DIR]\n"
                            "       caisson-node lb --targets FILE [--listen ADDRESS:PORT] [--ca FILE [--name NAME]]\n"
                            "       caisson-node version\n";

struct options {
    const char *root, *targets, *listen, *ca, *name;
};

static struct err *options_read(struct options *ret, int argc, char **argv)
{
    static const struct option known[] = {
        {"root", required_argument, NULL, 'r'},   {"targets", required_argument, NULL, 't'},
        {"listen", required_argument, NULL, 'l'}, {"ca", required_argument, NULL, 'c'},
        {"name", required_argument, NULL, 'n'},   {0}};
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (o == 'r')
            ret->root = optarg;
        else if (o == 't')
            ret->targets = optarg;
        else if (o == 'l')
            ret->listen = optarg;
        else if (o == 'c')
            ret->ca = optarg;
        else if (o == 'n')
            ret->name = optarg;
        else
            return err_new(ERR_USAGE, "unknown option %s", argv[optind - 1]);
    }
    return optind < argc ? err_new(ERR_USAGE, "too many arguments") : NULL;
}

static struct err *on_node(struct err *(*program)(struct node *), const struct options *o)
{
    OWN(node_done) struct node n = {.rootfd = -1};
    TRY(node_init(&n, o->root));
    return program(&n);
}

/*
 * A helper beside other people's work: what a package's window (8 MiB) needed goes back to the system with it. By
 * default glibc takes the next one from a heap after the first, and each thread's heap keeps its own.
 */
static void memory_limits(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
    (void)mallopt(M_ARENA_MAX, 2);
}

static struct err *run(int argc, char **argv)
{
    memory_limits();
    struct options o = {0};
    const char *verb = argc > 1 ? argv[1] : "";
    if (argc > 1)
        TRY(options_read(&o, argc - 1, argv + 1));
    if (strcmp(verb, "serve") == 0)
        return on_node(serve_main, &o);
    if (strcmp(verb, "boot") == 0)
        return on_node(boot_main, &o);
    if (strcmp(verb, "lb") == 0 && o.targets)
        return lb_main(&(struct lb_opts){o.targets, o.listen, o.ca, o.name});
    if (strcmp(verb, "version") == 0)
        return puts("caisson-node " CAISSON_VERSION) < 0 ? err_new(ERR_FAILED, "write") : NULL;
    (void)fputs(usage, stderr);
    return err_new(ERR_USAGE, "which of serve, boot, lb, version?");
}

int main(int argc, char **argv)
{
    struct err *e = run(argc, argv);
    int code = err_exit_code(e);
    if (e)
        (void)fprintf(stderr, "caisson-node: %s\n", err_text(e));
    if (e && err_hint_text(e))
        (void)fprintf(stderr, "  %s\n", err_hint_text(e));
    err_free(e);
    return code;
}
