/* SPDX-License-Identifier: MIT */
/* The rules for a whole configuration, once its files are read. */
#ifndef REEVE_SETTINGS_CHECK_H
#define REEVE_SETTINGS_CHECK_H

#include "settings/config.h"

/* Finds each module's .so. Adds what is wrong to errors. */
void config_find_objects(struct config *config, struct config_errors *errors);

/*
 * Checks that `after` and `requires` name modules and form no circle, that modules of one host have
 * the same limits, and that listening addresses are addresses. Adds what is wrong to errors.
 */
void config_check(const struct config *config, struct config_errors *errors);

#endif
