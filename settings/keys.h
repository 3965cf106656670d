/* SPDX-License-Identifier: MIT */
/* The keys of [daemon] and of [module:NAME] that are reeve's own, bound to struct config and struct
 * config_module. */
#ifndef REEVE_SETTINGS_KEYS_H
#define REEVE_SETTINGS_KEYS_H

#include "base/clock.h"
#include "base/setting.h"

extern const struct setting daemon_keys[];
extern const struct setting module_keys[];

/* Longer durations are mistakes; and a few of them can be doubled and added to the time of day
 * without an overflow. */
#define SETTINGS_LONGEST (3650 * 86400 * NSEC_PER_SEC)

/* Keys of modules that will come begin so. */
#define SETTINGS_TO_COME "reeve-"

/* Whether the key of a [module:NAME] section is, or will be, reeve's own, so that no option of a
 * module may have it. An option that had it would never be given its value. */
bool settings_reserve(const char *key);

#endif
