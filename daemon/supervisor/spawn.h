/* SPDX-License-Identifier: MIT */
/* Starting a reeve-host process with just the descriptors and environment that it should have. */
#ifndef REEVE_SUPERVISOR_SPAWN_H
#define REEVE_SUPERVISOR_SPAWN_H

#include <sys/types.h>

struct spawn_options {
    const char *program;   /* path of reeve-host */
    const char *name;      /* of the host, for ps */
    const char *directory; /* its working directory */
    const char *mark;      /* WIRE_MARK and something that is this process's alone */
    int control;           /* becomes WIRE_FD_CONTROL */
    int scoreboard;        /* becomes WIRE_FD_SCOREBOARD */
    int output;            /* becomes stdout and stderr */
};

/*
 * Starts the program in a session of its own with default signals and none blocked. What systemd
 * tells reeved alone (NOTIFY_SOCKET, LISTEN_*, WATCHDOG_*, CREDENTIALS_DIRECTORY, JOURNAL_STREAM)
 * is taken out of its environment, the mark comes in. The descriptors stay the caller's. Blocks for about 1.5 ms.
 * Returns 0 or a negative errno.
 */
int spawn_host(const struct spawn_options *options, pid_t *ret_pid);

#endif
