/* own: one owner per resource. OWN(f) releases at the end of the scope; TAKE() hands over. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OWN(fn) __attribute__((cleanup(fn)))

/* The value of `p`, which is left NULL so that its OWN() release does nothing. */
#define TAKE(p)                                                                                                        \
    __extension__({                                                                                                    \
        __typeof__(p) p_ = (p);                                                                                        \
        (p) = NULL;                                                                                                    \
        p_;                                                                                                            \
    })

/* The descriptor in `fd`, which is left -1. */
#define TAKE_FD(fd)                                                                                                    \
    __extension__({                                                                                                    \
        int fd_ = (fd);                                                                                                \
        (fd) = -1;                                                                                                     \
        fd_;                                                                                                           \
    })

static inline void own_free(void *pp)
{
    free(*(void **)pp);
}

static inline void own_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void own_fclose(FILE *const *f)
{
    if (*f)
        (void)fclose(*f);
}

#define OWN_FREE OWN(own_free)
#define OWN_FD OWN(own_close)

/* Defines `name##_freep` for OWN() out of `name##_free(struct type *)`. */
#define OWN_DEFINE(type, name)                                                                                         \
    static inline void name##_freep(struct type **p)                                                                   \
    {                                                                                                                  \
        name##_free(*p);                                                                                               \
    }

#define ARRAY_LEN(a) (sizeof(a) / sizeof(*(a)))
