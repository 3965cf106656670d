/* SPDX-License-Identifier: MIT */
/* Durations: int64 nanoseconds. Absolute times are nanoseconds of CLOCK_MONOTONIC. */
#ifndef REEVE_DURATION_H
#define REEVE_DURATION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int64_t rv_duration;

#define RV_NANOSECOND  INT64_C(1)
#define RV_MICROSECOND (1000 * RV_NANOSECOND)
#define RV_MILLISECOND (1000 * RV_MICROSECOND)
#define RV_SECOND      (1000 * RV_MILLISECOND)
#define RV_MINUTE      (60 * RV_SECOND)
#define RV_HOUR        (60 * RV_MINUTE)

/* As a timeout: no limit. */
#define RV_FOREVER INT64_MAX

/* The monotonic clock, now. Never fails; any thread. */
rv_duration rv_now(void);

#ifdef __cplusplus
}
#endif

#endif
