/* SPDX-License-Identifier: MIT */
/* Fetches one target. */
#ifndef REEVE_MODULES_HTTPCHECK_FETCH_H
#define REEVE_MODULES_HTTPCHECK_FETCH_H

#include "modules/httpcheck/httpcheck_target.h"

/* An rv_function with a struct fetch. A server that fails its check is a result in the fetch, and
 * the function returns 0. */
int fetch_run(struct rv_context *ctx, void *arg);

#endif
