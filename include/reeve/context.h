/* SPDX-License-Identifier: MIT */
/*
 * Contexts: a tree that carries cancellation, deadlines and values down to whoever works.
 *
 * A context is done once it is cancelled or its deadline has passed; it stays so. When it becomes
 * done, all its descendants are done too, before anybody is woken. The first cause wins, and
 * children inherit it; a child's cancel never touches its parent. Every function that can block in
 * this library takes a context first and returns soon after it is done.
 *
 * A context is handed down; what cancels it is not. Making a context gives the context, and a
 * handle of its own, struct rv_cancel, which rv_context_cancel() takes. So a function that is given
 * a context can end what it makes below it, and never what its caller works with.
 *
 * A context is reference counted: creating gives one reference, which rv_context_unref() gives
 * back. Giving back the last one cancels a context that is not done, as nobody could cancel it
 * later. Things that hang on a context hold a reference as well: its children, groups, pools,
 * periodic functions, and each rv_after_create(). As long as there is one, giving back one's own
 * cancels nothing. All functions may be called from any thread; only rv_context_wait() blocks, and
 * where said rv_after_destroy().
 */
#ifndef REEVE_CONTEXT_H
#define REEVE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <reeve/duration.h>
#include <reeve/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rv_context;
struct rv_after;

/* The handle that cancels a context: its maker's, to keep or to give on. Valid as long as there is
 * a reference to the context. */
struct rv_cancel;

/* Why a context is done. */
struct rv_cause {
    int code; /* -ECANCELED, -ETIMEDOUT or whatever rv_context_cancel() was given; 0: it is not done
               */
    char text[252];
};

/* The root: never done, no deadline, no values. Need not be unreferenced. Never NULL. */
struct rv_context *rv_context_background(void);

/*
 * A child that rv_context_cancel() ends. This and all the following make a child of parent;
 * *ret_ctx is the caller's, who gives it back with rv_context_unref(). *ret_cancel is what cancels
 * it; NULL where nobody will. A parent that is done makes a child that is done. Returns 0 or
 * -ENOMEM.
 */
int rv_context_with_cancel(struct rv_context *parent, struct rv_context **ret_ctx,
                           struct rv_cancel **ret_cancel) RV_MUST_CHECK_;
/* Done with -ETIMEDOUT after timeout; an earlier deadline of the parent wins. 0 or less: at once;
 * RV_FOREVER: never. Returns 0, -ENOMEM, -EAGAIN when the timer's thread cannot be started, or
 * -ENOTSUP in a child of fork(). */
int rv_context_with_timeout(struct rv_context *parent, rv_duration timeout,
                            struct rv_context **ret_ctx,
                            struct rv_cancel **ret_cancel) RV_MUST_CHECK_;
/* The same for a point of CLOCK_MONOTONIC; one that has passed, a negative one included, is at
 * once. */
int rv_context_with_deadline(struct rv_context *parent, rv_time deadline,
                             struct rv_context **ret_ctx,
                             struct rv_cancel **ret_cancel) RV_MUST_CHECK_;
/* Carries a value; key is compared by address, and both pointers stay the caller's. Returns 0 or
 * -ENOMEM. */
int rv_context_with_value(struct rv_context *parent, const void *key, void *value,
                          struct rv_context **ret_ctx,
                          struct rv_cancel **ret_cancel) RV_MUST_CHECK_;
/* Has the parent's values and names, but is not done when the parent is. Returns 0 or -ENOMEM. */
int rv_context_without_cancel(struct rv_context *parent, struct rv_context **ret_ctx,
                              struct rv_cancel **ret_cancel) RV_MUST_CHECK_;
/*
 * Done when the process receives one of the signals of a 0-terminated list; the cause names the
 * signal and its sender. A signal ends what waits for it when it arrives, and nothing that is made
 * later. While such a context is not done, the signals do nothing else. Returns 0,
 * -EINVAL for a signal that cannot be caught, -EAGAIN when no thread can be had, -EMFILE or -ENFILE
 * when no descriptor can, -ENOTSUP in a child of fork(), or -ENOMEM.
 */
int rv_context_with_signals(struct rv_context *parent, const int *signals,
                            struct rv_context **ret_ctx,
                            struct rv_cancel **ret_cancel) RV_MUST_CHECK_;

