/* SPDX-License-Identifier: MIT */
/*
 * Durations and points in time: both are int64 nanoseconds, and have names of their own.
 *
 * A timeout is a duration: 0, or less, is at once, and RV_FOREVER is none. That holds wherever this
 * library, and a member of its structs, has a timeout. A deadline is a point in time.
 */
#ifndef REEVE_DURATION_H
#define REEVE_DURATION_H

#include <stdint.h>

/* What an initialiser leaves out is zero, in C++ without a warning. */
#ifdef __cplusplus
#define RV_ZERO_ \
    {            \
    }
#else
#define RV_ZERO_
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* How long something takes. */
typedef int64_t rv_duration;

/* A point of CLOCK_MONOTONIC, as rv_now() tells it. */
typedef int64_t rv_time;

#define RV_NANOSECOND  INT64_C(1)
#define RV_MICROSECOND (1000 * RV_NANOSECOND)
#define RV_MILLISECOND (1000 * RV_MICROSECOND)
#define RV_SECOND      (1000 * RV_MILLISECOND)
#define RV_MINUTE      (60 * RV_SECOND)
#define RV_HOUR        (60 * RV_MINUTE)

/* As a timeout: no limit. */
#define RV_FOREVER INT64_MAX

/* As a point in time: one that does not come. A deadline that is it is none. */
#define RV_NEVER INT64_MAX

/* The monotonic clock, now. Never fails; any thread. */
rv_time rv_now(void);

#ifdef __cplusplus
}
#endif

#endif
