/* The command line: what is refused and how, help, completion, defaults. ops/ behind it is a fake (fake_ops.c). */
#include "run.h"

static void wrong_lines(void **state)
{
    (void)state;
    static const struct {
        const char *argv[7], *err;
    } cases[] = {
        {{PROGRAM, NULL}, "error: no verb given\n  fix: caisson help lists the verbs\n"},
        {{PROGRAM, "plam"}, "error: there is no verb \"plam\"\n  fix: did you mean \"plan\"?\n"},
        {{PROGRAM, "bundle"},
         "error: bundle needs one of: lock, build, fetch, verify, inspect, list, licenses, sbom, diff, ingest, remove, "
         "split, held, delta, join, sign\n"},
        {{PROGRAM, "bundle", "biuld"},
         "error: there is no verb \"bundle biuld\"\n  fix: did you mean \"bundle build\"?\n"},
        {{PROGRAM, "plan", "--confg", "x"}, "error: plan has no option --confg\n  fix: did you mean --config?\n"},
        {{PROGRAM, "plan", "-x"}, "error: plan has no option -x\n  fix: caisson plan --help lists the options\n"},
        {{PROGRAM, "plan", "--config"}, "error: plan: --config needs a value: --config FILE\n"},
        {{PROGRAM, "plan", "--no-color=1"}, "error: plan: --no-color takes no value\n"},
        {{PROGRAM, "plan", "extra"}, "error: plan: what is \"extra\"?\n  fix: caisson plan --help\n"},
        {{PROGRAM, "key", "generate"}, "error: key generate needs NAME\n  fix: caisson key generate NAME\n"},
        {{PROGRAM, "-o", "josn", "plan"}, "error: there is no output \"josn\"\n  fix: did you mean json?\n"},
        {{PROGRAM, "plan", "-o", "json", "-q"},
         "{\"error\":{\"hint\":\"caisson plan --help lists the options\",\"kind\":\"usage\",\"text\":\"plan has no "
         "option "
         "-q\"}}\n"},
        {{PROGRAM, "kubeconfig", "--hours", "9x"}, "error: --hours: \"9x\" is no whole number from 1 to 8760\n"},
        {{PROGRAM, "bundle", "split", "x", "--size", "4XB"},
         "error: --size: \"4XB\" is no size\n  fix: as in 4000000000, 700MB, 4GB or 4GiB\n"},
        {{PROGRAM, "bundle", "split", "x", "--size=0"}, NULL},
        {{PROGRAM, "bundle", "split", "x", "--size=-1"}, NULL},
        {{PROGRAM, "bundle", "split", "x", "--size=GB"}, NULL},
        {{PROGRAM, "bundle", "split", "x", "--size=9999999999GB"}, NULL},
        {{PROGRAM, "bundle", "split", "none.csn.tar"}, NULL},
        {{PROGRAM, "bundle", "delta"}, "error: bundle delta needs NEW\n  fix: caisson bundle delta NEW\n"},
        {{PROGRAM, "bundle", "join", "x", "--base", "y"},
         "error: bundle join needs --base FILE and --out FILE\n  fix: caisson bundle join --help\n"},
        {{PROGRAM, "bundle", "delta", "x", "--out", "y"},
         "error: bundle delta needs --base FILE and --out FILE\n  fix: caisson bundle delta --help\n"},
        {{PROGRAM, "p\033[2Jn"}, "error: there is no verb \"p?[2Jn\"\n  fix: caisson help lists the verbs\n"},
        {{PROGRAM, "completion", "ksh"}, "error: no completion for \"ksh\"\n  fix: did you mean zsh?\n"},
        {{PROGRAM, "bundle", "inspect", "x.csn.tar", "-cnone.yaml"}, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        OWN_OUTCOME struct outcome o = run_plain(NULL, cases[i].argv);
        expect(&o, 64, "", cases[i].err);
    }
}

static void help_is_a_result(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome all = RUN(NULL, "--help");
    expect(&all, 0, NULL, "");
    has(all.out, "\n  bundle build ");
    OWN_OUTCOME struct outcome same = RUN(NULL, "help");
    expect(&same, 0, all.out, "");
    OWN_OUTCOME struct outcome one = RUN(NULL, "trust", "host", "--help");
    expect(&one, 0, NULL, "");
    has(one.out, "caisson trust host [OPTION]... [HOST]\n");
    has(one.out, "--accept SHA256:...");
    OWN_OUTCOME struct outcome two = RUN(NULL, "help", "trust", "host");
    expect(&two, 0, one.out, "");
    OWN_OUTCOME struct outcome group = RUN(NULL, "help", "bundle");
    expect(&group, 0, NULL, "");
    has(group.out, "  bundle list [FILE|URL] ");
    OWN_OUTCOME struct outcome version = RUN(NULL, "--version");
    expect(&version, 0, "caisson " CAISSON_VERSION "\n", "");
}

static void options_before_and_behind(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome a = RUN(NULL, "-o", "json", "version");
    expect(&a, 0, "{\"version\":\"" CAISSON_VERSION "\"}\n", "");
    OWN_OUTCOME struct outcome b = RUN(NULL, "kubeconfig", "--via=cp-1", "--hours", "8");
    expect(&b, 0, "apiVersion: v1\nkind: Config\nvia: cp-1\nhours: 8\n", "");
    OWN_OUTCOME struct outcome c = RUN(NULL, "reset", "w-1", "--yes");
    expect(&c, 0, "w-1: 7 paths, units and links removed\n", "");
    OWN_OUTCOME struct outcome d = RUN(NULL, "init", "-c", "x/y.yaml");
    expect(&d, 0, NULL, "");
    has(d.out, "kept  x/y.yaml\n");
    OWN_OUTCOME struct outcome e = RUN(NULL, "init", "--name", "plant-7");
    expect(&e, 0, NULL, "name=plant-7\n");
}

static void build_defaults(void **state)
{
    (void)state;
    OWN_OUTCOME struct outcome o = RUN("CAISSON_CACHE=/c", "bundle", "build", "--key", "k.key", "--profile",
                                       "tiny.yaml", "--trust", "a", "--trust", "b");
    expect(&o, 0, "built caisson-tiny-1.2.3-linux-amd64.csn.tar, 1.5 MB in 12 members\nrelease sha256:00ff\n",
           "profile=tiny.yaml\nbundles_dir=bundles\nlock=/c/lock/tiny.lock.json\ncache=/c\nkey=k.key\n"
           "out=caisson-tiny-1.2.3-linux-amd64.csn.tar\nrequires=(null)\nepoch=0 sequence=1 date=0 trust=2\n");
    OWN_OUTCOME struct outcome dated =
        RUN("SOURCE_DATE_EPOCH=77", "bundle", "build", "--key", "k", "--profile", "./tiny.yaml", "--cache", "/d",
            "--sequence", "9", "--epoch=2", "--version", "4.5.6");
    expect(&dated, 0, NULL, NULL);
    has(dated.err, "epoch=2 sequence=9 date=77");
    has(dated.err, "out=caisson-tiny-4.5.6-linux-amd64.csn.tar");
    OWN_OUTCOME struct outcome bad = RUN("SOURCE_DATE_EPOCH=now", "bundle", "build", "--key", "k");
    expect(&bad, 64, "", NULL);
    OWN_OUTCOME struct outcome keyless = RUN(NULL, "bundle", "build");
    expect(&keyless, 64, "", NULL);
    has(keyless.err, "caisson key generate");
}

static void check_script(const char *shell, const char *how)
{
    OWN_FOLDER char *folder = check_folder();
    OWN_OUTCOME struct outcome o = RUN(NULL, "completion", shell);
    expect(&o, 0, NULL, "");
    check_write(folder, "script", o.out, strlen(o.out));
    OWN_FREE char *path = check_path(folder, "script");
    const char *const find[] = {"/bin/sh", "-c", "command -v \"$0\" >/dev/null", shell, NULL};
    OWN_OUTCOME struct outcome found = run_plain(NULL, find);
    if (found.status != 0) {
        print_message("no %s here: its script was not checked\n", shell);
        return;
    }
    const char *const check[] = {"/usr/bin/env", shell, how, path, NULL};
    OWN_OUTCOME struct outcome checked = run_plain(NULL, check);
    expect(&checked, 0, "", "");
}

static void completion_scripts_parse(void **state)
{
    (void)state;
    check_script("bash", "-n");
    check_script("zsh", "-n");
    check_script("fish", "--no-execute");
}

/* What bash offers behind `line`; the last word is being typed. */
static void offers(const char *line, const char *want)
{
    static const char try[] = "eval \"$($0 completion bash)\"; read -ra COMP_WORDS <<< \"$1\"; [[ $1 == *' ' ]] && "
                              "COMP_WORDS+=(''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); compopt() { :; }; _caisson; "
                              "echo \"${COMPREPLY[*]}\"";
    const char *const argv[] = {"/bin/bash", "-c", try, PROGRAM, line, NULL};
    OWN_OUTCOME struct outcome o = run_plain(NULL, argv);
    expect(&o, 0, want, "");
}

static void bash_completes(void **state)
{
    (void)state;
    offers("caisson pl", "plan\n");
    offers("caisson init --na", "--name\n");
    offers("caisson bundle ",
           "lock build fetch verify inspect list licenses sbom diff ingest remove split held delta join sign\n");
    offers("caisson bundle lock --u", "--update\n");
    offers("caisson bundle split ti", "tiny.yaml\n");
    offers("caisson bundle split --s", "--size\n");
    offers("caisson -c ti", "tiny.yaml\n");
    offers("caisson -c x.yaml reset --y", "--yes\n");
    offers("caisson plan -o ", "text json\n");
    offers("caisson bundle verify ti", "tiny.yaml\n");
    offers("caisson bundle verify --tr", "--trust\n");
    offers("caisson bundle sbom x --format ", "cyclonedx spdx\n");
    offers("caisson completion f", "fish\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_lines),
        cmocka_unit_test(help_is_a_result),
        cmocka_unit_test(options_before_and_behind),
        cmocka_unit_test(build_defaults),
        cmocka_unit_test(completion_scripts_parse),
        cmocka_unit_test(bash_completes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
