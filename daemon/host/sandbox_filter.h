/* SPDX-License-Identifier: MIT */
/*
 * A filter of system calls, as a program for the kernel (classic BPF, seccomp(2)). All is allowed but what a rule denies;
 * several rules for one call hold side by side. Calls of another architecture, of which a rule would know nothing, kill
 * the process. libseccomp makes the same of the same rules, but a host that loads it takes longer to start.
 */
#ifndef REEVE_HOST_SANDBOX_FILTER_H
#define REEVE_HOST_SANDBOX_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/host/sandbox_calls.h"

#define FILTER_RULES 256

/* Which argument of clone() has the flags. */
#ifdef __s390x__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* What a rule asks of an argument. */
struct filter_condition {
    unsigned argument;
    /* If equal: its lower half, as far as the mask goes, is the value. The kernel takes such an argument for an int, and a
     * caller may put anything into the upper half of its register. Else: all of it is not the value. */
    bool equal;
    uint32_t mask;
    uint32_t value;
};
struct filter {
    struct filter_rule {
        int call;
        int error;
        unsigned count; /* of conditions, which must all be so */
        struct filter_condition conditions[2];
    } rules[FILTER_RULES];
    unsigned count;
    bool full; /* a rule was left out: it must not be used */
};

#define filter_low(argument, value) \
    ((struct filter_condition){(argument), true, UINT32_MAX, (uint32_t)(value)})
#define filter_masked(argument, mask, value) \
    ((struct filter_condition){(argument), true, (uint32_t)(mask), (uint32_t)(value)})
#define filter_differs(argument, value) \
    ((struct filter_condition){(argument), false, UINT32_MAX, (uint32_t)(value)})

void filter_begin(struct filter *filter);

/* A call that this architecture does not have (NO_CALL) needs no rule. */
void filter_deny(struct filter *filter, int error, int call);
void filter_deny_if(struct filter *filter, int error, int call, struct filter_condition condition);
/* If both are so. */
void filter_deny_if_both(struct filter *filter, int error, int call, struct filter_condition first,
                         struct filter_condition second);
/* With EPERM. */
void filter_deny_all(struct filter *filter, const int *calls, size_t count);
/* Opening a file when its flags, as far as mask goes, are `value`. */
void filter_deny_opening(struct filter *filter, int error, uint32_t mask, uint32_t value);

/* What who only checks has no business with: to leave anything behind, to reach anybody. */
void filter_deny_activity(struct filter *filter);

/* Makes the program. Returns how many instructions it has, or -E2BIG. */
#define FILTER_CODE 1024
int filter_compile(const struct filter *filter, struct sock_filter *ret_code);

/* It holds for this thread and those that come. Returns 0 or a negative errno. */
int filter_enforce(const struct filter *filter);

#endif