/* Cancels a context by its handle, with a code (0 means -ECANCELED; a positive errno stands for the
 * negative one) and a text (NULL: the code's). Does nothing if it is done, or for NULL. */
void rv_context_cancel(struct rv_cancel *cancel, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether, and why, the context is done. One atomic load, without a call: that a context begins
 * with this number is part of the ABI. Returns 0 while it is not done, or a negative errno:
 * -ECANCELED, -ETIMEDOUT, or whatever rv_context_cancel() was given. */
inline int rv_context_err(const struct rv_context *ctx)
{
    return __atomic_load_n((const int *)(const void *)ctx, __ATOMIC_ACQUIRE);
}
/* Fills in the cause; code 0 and an empty text if it is not done. Returns the code. */
int rv_context_cause(const struct rv_context *ctx, struct rv_cause *ret_cause);
/* Returns whether there is a deadline; then *ret_deadline is the earliest that counts. */
bool rv_context_deadline(const struct rv_context *ctx, rv_time *ret_deadline);
/* Returns the nearest value for key going up the tree, or NULL. */
void *rv_context_value(const struct rv_context *ctx, const void *key);

/* Blocks until ctx is done and returns its code. */
int rv_context_wait(struct rv_context *ctx);

/* A descriptor that becomes readable when ctx is done, for poll() and event loops; it belongs to
 * the context and must not be read or closed. In a child of fork() its number stays, and it is the
 * child's own. Returns it, or -EMFILE, -ENFILE or -ENOMEM. */
int rv_context_fd(struct rv_context *ctx) RV_MUST_CHECK_;

/*
 * Runs fn on a thread of the runtime once ctx is done, with no lock held; at once if it is done
 * already. Until it is stopped it holds a reference to ctx. A thread is kept for such functions, so
 * one runs even when all others are in use, and may end what they wait for; if more fall due then,
 * they run one after the other. Returns 0 and *ret_after; -ENOMEM; -EAGAIN when that thread cannot
 * be had; or -ENOTSUP in a child of fork().
 */
int rv_after_create(struct rv_context *ctx, void (*fn)(void *arg), void *arg,
                    struct rv_after **ret_after) RV_MUST_CHECK_;
/*
 * Frees the registration. Each is destroyed once. Returns true when fn will never run because of
 * this call, though ctx may be done; else it has run: if it is running, this waits for its end
 * (unless called from within it). NULL does nothing.
 */
bool rv_after_destroy(struct rv_after *after);

/* Takes a reference more, to be given back by rv_context_unref(). Returns ctx. */
struct rv_context *rv_context_ref(struct rv_context *ctx);
/* Gives a reference back. NULL does nothing. Returns NULL. */
struct rv_context *rv_context_unref(struct rv_context *ctx);

/* Names ------------------------------------------------------------------- */

/* The labels of the work under a context: for the log and for people. Inherited; a NULL field is
 * the parent's.
 */
struct rv_labels {
    const char *module;
    const char *task; /* or pool */
    uint64_t run;     /* or job; 0 for the parent's */
};

/* A child with labels; the strings are copied. Returns 0 or -ENOMEM. */
int rv_context_with_labels(struct rv_context *parent, const struct rv_labels *labels,
                           struct rv_context **ret_ctx,
                           struct rv_cancel **ret_cancel) RV_MUST_CHECK_;
/* The labels that count; valid as long as ctx is. Fields may be NULL or 0. */
struct rv_labels rv_context_labels(const struct rv_context *ctx);

/* A node of the live tree, as rv_context_visit() shows it. */
struct rv_context_info {
    const struct rv_context *context; /* to be compared only */
    unsigned depth;
    int err;
    rv_time created;
    rv_time deadline; /* RV_NEVER for none */
    struct rv_labels labels;
};

/* Calls fn for ctx and all its live descendants, as they are at one moment, parents first, until fn
 * returns other than 0; returns that, or -ENOMEM without having called it. fn may call anything. A
 * context that no cancel of ctx would reach is no descendant of it: of the background, which nobody
 * cancels, fn sees nothing else. */
int rv_context_visit(struct rv_context *ctx,
                     int (*fn)(const struct rv_context_info *info, void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif
