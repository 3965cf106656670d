/* SPDX-License-Identifier: MIT */
/*
 * Hosts of a reeved that was killed end by themselves, but end their commands first. A next reeved
 * must not run the same tasks meanwhile. So each host holds a file in the state directory, which is
 * its working directory, and the next reeved looks who does.
 *
 * It is a lock of the process (fcntl(2), F_SETLK): no child inherits it, and the kernel names the
 * process. It goes when the process ends, or closes any descriptor of that file.
 */
#ifndef REEVE_WIRE_HOLD_H
#define REEVE_WIRE_HOLD_H

#include <sys/types.h>

#define HOLD_FILE ".reeved.hosts"

/* Holds the file in the working directory until this process ends; it is made if it is not there.
 * Where that cannot be, nobody waits for this process. Returns 0 or a negative errno. */
int hold_take(void);

/* The pid of a process that holds the file at the path; 0: none does, or there is no such file; or
 * a negative errno: it cannot be told. */
pid_t hold_find(const char *path);

#endif
