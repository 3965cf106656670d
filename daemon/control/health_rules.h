/* SPDX-License-Identifier: MIT */
/*
 * The health truth: pure functions from what is known to pass, warn or fail, with the reason.
 *
 * A task that returned an error is a warning: it runs, and says what is wrong. A task that should
 * have run and did not, or that runs past its time, means that the module does not do its work: a
 * failure for an essential module, a warning for another. The same holds for a module that is not
 * ready. A pool whose newest job has failed is a warning, until one succeeds.
 */
#ifndef REEVE_DAEMON_CONTROL_HEALTH_RULES_H
#define REEVE_DAEMON_CONTROL_HEALTH_RULES_H

#include "daemon/control/snapshot.h"

/* Fills in the task's health and output. */
void health_of_task(struct snapshot_task *task, bool essential, int64_t now);

/* "" when all is well; else what the newest job that ended has failed by. */
enum health health_of_pool(const struct scoreboard_pool *pool, const char **ret_output);

/* Whether what crashed has gone well since: the task, a job of the pool, or the start when neither
 * was running. */
bool health_has_recovered(const struct snapshot_module *module, const struct unit *unit);

/* Fills in the module's from its state, crash and tasks (already judged). record has what its own
 * health() said, or that it has not answered. */
void health_of_module(struct snapshot_module *module, const struct unit *unit, enum phase phase,
                      const struct scoreboard_module *record, int64_t now);

/* Fills in the whole's. */
void health_of_all(struct snapshot *snapshot);

#endif
