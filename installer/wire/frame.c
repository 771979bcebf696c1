#include "wire/frame.h"

uint32_t frame_get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void frame_put_u32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}

bool frame_is_record(enum frame_type type)
{
    return type == FRAME_REQUEST || type == FRAME_REPLY || type == FRAME_EVENT;
}

void frame_encode(unsigned char ret[FRAME_HEAD], const struct frame *f)
{
    ret[0] = (unsigned char)((unsigned)f->type | (f->more ? FRAME_MORE : 0));
    frame_put_u32(ret + 1, f->stream);
    frame_put_u32(ret + 5, f->length);
}

struct err *frame_decode(struct frame *ret, const unsigned char head[FRAME_HEAD])
{
    unsigned type = head[0] & ~FRAME_MORE;
    if (type < FRAME_REQUEST || type > FRAME_PONG)
        return err_new(ERR_FAILED, "protocol: unknown frame type %u", type);
    struct frame f = {.type = (enum frame_type)type,
                      .more = (head[0] & FRAME_MORE) != 0,
                      .stream = frame_get_u32(head + 1),
                      .length = frame_get_u32(head + 5)};
    bool control = f.type == FRAME_PING || f.type == FRAME_PONG;
    bool empty = control || f.type == FRAME_END || f.type == FRAME_RESET;
    if (f.length > FRAME_PAYLOAD_MAX)
        return err_new(ERR_FAILED, "protocol: frame of %u bytes, %u are allowed", f.length, FRAME_PAYLOAD_MAX);
    if (control != (f.stream == 0))
        return err_new(ERR_FAILED, "protocol: frame type %u on stream %u", type, f.stream);
    if (f.more && !frame_is_record(f.type))
        return err_new(ERR_FAILED, "protocol: frame type %u cannot go on", type);
    if ((empty && f.length) || (f.type == FRAME_WINDOW && f.length != 4) || (!empty && !f.length))
        return err_new(ERR_FAILED, "protocol: frame type %u with %u bytes", type, f.length);
    *ret = f;
    return NULL;
}
