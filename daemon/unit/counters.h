/* SPDX-License-Identifier: MIT */
/*
 * The counters of a module's tasks and pools in all its incarnations: those of dead ones, to be
 * added to those of the living, and how they stood last.
 */
#ifndef REEVE_DAEMON_UNIT_COUNTERS_H
#define REEVE_DAEMON_UNIT_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/scoreboard.h"

/* Zero-initialised it is empty. `module` in the records means nothing here. */
struct counters {
    /* The host's books that have been taken in, by the number in the module's record: until the
     * host begins new ones, what stands in them is known. 0: none of this host's. */
    uint32_t closed_books;
    struct scoreboard_task *tasks;
    size_t task_count;
    struct scoreboard_pool *pools;
    size_t pool_count;
    /* The living incarnation's records as they were last read whole, by name. A host that is
     * preempted, or stopped, in the middle of a write leaves a record torn for as long. */
    struct scoreboard_task *seen_tasks;
    size_t seen_task_count;
    struct scoreboard_pool *seen_pools;
    size_t seen_pool_count;
};

/* Takes in all records of a module's slot once from the scoreboard of a host that is dead: what was
 * running was cut, jobs that were neither finished nor failed are lost; their error says how the
 * host ended. A record that finds no memory is not counted. Returns how many jobs were lost. */
uint64_t counters_close(struct counters *counters, const struct scoreboard *board, uint32_t slot,
                        const char *how);

/* Whether the last run in a counters's record is one that counters_close() has ended. A module may
 * return the same code. */
bool counters_has_lost(const struct scoreboard_task *task);

/* A new host begins with new books. */
void counters_new_host(struct counters *counters);

/* Adds all of another counters, of the same module, which is about to go. */
void counters_absorb(struct counters *counters, const struct counters *other);

/*
 * Copies the counters, with the records of a living host's slot added to it; board may be NULL. A
 * record that stays torn shows how it was when it was last whole, and if it never was, what can be
 * read of it, without any time by which it could be judged. Returns 0 or -ENOMEM.
 */
int counters_copy(struct counters *counters, const struct scoreboard *board, uint32_t slot,
                  struct counters *ret_copy);

void counters_free(struct counters *counters);

#endif
