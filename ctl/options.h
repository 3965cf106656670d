/* SPDX-License-Identifier: MIT */
/* Options: what they are, which command takes which, and the help text. */
#ifndef REEVE_CTL_OPTIONS_H
#define REEVE_CTL_OPTIONS_H

#include <stdint.h>

#include "ctl/ctl.h"

/* A bit for each option that not every command takes. */
enum ctl_option {
    CTL_JSON = 1 << 0,
    CTL_WAIT = 1 << 1,
    CTL_NO_WAIT = 1 << 2,
    CTL_PLAN = 1 << 3,
    CTL_TIMEOUT = 1 << 4,
    CTL_FOLLOW = 1 << 5,
    CTL_LINES = 1 << 6,
    CTL_SINCE = 1 << 7,
    CTL_CONFIG = 1 << 8,
};

/*
 * Reads the options, and checks their values. *ret_given gets a bit for each that was there.
 * print_help: for --help. Returns 0 to go on with the words from optind, or the exit code + 1.
 */
int options_parse(int argc, char **argv, void (*print_help)(void), struct ctl *ctl,
                  uint32_t *ret_given);

/* The name of one of the given options, such as "--wait", that is not among those allowed; or NULL.
 */
const char *options_find_foreign(uint32_t given, uint32_t allowed);

/* The part of the help behind the commands. */
void options_print_help(void);

#endif
