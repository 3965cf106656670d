/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdio.h>

char *clock_format(int64_t realtime_ns, char *buffer, size_t size)
{
    time_t seconds = (time_t)(realtime_ns / NSEC_PER_SEC);
    struct tm tm;
    char date[24];

    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buffer, size, "%s.%03dZ", date, (int)(realtime_ns % NSEC_PER_SEC / NSEC_PER_MSEC));
    return buffer;
}
