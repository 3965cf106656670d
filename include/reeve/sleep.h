/* SPDX-License-Identifier: MIT */
/* Sleeping and waiting for a descriptor, cancellably. */
#ifndef REEVE_SLEEP_H
#define REEVE_SLEEP_H

#include <reeve/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sleeps for d. Returns 0, or the context's code as soon as it is done. */
int rv_sleep(struct rv_context *ctx, rv_duration d) RV_MUST_CHECK_;

/*
 * Waits until fd is ready for events (POLLIN, POLLOUT, ... of poll(2)) or has an error. RV_FOREVER
 * as the timeout waits without limit, 0 only looks. Returns the ready events, 0 after timeout, the
 * context's code, -EBADF for a descriptor that is not open, or -EMFILE, -ENFILE, -ENOMEM or -EINVAL
 * where the limits of the process or of the system keep it from waiting.
 */
int rv_poll(struct rv_context *ctx, int fd, short events, rv_duration timeout) RV_MUST_CHECK_;

#ifdef __cplusplus
}
#endif

#endif
