/* SPDX-License-Identifier: MIT */
/*
 * All that one program hands to the next in a live upgrade: a JSON document in a memfd that
 * outlives the exec. Each part writes and reads its own; here they are put together.
 */
#ifndef REEVE_DAEMON_UPGRADE_HANDOVER_H
#define REEVE_DAEMON_UPGRADE_HANDOVER_H

#include "daemon/serialize/fields.h"
#include "daemon/start/places.h"
#include "wire/scoreboard.h"

struct config;
struct edge;
struct supervisor;

/* Writes the present state, for a program that knows scoreboards of that version; lock is that of
 * the state directory, or -1. Returns a descriptor with O_CLOEXEC, or a negative errno. */
int handover_write(struct supervisor *supervisor, struct edge *edge, uint32_t scoreboard, int lock);

/* Reads it, and the configuration in it. Returns NULL, with why in error, or the document, whose
 * parts are "edge" and "supervisor". */
json_t *handover_read(int fd, const struct places *places, struct config **ret_config,
                      struct serialize_error *error);

/*
 * `reeved --check-state FD`: whether this program could take the state over. Prints what it is, for
 * the program that asks, to stdout, or the reason why not to stderr. Returns the exit code.
 */
int handover_check(int fd, const struct places *places);

/* The answer of a program that can take the state over, about itself. */
struct handover_answer {
    char version[64];
    uint32_t wire;
    uint32_t scoreboard;
};
/* Returns 0 or -EBADMSG. */
int handover_read_answer(const char *text, struct handover_answer *ret_answer);

#endif
