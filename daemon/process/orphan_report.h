/* SPDX-License-Identifier: MIT */
/* What the log says of orphans. */
#ifndef REEVE_DAEMON_PROCESS_ORPHAN_REPORT_H
#define REEVE_DAEMON_PROCESS_ORPHAN_REPORT_H

#include <stddef.h>
#include <sys/types.h>

struct ended;

/* The name of the process's program; "" if it cannot be read. */
void orphan_read_command(pid_t pid, char *buffer, size_t size);

/* An error about one that is left, of this host if that is known. */
void orphan_tell_left(pid_t pid, const struct ended *ended, const char *what);

#endif
