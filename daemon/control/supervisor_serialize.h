/* SPDX-License-Identifier: MIT */
/*
 * The supervisor as one reeved hands it to the next, in a live upgrade: the process and its hosts
 * stay, the program is replaced.
 *
 * It is handed over only when nothing moves, so that what there is to say is plain data: which
 * units there are and how they stand, and which process and which descriptors are whose host.
 */
#ifndef REEVE_DAEMON_CONTROL_SUPERVISOR_SERIALIZE_H
#define REEVE_DAEMON_CONTROL_SUPERVISOR_SERIALIZE_H

#include "daemon/control/supervisor.h"
#include "daemon/serialize/fields.h"

/* How often the program has been replaced, and how many hosts there are now. */
uint64_t supervisor_upgrades(const struct supervisor *supervisor);
/* How many reloads have ended: another number means that another configuration may be in force. */
uint64_t supervisor_reloads(const struct supervisor *supervisor);
unsigned supervisor_living_hosts(const struct supervisor *supervisor);

/* While it is quiet no backoff ends, except the first one in a row: with many modules in crash
 * loops there would always be one on its way. All else that moves comes to rest by its own
 * timeouts. */
void supervisor_set_quiet(struct supervisor *supervisor, bool quiet);

/* Whether nothing moves; else ret_what says what does. */
bool supervisor_is_settled(const struct supervisor *supervisor, char *ret_what, size_t size);

/* For a reader that knows scoreboards of that version. NULL without memory. */
json_t *supervisor_save(struct supervisor *supervisor, uint32_t scoreboard);

/* Whether the state can be read with this configuration. Returns 0, -EBADMSG or -ENOMEM. */
int supervisor_check_state(const json_t *state, const struct config *config,
                           struct serialize_error *error);

/*
 * As supervisor_create() and supervisor_start() at once, with what was saved: hosts go on as they
 * are. Those of another wire version than ours are replaced, one by one. Returns 0 or a negative
 * errno.
 */
int supervisor_restore(struct loop *loop, const struct supervisor_options *options,
                       struct config *config, const json_t *state,
                       struct supervisor **ret_supervisor, struct serialize_error *error);

#endif
