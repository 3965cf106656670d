/* SPDX-License-Identifier: MIT */
/* A counters as one reeved hands it to the next, in a live upgrade. */
#ifndef REEVE_DAEMON_UNIT_COUNTERS_SERIALIZE_H
#define REEVE_DAEMON_UNIT_COUNTERS_SERIALIZE_H

#include "daemon/serialize/fields.h"
#include "daemon/unit/counters.h"

/* NULL without memory. */
json_t *counters_save(const struct counters *counters);

/* Fills an empty counters; free it in any case. Returns 0, -EBADMSG or -ENOMEM. */
int counters_load(struct counters *counters, const json_t *state, struct serialize_error *error);

#endif
