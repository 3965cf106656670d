/* SPDX-License-Identifier: MIT */
/* The first messages of a host: what it must give up, and that it has. */
#ifndef REEVE_HOST_SANDBOX_HELLO_H
#define REEVE_HOST_SANDBOX_HELLO_H

#include <stdint.h>

struct sandbox;

/*
 * Receives HELLO and the LIMITs that follow it, enters the sandbox, and answers: with an empty
 * text, or with the reason why not, in which case the caller must end. buffer has WIRE_PACKET_MAX
 * bytes. The sandbox takes in the LIMITs, and stays the caller's. *ret_grace is how long it may go
 * on when the supervisor is gone.
 *
 * Blocks until the supervisor has spoken. Returns 0, -EPROTO when the peer is no supervisor of this
 * version, or another negative errno, after a refusal -EPERM.
 */
int hello_exchange(void *buffer, struct sandbox *sandbox, int64_t *ret_grace);

#endif
