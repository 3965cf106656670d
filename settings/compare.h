/* SPDX-License-Identifier: MIT */
/* How two versions of a configuration differ, by the tables of keys. */
#ifndef REEVE_SETTINGS_COMPARE_H
#define REEVE_SETTINGS_COMPARE_H

#include "settings/config.h"

/* The key of the first difference, or NULL when there is none. */
const char *config_limits_differ(const struct config_limits *a, const struct config_limits *b);

/* Keys that a reload cannot change stay as they were before: listen, control, max-connections.
 * Without memory for it, some of it seems to have changed. */
void config_keep_fixed(struct config *config, const struct config *before);

/*
 * How two versions of a module differ, from nothing to a different program. RELOAD: only the
 * module's own options. POLICY: only what the supervisor itself uses, with no need to touch the
 * module. The files that the paths name are not compared: what a process has loaded may be newer.
 */
enum config_change { CONFIG_SAME, CONFIG_POLICY, CONFIG_RELOAD, CONFIG_RESTART };
enum config_change config_compare(const struct config_module *before,
                                  const struct config_module *after);

#endif
