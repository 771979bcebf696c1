/*
 * frame: the unit on the wire: 1 byte type, 4 bytes stream id, 4 bytes payload length (both big-endian), payload.
 * JSON records (REQUEST, REPLY, EVENT) longer than one frame go in several; all but the last carry FRAME_MORE.
 */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_type {
    FRAME_REQUEST = 1, /* JSON; opens a stream; only the controller sends it */
    FRAME_DATA = 2,    /* body bytes; costs credit */
    FRAME_END = 3,     /* no more data from this side */
    FRAME_WINDOW = 4,  /* u32: more credit for the receiver of this frame */
    FRAME_REPLY = 5,   /* JSON; once per stream; only the node sends it */
    FRAME_EVENT = 6,   /* JSON progress; only the node sends it */
    FRAME_RESET = 7,   /* this side forgets the stream */
    FRAME_PING = 8,    /* answered with PONG; stream 0 */
    FRAME_PONG = 9,
};

#define FRAME_MORE 0x80u                   /* bit beside the type: the record goes on in the next frame of the stream */
#define FRAME_HEAD 9u                      /* bytes before the payload */
#define FRAME_PAYLOAD_MAX 65536u           /* bytes of payload */
#define FRAME_RECORD_MAX ((size_t)4 << 20) /* bytes of one JSON record in all its frames */
#define FRAME_WINDOW_START (1u << 20)      /* credit of each direction of a new stream, bytes */

struct frame {
    enum frame_type type;
    bool more;
    uint32_t stream;
    uint32_t length;
};

/* Writes the header of `f` into `ret`. */
void frame_encode(unsigned char ret[FRAME_HEAD], const struct frame *f);
/*
 * Reads and checks a header: known type, stream 0 exactly for PING and PONG, lengths that the type allows, MORE only
 * on records. ERR_FAILED otherwise: the byte stream cannot be trusted any further.
 */
struct err *frame_decode(struct frame *ret, const unsigned char head[FRAME_HEAD]) ERR_MUST;
/* True for the types that carry JSON. */
bool frame_is_record(enum frame_type type);
uint32_t frame_get_u32(const unsigned char *p);
void frame_put_u32(unsigned char *p, uint32_t v);
