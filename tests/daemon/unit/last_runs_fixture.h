/* SPDX-License-Identifier: MIT */
/* A last_runs in a directory of its own, with a scoreboard to read from and the log's lines. */
#ifndef REEVE_TESTS_LEDGER_FIXTURE_H
#define REEVE_TESTS_LEDGER_FIXTURE_H

#include "tests/support/test.h"

#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/last_runs.h"

struct fixture {
    char folder[64];
    char path[96], old_path[96], new_path[96], damaged_path[96];
    struct text log;
    struct loop *loop;
    struct last_runs *last_runs;
    struct loop_timer *timer;
    const struct scoreboard *board;
    struct scoreboard *host;
};

int last_runs_setup(void **state);
int last_runs_teardown(void **state);

/* A last_runs of the directory, as a daemon that starts makes it. */
struct last_runs *make(struct fixture *fixture);
void set_task(struct fixture *fixture, unsigned i, const char *name, int64_t settled, bool kept);
void write_file(const char *path, const char *content);

/* For last_runs_each(): appends "TASK=SETTLED " to the text. */
void append_run(const char *task, const struct last_runs_known *known, void *text);
/* The module's tasks, as "TASK=SETTLED " each. */
void expect_runs(const struct last_runs *last_runs, const char *module, const char *expected);
/* Asserts that the log has this text since the last call, and forgets the lines until here. */
void expect_log(struct fixture *fixture, const char *expected);
void expect_file(const char *path, const char *expected);

#endif
