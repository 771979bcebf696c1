/* mux_private: what mux.c and stream.c share; nobody else includes it. */
#pragma once
#include "wire/frame.h"
#include "wire/mux.h"

#include <pthread.h>

/* Body bytes that arrived and were not read yet: a ring that grows up to FRAME_WINDOW_START. */
struct ring {
    char *at;
    size_t cap, head, len;
};

/* A whole JSON record waiting for stream_next(). */
struct record {
    struct record *next;
    struct buf text;
    bool is_reply;
};

struct stream {
    struct mux *m;
    uint32_t id;
    struct stream *next; /* in its bucket of the table */
    struct cancel wake;  /* set at every change unless it is set already */
    bool woken;
    struct ring rx;
    uint32_t rx_credit; /* bytes the peer may still send */
    uint32_t rx_taken;  /* bytes read since credit was given back */
    bool rx_end, tx_end, reset, replied;
    uint32_t tx_credit;
    struct buf part; /* the record that is arriving */
    enum frame_type part_type;
    bool part_open;
    struct record *first, *last;
    size_t queued; /* bytes of all waiting records */
};

#define MUX_BUCKETS 256u

struct mux {
    struct mux_opts o;
    pthread_mutex_t lock;      /* everything below and every stream's fields */
    pthread_mutex_t out_lock;  /* whole frames on out_fd; taken after, never before, `lock` is given back */
    pthread_mutex_t open_lock; /* controller: requests go out in the order of their ids */
    struct cancel broken;
    bool is_broken;
    char why[256];
    struct stream *table[MUX_BUCKETS];
    unsigned n_streams;
    uint32_t last_id;
    pthread_t reader;
    bool joined; /* the owner's */
};

/* Sends one frame; waits while the other side does not read. */
struct err *mux_send(struct mux *m, const struct frame *f, const void *payload) ERR_MUST;
/* Sends JSON in as many frames as it takes. */
struct err *mux_send_record(struct mux *m, enum frame_type type, uint32_t stream, const struct doc *d) ERR_MUST;
/* Why the connection is of no use, as an error. Needs `lock`. */
struct err *mux_why(const struct mux *m) ERR_MUST;
/* A stream with `id` in the table. Needs `lock`. */
struct err *mux_add(struct stream **ret, struct mux *m, uint32_t id) ERR_MUST;
/* The stream or NULL. Needs `lock`. */
struct stream *mux_find(struct mux *m, uint32_t id);
/* Takes it out of the table. Needs `lock`. */
void mux_drop(struct stream *s);
/* Tells the owner of the stream to look again. Needs `lock`. */
void stream_wake(struct stream *s);
/* Frees memory and descriptors of a stream that is in no table. */
void stream_destroy(struct stream *s);
/* A frame for this stream arrived. Needs `lock`. An error breaks the connection. */
struct err *stream_take(struct stream *s, const struct frame *f, const unsigned char *payload) ERR_MUST;
