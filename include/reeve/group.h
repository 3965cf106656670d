/* SPDX-License-Identifier: MIT */
/*
 * Groups: functions that run in parallel and are joined. The first error cancels the group's
 * context, with that error as the cause, and is what rv_group_wait() returns.
 */
#ifndef REEVE_GROUP_H
#define REEVE_GROUP_H

#include <reeve/context.h>
#include <reeve/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rv_group;

/* A function that a runtime thread runs; it returns 0 or a negative errno, with a text from
 * rv_fail() or rv_wrap(). */
typedef int (*rv_function)(struct rv_context *ctx, void *arg);

/* The group's context is a child of ctx. Returns 0 or -ENOMEM. */
int rv_group_create(struct rv_context *ctx, struct rv_group **ret_group) RV_MUST_CHECK_;

/* At most so many functions run at once; 0 for no limit. Before the first rv_group_go(). */
void rv_group_set_limit(struct rv_group *group, unsigned limit);

/* Belongs to the group; a reference may be taken. */
struct rv_context *rv_group_context(struct rv_group *group);

/* Cancels the group's context, with a code and a text as rv_context_cancel() takes them; that is no
 * error of the group's. */
void rv_group_cancel(struct rv_group *group, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Runs fn(group's context, arg) on a thread of the runtime. When the limit is reached it blocks,
 * but for a short run-up of accepted starts. Functions below the limit may wait for each other, so
 * each is to have a thread: where the runtime has none left it blocks until one becomes free.
 *
 * Returns 0: fn will run; or, and then fn never runs: the cause once the group is cancelled;
 * -EAGAIN when no thread can be had, and none of the group's is at work, or for some seconds none
 * of them and of all others becomes free; or -ENOTSUP in a child of fork().
 */
int rv_group_go(struct rv_group *group, rv_function fn, void *arg) RV_MUST_CHECK_;
/* As above, but -EAGAIN instead of blocking; nothing is queued. */
int rv_group_try_go(struct rv_group *group, rv_function fn, void *arg) RV_MUST_CHECK_;

/*
 * Waits until all functions have returned, and cancels the group's context: nothing more starts. A
 * cancel is passed on to the functions, which end the wait by returning. When no other call on the
 * group is going on but those that its own functions make. Returns the first error with its text,
 * or 0.
 */
int rv_group_wait(struct rv_group *group) RV_MUST_CHECK_;

/* Cancels what is left, waits for it to return, and frees; after rv_group_wait() it only frees.
 * NULL does nothing. The text of an error stays. Not from a function of the group. */
void rv_group_destroy(struct rv_group *group);

#ifdef __cplusplus
}
#endif

#endif
