/* SPDX-License-Identifier: MIT */
/* The command line of reeved. */
#ifndef REEVE_DAEMON_START_ARGUMENTS_H
#define REEVE_DAEMON_START_ARGUMENTS_H

#include <stdbool.h>

struct arguments {
    const char *config_path;
    bool check;
    int check_state; /* descriptors of the state of a live upgrade; -1: none */
    int resume;
};

/* Returns 0 to go on, 1 to exit well, or -EINVAL after saying what is wrong. */
int arguments_parse(int argc, char **argv, struct arguments *arguments);

#endif
