/* SPDX-License-Identifier: MIT */
/*
 * The runtime's threads. They are made when needed, kept for reuse, and blocked for all signals but
 * those that a thread causes itself (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT),
 * which reach the program's handlers; those of a host block none. A parked runtime costs nothing: no
 * polling and no wake-up while nothing is due.
 *
 * A child of fork() has none of its parent's threads. If the parent had any, functions that need one
 * return -ENOTSUP there, and those that wait for what the parent has begun do not wait; what works
 * on the calling thread alone (contexts, channels, sleeping, commands) works. Objects that other
 * threads used at the moment of the fork are not to be touched.
 */
#ifndef REEVE_RUNTIME_H
#define REEVE_RUNTIME_H

#include <stddef.h>

#include <reeve/duration.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rv_context;

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
 * How many threads there may be, and how large their stacks are, for those that are made from now on: in a module's init, say,
 * whose tasks and jobs run on threads that are made later. Recursion, such as that of a parser, may need more than the
 * default; a crash for want of it is called a stack overflow. Returns 0 or -EINVAL.
 */
int rv_runtime_configure(const struct rv_runtime_options *options);

/* How many threads and timers there are now. Does not block; any thread. */
void rv_runtime_stats(struct rv_runtime_stats *ret_stats);

/* Where rv_progress() of <reeve/module.h> goes; for hosts. Called on the thread that says it. Must
 * be set before modules run. */
void rv_runtime_set_progress(void (*sink)(const char *text));

/* Called on each new thread of the runtime before it runs functions of others, to prepare it for them: its signals, say. Must
 * be set before the first. */
void rv_runtime_set_thread_start(void (*fn)(void));

/* Where rv_submit() goes; as above. */
void rv_runtime_set_submit(int (*sink)(struct rv_context *ctx, const char *pool, const void *data,
                                       size_t size));

/* Where rv_fail_option() goes; as above. */
void rv_runtime_set_fail_option(void (*sink)(struct rv_context *ctx, const char *option,
                                             const char *text));

/*
 * Something that is called when a context is done, without a thread or memory of its own; for hosts. fn is
 * called on the thread that cancels, under a lock of the context: it must return soon, and not use a context. The
 * caller fills in fn, and keeps the hook until it has removed it.
 */
struct rv_runtime_hook {
    void (*fn)(struct rv_runtime_hook *hook) RV_ZERO_;
    void *own[7] RV_ZERO_; /* the runtime's */
};

/* Returns 0, or the context's code when it is done: then fn is not called. Does not block; any thread. */
int rv_runtime_hook_add(struct rv_context *ctx, struct rv_runtime_hook *hook);

/* After it fn neither is nor will be called; whether it was is for the caller to know. Only after an add. */
void rv_runtime_hook_remove(struct rv_context *ctx, struct rv_runtime_hook *hook);

/* Ends all threads that are idle now and waits for them, for tests that count threads. New ones are
 * made when needed. */
void rv_runtime_trim(void);

#ifdef __cplusplus
}
#endif

#endif
