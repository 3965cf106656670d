/* SPDX-License-Identifier: MIT */
/*
 * What calendar_compare.py drives: `calendar_tool BASE COUNT`, with the base time in seconds since
 * the epoch, reads expressions from its input, one a line, and writes a line for each:
 *
 *     refused ERRNO
 *     NORMALISED FORM<tab>ELAPSE<tab>ELAPSE...
 *
 * Elapses are seconds since the epoch with six decimals, at most COUNT.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/clock.h"

static void answer(const char *expression, int64_t base_ns, long count)
{
    cleanup_calendar struct calendar *calendar = NULL;
    cleanup_text struct text form = {0};
    const char *expected;
    int r = calendar_parse(expression, &calendar, &expected);

    if (r < 0) {
        printf("refused %s\n", strerrorname_np(-r));
        return;
    }
    calendar_format(calendar, &form);
    printf("%s", text_string(&form));
    for (long i = 0; i < count && calendar_next(calendar, base_ns, &base_ns) == 0; i++)
        printf("\t%" PRId64 ".%06" PRId64, base_ns / NSEC_PER_SEC,
               base_ns % NSEC_PER_SEC / NSEC_PER_USEC);
    printf("\n");
}

int main(int argc, char **argv)
{
    char line[65536];

    if (argc != 3) {
        fprintf(stderr, "usage: calendar_tool BASE COUNT\n");
        return 2;
    }
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        answer(line, strtoll(argv[1], NULL, 10) * NSEC_PER_SEC, strtol(argv[2], NULL, 10));
    }
    return 0;
}
