/* SPDX-License-Identifier: MIT */
/* What a host gives up between exec and the first dlopen. */
#ifndef REEVE_HOST_SANDBOX_H
#define REEVE_HOST_SANDBOX_H

#include <stdbool.h>

/*
 * No new privileges; the supervisor's death wakes a stopped host; nice 0 at least; and a seccomp
 * filter that denies ptrace, process_vm_* and signals to the supervisor, its group and everybody
 * (EPERM). check_only denies writing files, the network and new processes too. What the kernel
 * lacks is warned of on stderr. Returns 0, or -ESRCH when the supervisor is gone already.
 */
int sandbox_enter(bool check_only);

#endif
