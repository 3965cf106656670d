/* SPDX-License-Identifier: MIT */
/*
 * The last lines of the log, in memory, for `reevectl logs`: what was written where nobody keeps it
 * can be looked at all the same. The journal, where there is one, knows more.
 */
#ifndef REEVE_DAEMON_EDGE_CONTROL_LOG_RING_H
#define REEVE_DAEMON_EDGE_CONTROL_LOG_RING_H

#include <jansson.h>
#include <stdint.h>

struct log_ring;

/* Takes in every line from now on; one of these for a process. Returns 0 or -ENOMEM. */
int log_ring_create(struct log_ring **ret_ring);
void log_ring_destroy(struct log_ring *ring);

/*
 * The lines with numbers above after, the newest `most` of them, of one module or of all (NULL);
 * and the number of the newest line of all, from which to go on. NULL without memory.
 */
json_t *log_ring_json(const struct log_ring *ring, const char *module, uint64_t after, size_t most);

/* For a live upgrade: all lines; and puts them before those that there are. */
json_t *log_ring_save(const struct log_ring *ring);
void log_ring_resume(struct log_ring *ring, const json_t *state);

#endif
