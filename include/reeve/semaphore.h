/* SPDX-License-Identifier: MIT */
/*
 * Weighted semaphores: first come, first served. A large waiter at the front is not starved by
 * small ones behind it; a waiter whose context is done gives up its place.
 */
#ifndef REEVE_SEMAPHORE_H
#define REEVE_SEMAPHORE_H

#include <stdint.h>

#include <reeve/context.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rv_semaphore;

/* Makes a semaphore of which so much can be had in all. Returns 0 or -ENOMEM. */
int rv_semaphore_create(uint64_t size, struct rv_semaphore **ret_semaphore) RV_MUST_CHECK_;
/* Frees it. Nobody may be waiting. NULL does nothing. */
void rv_semaphore_destroy(struct rv_semaphore *semaphore);

/* Blocks until `weight` can be had. Returns 0; the context's code; or -EINVAL when weight is more
 * than the semaphore's size and could never be had. */
int rv_semaphore_acquire(struct rv_context *ctx, struct rv_semaphore *semaphore,
                         uint64_t weight) RV_MUST_CHECK_;
/* As above, but -EAGAIN instead of blocking, and when others are waiting. */
int rv_semaphore_try_acquire(struct rv_semaphore *semaphore, uint64_t weight) RV_MUST_CHECK_;
/* Gives back what was acquired; more than that is a bug of the caller's and ends the process. */
void rv_semaphore_release(struct rv_semaphore *semaphore, uint64_t weight);

#ifdef __cplusplus
}
#endif

#endif
