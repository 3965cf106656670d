/* SPDX-License-Identifier: MIT */
/* Fan-out and fan-in: several workers between two channels. */
#ifndef REEVE_FAN_H
#define REEVE_FAN_H

#include <reeve/channel.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes *ret_result, an element of the out channel, of *item, an element of the in channel. Returns
 * 0 to send it, 1 to send nothing for this item, or a negative errno, which ends the whole fan.
 */
typedef int (*rv_fan_function)(struct rv_context *ctx, const void *item, void *ret_result,
                               void *arg);

/*
 * Workers drain `in` until it is closed and send their results, in no particular order, to `out`,
 * which is closed exactly once, after the last worker has ended; out may be NULL when fn returns 1
 * always. Returns 0; the first error of fn with its text; the context's code; -EPIPE when somebody
 * else closed out; -ENOMEM; or, and then nothing was taken from in, and out is closed too, -EINVAL
 * for no workers, -EAGAIN when their threads cannot be had, or -ENOTSUP in a child of fork().
 * Blocks until all workers have ended.
 */
int rv_fan_run(struct rv_context *ctx, struct rv_channel *in, struct rv_channel *out,
               unsigned workers, rv_fan_function fn, void *arg) RV_MUST_CHECK_;

#ifdef __cplusplus
}
#endif

#endif
