/* SPDX-License-Identifier: MIT */
/*
 * The file of last runs, and the one that was there before it. No threads of its own: all calls for
 * one file come one after the other.
 */
#ifndef REEVE_DAEMON_UNIT_LAST_RUNS_FILE_H
#define REEVE_DAEMON_UNIT_LAST_RUNS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/durable.h"
#include "base/text.h"

struct last_runs_file;

/* Names the files in the directory, which is looked at later. Returns 0 or -ENOMEM. */
int last_runs_file_create(const char *folder, struct last_runs_file **ret_file);
void last_runs_file_destroy(struct last_runs_file *file);

const char *last_runs_file_path(const struct last_runs_file *file);

struct last_runs_reader {
    /* Until when a task's schedule is settled, in nanoseconds since the epoch. */
    void (*note)(const char *module, char *task, int64_t settled, void *arg);
    /* Drops all that was noted so far: their file turns out to be damaged. */
    void (*forget)(void *arg);
    void *arg;
};

/*
 * Reads the file. One that cannot be used is renamed to last-runs.damaged, the one before it is
 * read in its place, and the log says so. Returns 1 if that was done, so that the file is to be
 * written again; else 0, also when nothing can be used. A negative errno, which was logged, is for
 * a lack of descriptors or memory: no file is touched then.
 */
int last_runs_file_read(struct last_runs_file *file, const struct last_runs_reader *reader);

/* The content: one begin, a line for each task, one end. */
void last_runs_file_begin(struct text *text);
void last_runs_file_line(struct text *text, const char *module, const char *task, int64_t settled);
void last_runs_file_end(struct text *text);

/*
 * Replaces the file for good; the one that was there stays as last-runs.old, if it is known to be
 * whole. Waits for the disk. Returns 0 or a negative errno with the step that failed: -EFBIG for
 * more than would be read again.
 */
int last_runs_file_write(struct last_runs_file *file, const struct text *content,
                         enum file_step *ret_step);

#endif
