/* SPDX-License-Identifier: MIT */
/* The parts of a sandbox, one file each, in the order in which sandbox_enter() takes them. */
#ifndef REEVE_HOST_SANDBOX_SANDBOX_INTERNAL_H
#define REEVE_HOST_SANDBOX_SANDBOX_INTERNAL_H

#include <sys/types.h>

#include "base/macro.h"
#include "host/sandbox/sandbox.h"

/* All return 0, or a negative errno with sandbox->reason set. */

/* The control group, nice level, descriptors and memory. */
int sandbox_limit(struct sandbox *sandbox);
/* Another user, without capabilities; or the same one, without those that the supervisor has to
 * change users. */
int sandbox_change_user(struct sandbox *sandbox);
/* The file system: Landlock. *ret_abi is the ABI that is in force, 0 for none. */
int sandbox_restrict_files(struct sandbox *sandbox, int *ret_abi);
/* System calls: seccomp. */
int sandbox_filter_calls(struct sandbox *sandbox, pid_t supervisor, int landlock_abi);

/* A rule that cannot be enforced: a warning and 0, or with `strict` the reason and -EPERM. */
int sandbox_cannot(struct sandbox *sandbox, const char *format, ...) printf_like(2, 3);
/* One without which it must not go on in any case: sets the reason and returns -EPERM. */
int sandbox_refuse(struct sandbox *sandbox, const char *format, ...) printf_like(2, 3);

#endif
