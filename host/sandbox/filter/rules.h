/* SPDX-License-Identifier: MIT */
/*
 * The rules of the filters. A condition looks at one argument; several rules for one call hold side
 * by side. A rule that libseccomp does not take ends the program, and so the build.
 */
#ifndef REEVE_HOST_SANDBOX_FILTER_RULES_H
#define REEVE_HOST_SANDBOX_FILTER_RULES_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include "host/sandbox/sandbox_filter.h"

/* Newer than Debian 12's libseccomp. From 424 on, numbers are the same on every architecture. */
#define CALL_FCHMODAT2      452
#define CALL_SETXATTRAT     463
#define CALL_REMOVEXATTRAT  466
#define CALL_OPEN_TREE_ATTR 467
#define CALL_FILE_SETATTR   469

/* Which argument of clone() has the flags. */
#ifdef __s390x__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/*
 * For an argument that the kernel takes for an int: a caller may put anything into the upper half
 * of its register, and SCMP_A0_32 and its like compare that too. As SCMP_CMP_NE denies what they
 * differ in, it needs no such care.
 */
#define filter_low(argument, value) filter_masked(argument, UINT32_MAX, value)
#define filter_masked(argument, mask, value) \
    SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, (uint32_t)(mask), (uint32_t)(value))
#define filter_differs(argument, value) SCMP_CMP64(argument, SCMP_CMP_NE, (uint32_t)(value))

void filter_deny(scmp_filter_ctx filter, int error, int call);
void filter_deny_if(scmp_filter_ctx filter, int error, int call, struct scmp_arg_cmp condition);
/* If both are so. */
void filter_deny_if_both(scmp_filter_ctx filter, int error, int call, struct scmp_arg_cmp first,
                         struct scmp_arg_cmp second);
/* With EPERM. */
void filter_deny_all(scmp_filter_ctx filter, const int *calls, size_t count);
/* Opening a file when its flags, as far as mask goes, are `value`. */
void filter_deny_opening(scmp_filter_ctx filter, int error, uint32_t mask, uint32_t value);

/* The calls that a host that only checks has no business with: to leave anything behind, to reach
 * anybody. */
void filter_deny_activity(scmp_filter_ctx filter, const uint32_t ids[FILTER_IDS]);

/* All rules of a kind, with these numbers in place of the processes. */
void filter_add_rules(scmp_filter_ctx filter, unsigned kind, const uint32_t ids[FILTER_IDS]);

#endif
