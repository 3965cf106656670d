/* SPDX-License-Identifier: MIT */
/*
 * How an attempt of the runtime's own ended.
 *
 * These are no error codes: users cancel with whatever errno they like, so a -EAGAIN that a context
 * gives as its cause must not look like a queue that is full. Error codes are made of these where a
 * public function returns.
 */
#ifndef REEVE_LIB_ATTEMPT_H
#define REEVE_LIB_ATTEMPT_H

enum attempt {
    ATTEMPT_DONE,
    ATTEMPT_BLOCKED,   /* it cannot be done now: full, empty, or nobody is there */
    ATTEMPT_CLOSED,    /* it can never be done again */
    ATTEMPT_AGAIN,     /* others were quicker: it is to be tried again */
    ATTEMPT_CANCELLED, /* the caller's context is done, and has the code */
};

#endif
