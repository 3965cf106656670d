/* SPDX-License-Identifier: MIT */
/* Points of time as people write them, and as the daemon's JSON has them. In nanoseconds since the
 * epoch. Both return 0 or -EINVAL. */
#ifndef REEVE_CTL_TIMES_H
#define REEVE_CTL_TIMES_H

#include <stdint.h>

/* "2h" is two hours ago; else local time: "2026-03-01 14:00:30", without seconds, without the time
 * of day for midnight, or without the date for today; or what time_parse_utc() reads. */
int time_parse(const char *text, int64_t *ret_realtime);

/* "2026-03-01T13:00:30.123Z"; the fraction may be missing, and counts to the microsecond. */
int time_parse_utc(const char *text, int64_t *ret_realtime);

#endif
