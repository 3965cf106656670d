/* SPDX-License-Identifier: MIT */
/* A unit as one reeved hands it to the next, in a live upgrade. */
#ifndef REEVE_DAEMON_UNIT_UNIT_SERIALIZE_H
#define REEVE_DAEMON_UNIT_UNIT_SERIALIZE_H

#include "daemon/serialize/fields.h"
#include "daemon/unit/unit.h"

/* fold: with what its living host has counted, for a reader that cannot read the host's scoreboard.
 * NULL without memory. */
json_t *unit_save(struct unit *unit, bool fold);

/* Whether it can be read for a module with these settings: 0, -EBADMSG or -ENOMEM. */
int unit_check_state(const json_t *state, const struct config_module *settings,
                     struct serialize_error *error);

/* Makes a unit that was only just created be what was saved. Returns as above. */
int unit_restore(struct unit *unit, const json_t *state, struct serialize_error *error);

#endif
