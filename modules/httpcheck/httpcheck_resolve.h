/* SPDX-License-Identifier: MIT */
/* Looks names up within a time. */
#ifndef REEVE_MODULES_HTTPCHECK_RESOLVE_H
#define REEVE_MODULES_HTTPCHECK_RESOLVE_H

#include <reeve/module.h>

/*
 * Looks a name up. Returns 0 and the addresses, separated by ',', which the caller frees (NULL for
 * a host that is one); the context's code; or -ETIME when the resolver does not answer within the
 * timeout, -EHOSTUNREACH when it does not know the name, or another negative errno, with a text.
 */
int resolve(struct rv_context *ctx, const char *host, rv_duration timeout, char **ret_addresses);

#endif
