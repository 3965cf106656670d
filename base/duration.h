/* SPDX-License-Identifier: MIT */
/*
 * Durations as people write them: "90s", "1h 30min", "250ms". Values are int64 nanoseconds.
 * The units are those of systemd.time(7), from ns to weeks.
 */
#ifndef REEVE_BASE_DURATION_H
#define REEVE_BASE_DURATION_H

#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_USEC INT64_C(1000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define NSEC_PER_SEC  INT64_C(1000000000)

/* a + b. A point later than any time is INT64_MAX, which stands for never. */
static inline int64_t duration_add(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

/* Long enough for any text that duration_format() makes. */
#define DURATION_TEXT_SIZE 64

/*
 * Reads one or more numbers with units, in any order, added up; a number may have a fraction. A
 * bare number is refused, except "0", since seconds and milliseconds are too easily confused.
 * Returns 0, -EINVAL for text that is no duration, or -ERANGE when the sum does not fit.
 */
int duration_parse(const char *text, int64_t *ret_ns);

/*
 * Writes the shortest exact text down to a precision fit for reading: "1h 30min", "1.5s", "20ms".
 * A duration of a second or more is cut to milliseconds. Returns buffer.
 */
char *duration_format(int64_t ns, char *buffer, size_t size);

#endif
