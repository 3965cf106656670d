/* SPDX-License-Identifier: MIT */
/* The lines of a section that are not reeve's own. */
#ifndef REEVE_HOST_LOAD_OPTION_LINES_H
#define REEVE_HOST_LOAD_OPTION_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* A line of the section, as the supervisor sent it. */
struct option_line {
    char *key;
    char *value;
    char *file;
    unsigned line;
    bool credential; /* the value is never to be shown */
};

struct option_lines {
    struct option_line *items;
    size_t count;
};

/* Copies. Returns 0 or -ENOMEM. */
int option_lines_add(struct option_lines *lines, const char *key, const char *value,
                     const char *file, unsigned line, bool credential);
void option_lines_free(struct option_lines *lines);

/* The first with the key, or NULL. */
const struct option_line *option_lines_find(const struct option_lines *lines, const char *key);

#endif
