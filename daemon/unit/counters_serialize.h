/* SPDX-License-Identifier: MIT */
/* A tally as one reeved hands it to the next, in a live upgrade. */
#ifndef REEVE_DAEMON_UNIT_COUNTERS_SERIALIZE_H
#define REEVE_DAEMON_UNIT_COUNTERS_SERIALIZE_H

#include "daemon/serialize/fields.h"
#include "daemon/unit/counters.h"

/* NULL without memory. */
json_t *tally_save(const struct tally *tally);

/* Fills an empty tally; free it in any case. Returns 0, -EBADMSG or -ENOMEM. */
int tally_load(struct tally *tally, const json_t *state, struct state_error *error);

#endif
