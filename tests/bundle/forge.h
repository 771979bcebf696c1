/* forge: makes small bundles, good ones and every kind of bad ones. In three steps: new, seal, write. */
#pragma once
#include "bundle/bundle.h"
#include "check.h"
#include "crypt/key.h"

enum { FORGE_ENTRIES = 256 };

struct forge_entry {
    char name[128];
    struct buf body;
    void (*mangle)(unsigned char header[512]); /* changes the header before its checksum is made */
    bool raw_checksum;                         /* mangle() made the checksum itself */
    uint64_t say_size;                         /* size in the header, when it is to lie; else 0 */
    bool bad_padding;
};

/* Who signs a document besides the first signer; NULL ends. Borrowed. */
struct forge_more {
    const struct key *at[4];
};

/* A root document behind the first. */
struct forge_root {
    struct doc *doc; /* owned by the forge */
    struct forge_more signers;
};

struct forge {
    char *folder, *path, *pub_path;
    struct key *key;      /* trusted, both roles */
    struct key *sign_key; /* signs the release; borrowed; NULL: key */
    struct key *root_signer;
    struct forge_more more_signers, more_root_signers;
    struct forge_root later[64];
    size_t n_later;
    /* step 1: documents to change before forge_seal() */
    struct doc *root, *predicate, *index;
    const char *release_text; /* instead of what the documents give */
    const char *payload_type; /* what the release's signature covers; NULL: the right one */
    bool keep_members;        /* members and totals in `predicate` are the test's */
    struct forge_entry blobs[FORGE_ENTRIES];
    size_t n_blobs;
    /* step 2: members to change before forge_write() */
    struct forge_entry entries[FORGE_ENTRIES];
    size_t n;
    bool no_end;
    const char *tail; /* instead of the end mark */
    size_t tail_len;
    /* step 3: the file */
    struct buf file;
};

/* A good bundle to be: one image, one component with a package, a definition and a file, one profile. */
struct forge *forge_new(void);
void forge_free(struct forge *f);
OWN_DEFINE(forge, forge)
#define OWN_FORGE OWN(forge_freep)

/* Adds a blob; "sha256:..." into `ret`, for good measure also returned. */
const char *forge_blob(char ret[72], struct forge *f, const void *p, size_t n);
/* Adds the JSON of a tree as a blob; frees the tree. */
const char *forge_json(char ret[72], struct forge *f, struct doc *d, size_t *ret_size);
/* {mediaType, digest, size}. */
struct doc *forge_descriptor(const char *type, const char *digest, size_t size);
/* Adds a key to a root document's `keys`; its id into `ret`. */
void forge_key(char ret[65], struct doc *root, const struct key *k);
/* Makes `keys` (NULL ends) the keys of a role, which asks for `threshold` of them. */
void forge_role(struct doc *root, const char *role, int64_t threshold, const struct key *const keys[]);
/* The next root document: a copy of the last one, signed by `signers`, for the test to change. */
struct doc *forge_next_root(struct forge *f, struct forge_more signers);
/* Makes the members out of the documents and signs. */
void forge_seal(struct forge *f);
/* The member of that name (which must be there); of any name that begins so when it ends in '*'. */
struct forge_entry *forge_find(struct forge *f, const char *name);
void forge_move(struct forge *f, const char *name, size_t to);
void forge_insert(struct forge *f, size_t at, const char *name, const char *body);
void forge_remove(struct forge *f, const char *name);
/* Puts the file together and onto the disk. */
void forge_write(struct forge *f);
/* bundle_open() and bundle_verify() of the file. */
struct err *forge_check(const struct forge *f);
/* seal (unless done), write, check: ERR_UNTRUSTED with `code` and `place` in the text, and nothing new on the disk. */
void forge_refused(struct forge *f, const char *code, const char *place);
/* The same for a file that stands as it is on the disk. */
void forge_file_refused(const struct forge *f, const char *code, const char *place);
/* Signs again with PAE over any bytes: a signature member's new body. */
void forge_sign(struct buf *out, const struct key *k, const char *type, const void *p, size_t n);
