/* verbs: what the rows of the table call. */
#pragma once
#include "cli/cli.h"

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
void show_bundle_sbom(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_bundle_diff(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_diff(FILE *out, const struct cli *x, const struct doc *d);

/* parts_verbs.c: bundles that are more or less than one file */
struct err *run_bundle_split(struct cli *x, struct doc **ret) ERR_MUST;
void show_bundle_split(FILE *out, const struct cli *x, const struct doc *d);

/* own_verbs.c: about the program itself, and keys */
struct err *run_key_generate(struct cli *x, struct doc **ret) ERR_MUST;
void show_key_generate(FILE *out, const struct cli *x, const struct doc *d);
struct err *run_completion(struct cli *x, struct doc **ret) ERR_MUST;
struct err *run_help(struct cli *x, struct doc **ret) ERR_MUST;
struct err *run_version(struct cli *x, struct doc **ret) ERR_MUST;
void show_version(FILE *out, const struct cli *x, const struct doc *d);
/* Prints a result that is one text. */
void show_whole(FILE *out, const struct cli *x, const struct doc *d);
