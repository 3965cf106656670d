/* SPDX-License-Identifier: MIT */
/*
 * Keys of a [module:NAME] section that are reeve's own. An option of a module that has one of these names would
 * never be given its value, and nobody would be told: so such a module is refused.
 */
#ifndef REEVE_BASE_RESERVED_H
#define REEVE_BASE_RESERVED_H

#include <stdbool.h>

/* Keys that will come begin so. */
#define RESERVED_PREFIX "reeve-"

/* tests/config compares it with the table of the keys. Ends with NULL. */
extern const char *const reserved_keys[];

/* Whether an option may not have this key. */
bool key_is_reserved(const char *key);

#endif
