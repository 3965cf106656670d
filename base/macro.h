/* SPDX-License-Identifier: MIT */
/*
 * Small language helpers that every layer may use. An attribute has underlines about its name, so
 * that no header that is included later loses a word of its own: cmocka 2 has a parameter `unused`.
 */
#ifndef REEVE_BASE_MACRO_H
#define REEVE_BASE_MACRO_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#define MIN(a, b)                          \
    ({                                     \
        __typeof__(a) min_a_ = (a);        \
        __typeof__(b) min_b_ = (b);        \
        min_a_ < min_b_ ? min_a_ : min_b_; \
    })
#define MAX(a, b)                          \
    ({                                     \
        __typeof__(a) max_a_ = (a);        \
        __typeof__(b) max_b_ = (b);        \
        max_a_ > max_b_ ? max_a_ : max_b_; \
    })

/* A value is built under a cleanup attribute and taken out of it on success. */
#define _cleanup_(function) __attribute__((cleanup(function)))

#define TAKE_PTR(pointer)                       \
    ({                                          \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })

#define TAKE_FD(fd)        \
    ({                     \
        int taken_ = (fd); \
        (fd) = -1;         \
        taken_;            \
    })

#define printf_like(string, first) __attribute__((format(printf, string, first)))
#define _unused_                   __attribute__((unused))

static inline void cleanup_free_fn(void *pointer)
{
    free(*(void **)pointer);
}
#define cleanup_free _cleanup_(cleanup_free_fn)

static inline void cleanup_close_fn(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define cleanup_close _cleanup_(cleanup_close_fn)

static inline void cleanup_fclose_fn(FILE **file)
{
    if (*file)
        fclose(*file);
}
#define cleanup_fclose _cleanup_(cleanup_fclose_fn)

#endif
