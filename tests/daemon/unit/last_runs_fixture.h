/* SPDX-License-Identifier: MIT */
/* A ledger in a folder of its own, with a scoreboard to read from and the log's lines. */
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
    struct ledger *ledger;
    struct loop_timer *timer;
    const struct scoreboard *board;
    struct scoreboard *host;
};

int ledger_setup(void **state);
int ledger_teardown(void **state);

/* A ledger of the folder, as a daemon that starts makes it. */
struct ledger *make(struct fixture *fixture);
void set_task(struct fixture *fixture, unsigned i, const char *name, int64_t settled, bool kept);
void write_file(const char *path, const char *content);

/* For ledger_each(): appends "TASK=SETTLED " to the text. */
void append_run(const char *task, const struct ledger_known *known, void *text);
/* The module's tasks, as "TASK=SETTLED " each. */
void expect_runs(const struct ledger *ledger, const char *module, const char *expected);
/* Asserts that the log has this text since the last call, and forgets the lines until here. */
void expect_log(struct fixture *fixture, const char *expected);
void expect_file(const char *path, const char *expected);

#endif
