/* SPDX-License-Identifier: MIT */
/* The result of a call in a child of fork(). */
#ifndef REEVE_TESTS_LIB_FORKING_H
#define REEVE_TESTS_LIB_FORKING_H

#include <sys/wait.h>

#include "tests/support/test.h"

static _Atomic int forked; /* the child is there */

/* The status of a child that exits with what the call returns; SIGALRM ends one that hangs. */
static inline int status_of(int (*use)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(10);
        _exit(use());
    }
    atomic_store(&forked, 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

#endif
