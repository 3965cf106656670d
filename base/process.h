/* SPDX-License-Identifier: MIT */
/* Facts about another process, from /proc. */
#ifndef REEVE_BASE_PROCESS_H
#define REEVE_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Finds the first variable in the process's environment that begins with the prefix ("NAME="), and
 * copies it as a whole, cut to the size. The process may have written anything there: no more than
 * 256 KiB is read. Returns false when there is none, or, with errno, when it cannot be read.
 */
bool process_find_variable(pid_t pid, const char *prefix, char *ret_variable, size_t size);

/* No process has it. */
#define PROCESS_NO_UID ((uid_t) - 1)

/* The real uid of a process, which may have ended without having been waited for. Returns false
 * when it cannot be read. */
bool process_find_uid(pid_t pid, uid_t *ret_uid);

#endif
