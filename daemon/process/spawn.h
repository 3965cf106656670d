/* SPDX-License-Identifier: MIT */
/*
 * Starting a reeve-host process with just the descriptors and environment that it should have.
 *
 * It is made ready in the loop and started beside it: the caller of posix_spawn() is suspended
 * until the new process has called execve(), for 2.5 ms, and much longer on a busy machine or where
 * the program lies on a slow disk.
 *
 * A new process begins with copies of all descriptors, and closes them again: with a thousand hosts
 * that takes half of the time. So the thread first leaves behind all but the lowest, where those
 * for the process have their places.
 */
#ifndef REEVE_DAEMON_PROCESS_SPAWN_H
#define REEVE_DAEMON_PROCESS_SPAWN_H

#include <sys/types.h>

struct spawn;

struct spawn_options {
    const char *program;   /* path of reeve-host */
    const char *name;      /* of the host, for ps */
    const char *directory; /* its working directory */
    const char *mark;      /* WIRE_MARK and something that is this process's alone */
    int control;           /* becomes WIRE_FD_CONTROL */
    int scoreboard;        /* becomes WIRE_FD_SCOREBOARD */
    int output;            /* becomes stdout and stderr */
};

/* Keeps places for the descriptors of one process at a time. The thread needs `report` after
 * spawn_run(). Returns 0 or a negative errno. */
int spawn_create(int report, struct spawn **ret_spawn);
/*
 * Makes all that the program needs. Strings and descriptors are copied, but for the strings of this
 * process's environment, which must stay. The variables by which systemd tells reeved something
 * (NOTIFY_SOCKET, LISTEN_*, WATCHDOG_*, CREDENTIALS_DIRECTORY, JOURNAL_STREAM) are taken out of its
 * environment, the mark comes in. Returns 0 or a negative errno.
 */
int spawn_prepare(struct spawn *spawn, const struct spawn_options *options);
/*
 * Starts the program in a session of its own with default signals and none blocked. Blocks. Returns
 * its pid or a negative errno. Called by a thread of its own, which has no descriptors then but the
 * lowest.
 *
 * The process is the child of the calling thread. When that ends, it becomes the child of the first
 * thread, and gets the signal of its PDEATHSIG: so the thread ends at once, before the host has
 * asked for that or is known to anybody.
 */
pid_t spawn_run(const struct spawn *spawn);
/* Closes what the process has copies of. */
void spawn_clear(struct spawn *spawn);
/* NULL does nothing. */
void spawn_destroy(struct spawn *spawn);

#endif
