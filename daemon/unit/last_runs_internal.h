/* SPDX-License-Identifier: MIT */
/* The record of last runs, for the files that make it up: last_runs.c writes it, last_runs_board.c
 * learns from scoreboards, last_runs_serialize.c hands it over. */
#ifndef REEVE_DAEMON_UNIT_LAST_RUNS_INTERNAL_H
#define REEVE_DAEMON_UNIT_LAST_RUNS_INTERNAL_H

#include "base/durable.h"
#include "base/text.h"
#include "daemon/unit/last_runs.h"
#include "daemon/unit/last_runs_table.h"

struct last_runs_file;
struct loop_background;
struct loop_timer;

struct last_runs {
    struct last_runs_file *file;
    struct last_runs_table table;
    bool changed; /* since the last write began; then the timer is armed, or a write is under way */
    bool failing; /* the last write failed, which was told */
    struct loop_timer *timer;
    struct loop_background *writer;
    struct text content;        /* of the write under way */
    enum file_step failed_step; /* of the last write */
    void (*flushed)(void *arg); /* NULL: nobody waits for the last write */
    void *flushed_arg;
};

/* last_runs.c: something that is to be kept has changed: it is written soon. */
void last_runs_mark_changed(struct last_runs *last_runs);

#endif
