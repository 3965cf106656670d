/* SPDX-License-Identifier: MIT */
/*
 * Once: a function that runs exactly once however many call. All get the same result, an error with
 * its text included. No single caller's cancel ends the run: a caller whose context is done stops
 * waiting.
 */
#ifndef REEVE_ONCE_H
#define REEVE_ONCE_H

#include <stddef.h>

#include <reeve/group.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialised: has not run. Its memory must last as long as it may be called or its function
 * runs; rv_once_destroy() frees what it holds. The members are the library's own. */
struct rv_once {
    void *state;
    void *value;
    int succeeded; /* not 0 once the function has run and returned 0 */
};

#define RV_ONCE_INIT {NULL, NULL, 0}

/* The part of rv_once_do() before fn has run and returned 0; not to be called otherwise. */
int rv_once_do_first_(struct rv_context *ctx, struct rv_once *once, rv_function fn, void *arg);

/*
 * Runs fn(context, arg) if it never ran, and waits for its end. The context has the first caller's
 * values and is not cancelled, but by rv_once_destroy(). Returns fn's result; the caller's
 * context's code; -EDEADLK when called from within fn (with its context, or on its thread); or, and
 * then nothing ran, -ENOMEM, or -ENOTSUP in a child of fork(). fn runs on a thread of the runtime,
 * one more than there may be if all are in use; where the kernel refuses even that, it waits for
 * one. Once fn has run and returned 0, this is a load, without a call.
 */
inline RV_MUST_CHECK_ int rv_once_do(struct rv_context *ctx, struct rv_once *once, rv_function fn,
                                     void *arg)
{
    if (__builtin_expect(__atomic_load_n(&once->succeeded, __ATOMIC_ACQUIRE), 1))
        return 0;
    return rv_once_do_first_(ctx, once, fn, arg);
}

/* The same for a value, which all callers get: *ret_value stays untouched after an error. */
typedef int (*rv_value_function)(struct rv_context *ctx, void *arg, void **ret_value);
int rv_once_value(struct rv_context *ctx, struct rv_once *once, rv_value_function fn, void *arg,
                  void **ret_value) RV_MUST_CHECK_;

/* Frees what it holds, and leaves it as RV_ONCE_INIT does: ready to run again. Nobody may be
 * calling it; a run that is under way all the same, as its callers gave up, is cancelled and waited
 * for. Not from within fn.
 */
void rv_once_destroy(struct rv_once *once);

#ifdef __cplusplus
}
#endif

#endif
