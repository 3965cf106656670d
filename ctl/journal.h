/* SPDX-License-Identifier: MIT */
/* reeved's records in systemd's journal, as the lines that `logs --json` prints. */
#ifndef REEVE_CTL_JOURNAL_H
#define REEVE_CTL_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which records. */
struct journal_query {
    const char *unit;   /* NULL: of whatever unit */
    const char *module; /* NULL: of all */
    int64_t since;      /* in nanoseconds since the epoch; 0: from the first */
    size_t lines;       /* the last so many of them; 0: none, SIZE_MAX: all */
    bool follow; /* and then those that are written from now on, as long as somebody reads them */
};

/*
 * Calls fn with each, the oldest first; the line is fn's only while it is called. Returns how many
 * there were, or a negative errno: -ENOENT without a journal that may be read.
 */
int64_t journal_read(const struct journal_query *query, void (*fn)(const json_t *line, void *arg),
                     void *arg);

#endif
