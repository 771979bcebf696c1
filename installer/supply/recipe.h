/* recipe: a profile with its component definitions and the lock, loaded and checked. Private to supply/. */
#pragma once
#include "base/buf.h"
#include "doc/doc.h"
#include "supply/build.h"

/* A component in the version that the profile or the lock chose. */
struct part {
    const char *name; /* borrowed from the profile */
    const char *version;
    struct buf text; /* the definition's bytes, as they go into the bundle */
    struct doc *definition;
};

void part_done(struct part *p);

struct recipe {
    const struct build_opts *opts; /* borrowed */
    build_progress progress;       /* or NULL */
    void *progress_self;
    struct buf profile_text, lock_text;
    struct doc *profile, *lock;
    const char *name;     /* of the profile */
    const char *version;  /* of the release */
    const char *platform; /* "linux/amd64", the lock's */
    bool newest;          /* versions that the profile leaves open: the newest, not those of the lock */
    struct part *parts;   /* in the profile's order: the order of installation */
    size_t n;
};

/*
 * Profile and definitions, and the lock when there is one (`opts->lock` may be NULL). ERR_USAGE with file and line for
 * what is wrong in the files, ERR_UNTRUSTED (E_LOCK) in the lock.
 */
struct err *recipe_open(struct recipe *ret, const struct build_opts *o) ERR_MUST;
/* The same with a lock and the version of the release. */
struct err *recipe_load(struct recipe *ret, const struct build_opts *o) ERR_MUST;
void recipe_done(struct recipe *r);
/* Tells the caller's progress function, if there is one. ERR_CANCELLED when it wants no more. */
struct err *recipe_tell(const struct recipe *r, const char *what, uint64_t done, uint64_t total) ERR_MUST;

/* `v`'s text with ${version}, ${major}, ${minor}, ${patch} filled in; new memory in *ret. */
struct err *recipe_expand(char **ret, const struct part *part, const struct doc *v) ERR_MUST;
/*
 * A manifest of a component, `def` of its `manifests`: the file's bytes, and its name below the folder of definitions
 * (new memory). ERR_USAGE with the place of `def`.
 */
struct err *recipe_manifest(struct buf *out, char **ret_name, const struct recipe *r, const struct part *part,
                            const struct doc *def) ERR_MUST;
/* The lock's entry for a file, or for an image (`name` stands at `at`, for errors). ERR_USAGE "not locked". */
struct err *recipe_locked(const struct doc **ret, const struct recipe *r, const struct part *part, const char *kind,
                          const char *name, const struct doc *at) ERR_MUST;
/* Path of a blob in the cache, new memory; NULL without memory. */
char *recipe_blob(const struct recipe *r, const char *hex);
