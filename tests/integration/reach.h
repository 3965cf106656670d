/* SPDX-License-Identifier: MIT */
/* Every way to reach into a process that the filter of system calls is to close. */
#ifndef REEVE_TESTS_REACH_H
#define REEVE_TESTS_REACH_H

#include <sys/types.h>

/* Tries all; returns the name of the first that is not refused, NULL for none. */
const char *reach_process(pid_t pid);

#endif
