/*
 * net: where files come from: mirrors before the sources that a lock names, and how the outside is reached. One for all
 * downloads of a run; any thread may use it.
 */
#pragma once
#include "base/str.h"
#include "doc/doc.h"
#include "http/range.h"

#include <pthread.h>

/* As on the command line. */
struct net_opts {
    const char *const *mirrors; /* "FROM=TO": a URL that begins with FROM is tried at TO first */
    size_t n_mirrors;
    const char *const *cas; /* "HOST=FILE": trust these CAs alone for that host */
    size_t n_cas;
    const char *proxy;           /* URL, or NULL: what the environment says */
    const struct cancel *cancel; /* or NULL */
    int stall_s, tries;          /* 0: as http_range() has them; so is wait_ms */
    int64_t wait_ms;
};

struct net {
    struct http_way way;
    struct http_ca *cas;
    struct strs from, to; /* mirrors */
    char *proxy;
    uint64_t segment; /* files of more than four such are fetched in segments, four at a time; 0: NET_SEGMENT */
    pthread_mutex_t mutex;
    struct strs benched;   /* origins that failed; under the mutex */
    _Atomic uint64_t came; /* bytes of files, in all; not those that an earlier run had fetched */
};

#define NET_SEGMENT ((uint64_t)16 << 20)

/* ERR_USAGE with the option's value for what is wrong in it. */
struct err *net_open(struct net *ret, const struct net_opts *o) ERR_MUST;
void net_done(struct net *n);
#define OWN_NET OWN(net_done)

/*
 * The URLs to try for one file, in order: mirrors of each, then those named; what is on a benched host comes last. URLs
 * named are https, mirrors may be http: the digest decides.
 */
struct err *net_sources(struct strs *ret, struct net *n, const struct doc *urls) ERR_MUST;
/*
 * Remembers that the host of the i-th source failed: it is tried last, and once only, by who comes later. Not when no
 * other host is left of those behind it: the only way there is keeps its patience.
 */
void net_bench(struct net *n, const struct strs *sources, size_t i);
bool net_is_benched(struct net *n, const char *url);

/* True for a failure that another source may not have; the disk, a limit or a cancel are the same with all. */
bool net_next_may_help(const struct err *e);
/* The failure to tell, of two sources: of trust before of transport before others, else the first. NULL is none. */
struct err *net_worse(struct err *a, struct err *b) ERR_MUST;
