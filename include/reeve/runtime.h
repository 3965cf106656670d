/* SPDX-License-Identifier: MIT */
/*
 * The runtime's threads. They are made when needed, kept for reuse, and blocked for all signals but
 * those that a thread causes itself (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT),
 * which reach the program's handlers; those of a host block none. A parked runtime costs nothing:
 * no polling and no wake-up while nothing is due.
 *
 * A child of fork() has none of its parent's threads. If the parent had any, functions that need
 * one return -ENOTSUP there, and those that wait for what the parent has begun do not wait; what
 * works on the calling thread alone (contexts, channels, sleeping, commands) works. Objects that
 * other threads used at the moment of the fork are not to be touched.
 */
#ifndef REEVE_RUNTIME_H
#define REEVE_RUNTIME_H

#include <stddef.h>

#include <reeve/duration.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rv_runtime_options {
    size_t size RV_ZERO_; /* sizeof(struct rv_runtime_options) */
    /* 0: 256. On top come the timer's thread, that of signals, and that which ends things when all
     * others are in use; and one while a once runs that found all in use. */
    unsigned threads_max RV_ZERO_;
    size_t stack_size RV_ZERO_; /* bytes, beside static variables of threads; 0: 256 KiB */
};

struct rv_runtime_stats {
    unsigned threads; /* the timer's, that of signals and that which ends things not included */
    unsigned idle;
    unsigned reserved; /* by pools and fans */
    size_t timers;
};

/*
 * How many threads there may be, and how large their stacks are, for those that are made from now
 * on: in a module's init, say, whose tasks and jobs run on threads that are made later. Recursion,
 * such as that of a parser, may need more than the default; a crash for want of it is called a
 * stack overflow. Returns 0 or -EINVAL.
 */
int rv_runtime_configure(const struct rv_runtime_options *options);

/* How many threads and timers there are now. Does not block; any thread. */
void rv_runtime_stats(struct rv_runtime_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif
