/* SPDX-License-Identifier: MIT */
/* When a module's tasks last started in earlier lives, as the supervisor remembers it. */
#ifndef REEVE_HOST_LAST_RUNS_H
#define REEVE_HOST_LAST_RUNS_H

#include <stddef.h>
#include <stdint.h>

struct last_run {
    char *task;
    int64_t started; /* real time */
};

struct last_runs {
    struct last_run *items;
    size_t count;
};

/* Copies. Returns 0 or -ENOMEM. */
int last_runs_add(struct last_runs *runs, const char *task, int64_t started);
/* 0 when it is not known. */
int64_t last_runs_find(const struct last_runs *runs, const char *task);
void last_runs_free(struct last_runs *runs);

#endif
