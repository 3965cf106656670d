/* SPDX-License-Identifier: MIT */
/* The lines that the log has not taken yet, as one program hands it to the next in a live upgrade.
 */
#ifndef REEVE_DAEMON_UPGRADE_LOG_SERIALIZE_H
#define REEVE_DAEMON_UPGRADE_LOG_SERIALIZE_H

#include <jansson.h>

/* NULL without memory. */
json_t *log_state_save(void);
/* Before anything is logged. A program of before says nothing: NULL. */
void log_state_load(const json_t *state);

#endif
