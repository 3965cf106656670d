/* SPDX-License-Identifier: MIT */
/*
 * Calendar expressions, in a zone that is foreign bytes too: what was parsed is written and parsed
 * again, and means the same; points of time only go forward.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "base/calendar.h"
#include "base/zone.h"

static char *normalise(const struct calendar *calendar)
{
    struct text text = {0};
    char *string;

    calendar_format(calendar, &text);
    string = text_finish(&text);
    fuzz_check(string, "no memory");
    return string;
}

static void compare_points(const struct calendar *a, const struct calendar *b, int64_t after)
{
    int64_t first = 0, second = 0;

    for (int i = 0; i < 3; i++) {
        int r = calendar_next(a, after, &first);

        fuzz_check(calendar_next(b, after, &second) == r, "only one of two equal ones elapses");
        if (r < 0)
            return;
        fuzz_check(first == second, "equal expressions elapse at other times");
        fuzz_check(first > after, "time goes backwards");
        after = first;
    }
}

static void check(const char *text, struct zone *zone, int64_t after)
{
    struct calendar *calendar, *again;
    const char *expected = NULL;
    char *normal, *normal_again;
    int r = calendar_parse_in(text, zone, &calendar, &expected);

    if (r < 0) {
        fuzz_check(r == -ENOMEM || (expected && *expected), "refused without a word");
        return;
    }
    normal = normalise(calendar);
    fuzz_check(calendar_parse_in(normal, zone, &again, &expected) == 0, "%s is refused", normal);
    normal_again = normalise(again);
    fuzz_check(strcmp(normal, normal_again) == 0, "%s becomes %s", normal, normal_again);
    compare_points(calendar, again, after);
    free(normal);
    free(normal_again);
    calendar_free(calendar);
    calendar_free(again);
}

/* After (8 bytes), length of the expression (1 byte), the expression, and a zone's file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t after = 0;
    uint8_t length = 0;
    char text[256] = "";
    static const struct zone_kind utc = {.name = "UTC"};
    struct zone *zone = NULL;

    fuzz_take(&data, &size, &after, sizeof(after));
    fuzz_take(&data, &size, &length, sizeof(length));
    fuzz_take(&data, &size, text, MIN((size_t)length, sizeof(text) - 1));
    if (zone_from_bytes(data, size, &zone) < 0 && zone_fixed(&utc, &zone) < 0)
        return 0;
    check(text, zone, after);
    zone_unref(zone);
    return 0;
}
