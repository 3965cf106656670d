/* SPDX-License-Identifier: MIT */
/*
 * The configuration in force, as one program hands it to the next in a live upgrade: its lines as
 * they were read, and what each module's .so was then. The files may have changed since; that is
 * for the next reload to find.
 */
#ifndef REEVE_DAEMON_UPGRADE_CONFIG_SERIALIZE_H
#define REEVE_DAEMON_UPGRADE_CONFIG_SERIALIZE_H

#include "daemon/serialize/fields.h"
#include "settings/config.h"

/* NULL without memory. */
json_t *config_save(const struct config *config);

/* NULL when it cannot be read, with why in error. */
struct config *config_restore(const json_t *state, const struct config_places *places,
                              struct serialize_error *error);

#endif
