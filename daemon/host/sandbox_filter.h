/* SPDX-License-Identifier: MIT */
/*
 * Rules of a filter of system calls. A condition looks at one argument; several rules for one call
 * hold side by side. All return 0 or a negative errno.
 */
#ifndef REEVE_HOST_SANDBOX_FILTER_H
#define REEVE_HOST_SANDBOX_FILTER_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* Newer than Debian 12's libseccomp. From 424 on, numbers are the same on every architecture. */
#define CALL_FCHMODAT2      452
#define CALL_SETXATTRAT     463
#define CALL_REMOVEXATTRAT  466
#define CALL_OPEN_TREE_ATTR 467
#define CALL_FILE_SETATTR   469

/*
 * For an argument that the kernel takes for an int: a caller may put anything into the upper half
 * of its register, and SCMP_A0_32 and its like compare that too. As SCMP_CMP_NE denies what they
 * differ in, it needs no such care.
 */
#define filter_low(argument, value) \
    SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)(value))

int filter_deny(scmp_filter_ctx filter, int error, int call);
int filter_deny_if(scmp_filter_ctx filter, int error, int call, struct scmp_arg_cmp condition);
/* With EPERM. */
int filter_deny_all(scmp_filter_ctx filter, const int *calls, size_t count);
/* Opening a file when its flags, as far as mask goes, are `value`. */
int filter_deny_opening(scmp_filter_ctx filter, int error, uint64_t mask, uint64_t value);

/* What who only checks has no business with: to leave anything behind, to reach anybody. */
int filter_deny_activity(scmp_filter_ctx filter);

#endif
