/* verbs: what the rows of the table call. */
#pragma once
#include "bundle/bundle.h"
#include "cli/cli.h"
#include "cluster/cluster.h"
#include "net/net.h"

/* The public keys to check bundles against: those of --trust, or those that the cluster's file trusts. */
struct keys {
    const char *const *at;
    size_t n;
    const char *given[ARGS_MAX];
    struct strs files;
    char copies[ARGS_MAX][64]; /* paths; what is no file, such as a pipe, can be read but once */
    int fds[ARGS_MAX];
    size_t n_copies;
};

/* bundle_verbs.c: those of --trust alone, if any. */
struct err *keys_given(struct keys *k, const struct args *a) ERR_MUST;
/* The same, or else those that are trusted; `path` is the bundle, for the words. */
struct err *keys_choose(struct keys *k, struct cli *x, const char *path) ERR_MUST;
void keys_done(struct keys *k);
#define OWN_KEYS OWN(keys_done)
/* Opens the first operand to be read once, standard input too; what is wrong with its dates is refused or a warning. */
struct err *open_once(struct bundle **ret, struct cli *x, const struct keys *keys, struct strs *warnings) ERR_MUST;
/* A bundle_progress whose `self` is the struct cli: shows how far a verification is; Ctrl-C stops it. */
bool verify_progress(void *self, uint64_t done, uint64_t total);
/* Shows a document that is JSON whichever output is asked for. */
void show_json(FILE *out, const struct cli *x, const struct doc *d);
/* A build_progress of the same kind, for verbs that write bundles. */
bool build_says(void *self, const char *what, uint64_t done, uint64_t total);

/* cluster_verbs.c */
struct err *run_init(struct cli *x, struct doc **ret) ERR_MUST;
void show_init(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_validate(struct cli *x, struct doc **ret) ERR_MUST;
void show_validate(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_preflight(struct cli *x, struct doc **ret) ERR_MUST;
void show_preflight(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_kubeconfig(struct cli *x, struct doc **ret) ERR_MUST;
void show_kubeconfig(FILE *out, const struct cli *x, const struct doc *d);

/* danger_verbs.c: those that ask first */
struct err *run_trust(struct cli *x, struct doc **ret) ERR_MUST;
void show_trust(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_reset(struct cli *x, struct doc **ret) ERR_MUST;
void show_reset(FILE *out, const struct cli *x, const struct doc *d);

/* trust_verbs.c */
struct err *run_trust_bundle(struct cli *x, struct doc **ret) ERR_MUST;
void show_trust_bundle(FILE *out, const struct cli *x, const struct doc *d);

/* plan_verbs.c */
struct err *run_plan(struct cli *x, struct doc **ret) ERR_MUST;
void show_plan(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_apply(struct cli *x, struct doc **ret) ERR_MUST;
void show_apply(FILE *out, const struct cli *x, const struct doc *d);

/* status_verb.c */
struct err *run_status(struct cli *x, struct doc **ret) ERR_MUST;
void show_status(FILE *out, const struct cli *x, const struct doc *d);

/* bundle_verbs.c */
struct err *run_bundle_build(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_build(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_verify(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_verify(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_inspect(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_inspect(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_list(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_list(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_licenses(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_licenses(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_sbom(struct cli *x, struct doc **ret) ERR_MUST;
struct err *run_bundle_diff(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_diff(FILE *out, const struct cli *x, const struct doc *d);

/* lock_verb.c */
struct err *run_bundle_lock(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_lock(FILE *out, const struct cli *x, const struct doc *d);

/* parts_verbs.c: bundles that are more or less than one file */
struct err *run_bundle_split(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_split(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_held(struct cli *x, struct doc **ret) ERR_MUST;
struct err *run_bundle_delta(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_delta(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_join(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_join(FILE *out, const struct cli *x, const struct doc *d);

/* store_verbs.c: the local store */
struct err *run_bundle_ingest(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_ingest(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_remove(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_remove(FILE *out, const struct cli *x, const struct doc *d);
/* `bundle list` without a file. */
struct err *run_store_list(struct cli *x, struct doc **ret) ERR_MUST;
void show_store_list(FILE *out, const struct cli *x, const struct doc *d);
/* fetch_verb.c */
struct err *run_bundle_fetch(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_fetch(FILE *out, const struct cli *x, const struct doc *d);
/* The net as --mirror, --ca and --proxy say, where the verb has them. */
struct net_choice {
    const char *mirrors[ARGS_MAX], *cas[ARGS_MAX];
    struct net_opts opts;
};
void net_choose(struct net_choice *ret, struct cli *x);

/* sign_verbs.c: keys, root documents, signatures */
struct err *run_root_create(struct cli *x, struct doc **ret) ERR_MUST;
struct err *run_root_rotate(struct cli *x, struct doc **ret) ERR_MUST;
struct err *run_root_sign(struct cli *x, struct doc **ret) ERR_MUST;
struct err *run_root_show(struct cli *x, struct doc **ret) ERR_MUST;
void show_root(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_sign(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_sign(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_key_generate(struct cli *x, struct doc **ret) ERR_MUST;
void show_key_generate(FILE *out, const struct cli *x, const struct doc *d);

/* key_verbs.c */
struct err *run_key_show(struct cli *x, struct doc **ret) ERR_MUST;
void show_key_show(FILE *out, const struct cli *x, const struct doc *d);

/* own_verbs.c: about the program itself */
struct err *run_completion(struct cli *x, struct doc **ret) ERR_MUST;
struct err *run_help(struct cli *x, struct doc **ret) ERR_MUST;
struct err *run_version(struct cli *x, struct doc **ret) ERR_MUST;
void show_version(FILE *out, const struct cli *x, const struct doc *d);
/* Prints a result that is one text. */
void show_whole(FILE *out, const struct cli *x, const struct doc *d);
