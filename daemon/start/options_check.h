/* SPDX-License-Identifier: MIT */
/* `reeved --check`. */
#ifndef REEVE_DAEMON_START_OPTIONS_CHECK_H
#define REEVE_DAEMON_START_OPTIONS_CHECK_H

#include "daemon/start/places.h"

/* Reads the configuration and asks every module about its options; prints what is wrong, or that
 * all is good. Returns the exit code. */
int options_check(const char *config_path, struct places *places);

#endif
