/* SPDX-License-Identifier: MIT */
/*
 * How far the schedule of each task has come. It is told to a module that starts, so that its
 * schedules go on where they were; those of long intervals and of the wall clock are kept in a file
 * of the state directory, over restarts of the daemon. A task is known from the moment on at which
 * it was first seen.
 */
#ifndef REEVE_DAEMON_UNIT_LAST_RUNS_H
#define REEVE_DAEMON_UNIT_LAST_RUNS_H

#include <stdint.h>

#include "daemon/serialize/fields.h"
#include "daemon/unit/last_runs_table.h"
#include "wire/scoreboard.h"

struct last_runs;
struct loop;

/*
 * Reads the file in the directory, if there is one; in place of one that cannot be used it reads
 * the reserve, and says so. Returns 0 or a negative errno; one for a file is logged.
 */
int last_runs_create(struct loop *loop, const char *folder, struct last_runs **ret_ledger);

/* Waits for a write under way, then writes all later changes: only after the loop has ended. */
void last_runs_destroy(struct last_runs *last_runs);

/* Writes what has changed without delay. done is called once, at once or in the loop: when nothing
 * is left to be written, or it cannot be, which is logged. */
void last_runs_flush(struct last_runs *last_runs, void (*done)(void *arg), void *arg);
/* In place of a destroy, when the process is about to end and a write hangs: nothing is waited for.
 */
void last_runs_abandon(struct last_runs *last_runs);

/* The file's. */
const char *last_runs_path(const struct last_runs *last_runs);

/* Notes how far a module's tasks have come, from its host's scoreboard. A change that is to be kept
 * is written soon after, by a thread that waits for the disk. */
void last_runs_read_board(struct last_runs *last_runs, const char *module,
                          const struct scoreboard *board, uint32_t slot);

/* The same, of a host that is dead: a run that it was at has failed. */
void last_runs_close_board(struct last_runs *last_runs, const char *module,
                           const struct scoreboard *board, uint32_t slot);

/* Whether that thread writes now: an exec() would cut it off. */
bool last_runs_is_writing(const struct last_runs *last_runs);

/* Calls fn for each task of the module that was seen with a schedule, or stopped for an error. */
void last_runs_each(const struct last_runs *last_runs, const char *module,
                    void (*fn)(const char *task, const struct last_runs_known *known, void *arg),
                    void *arg);

/* None of the module's tasks is stopped for an error any more. */
void last_runs_revive(struct last_runs *last_runs, const char *module);

/* Modules that are not configured may come back, but not all that ever were: see
 * last_runs_table_forget(). */
void last_runs_forget(struct last_runs *last_runs, bool (*stays)(const char *module, void *arg),
                      void *arg);

/* For a live upgrade: all that is known, also of what is not kept in the file; and takes it in.
 * NULL without memory; 0, -EBADMSG or -ENOMEM. */
json_t *last_runs_save(const struct last_runs *last_runs);
int last_runs_load(struct last_runs *last_runs, const json_t *state, struct serialize_error *error);

#endif
