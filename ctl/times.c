/* SPDX-License-Identifier: MIT */
#include "ctl/times.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/macro.h"

int time_parse_utc(const char *text, int64_t *ret_realtime)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t fraction = 0, unit = NSEC_PER_SEC;

    if (!rest)
        return -EINVAL;
    if (*rest == '.')
        for (rest++; isdigit((unsigned char)*rest); rest++)
            if (unit > NSEC_PER_USEC) {
                unit /= 10;
                fraction += (*rest - '0') * unit;
            }
    if (strcmp(rest, "Z") != 0)
        return -EINVAL;
    *ret_realtime = (int64_t)timegm(&tm) * NSEC_PER_SEC + fraction;
    return 0;
}

/* Whether the text is of the format to its end. A part that the format does not name stays as it is
 * in tm. */
static bool is_of(const char *text, const char *format, struct tm *tm)
{
    const char *rest = strptime(text, format, tm);

    return rest && *rest == '\0';
}

static int parse_local(const char *text, int64_t *ret_realtime)
{
    static const struct {
        const char *format;
        bool dated;
    } formats[] = {
        {"%Y-%m-%d %H:%M:%S", true}, {"%Y-%m-%d %H:%M", true}, {"%Y-%m-%d", true},
        {"%H:%M:%S", false},         {"%H:%M", false},
    };
    const time_t now = time(NULL);
    struct tm today;

    localtime_r(&now, &today);
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct tm tm = {0};

        if (!formats[i].dated) {
            tm.tm_year = today.tm_year;
            tm.tm_mon = today.tm_mon;
            tm.tm_mday = today.tm_mday;
        }
        if (!is_of(text, formats[i].format, &tm))
            continue;
        /* Whether daylight saving is in force then is the zone's matter. */
        tm.tm_isdst = -1;
        *ret_realtime = (int64_t)mktime(&tm) * NSEC_PER_SEC;
        return 0;
    }
    return -EINVAL;
}

int time_parse(const char *text, int64_t *ret_realtime)
{
    int64_t ago;

    if (duration_parse(text, &ago) == 0) {
        *ret_realtime = clock_realtime() - ago;
        return 0;
    }
    return time_parse_utc(text, ret_realtime) == 0 ? 0 : parse_local(text, ret_realtime);
}
