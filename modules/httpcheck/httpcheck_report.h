/* SPDX-License-Identifier: MIT */
/* The words of the module about its fetches. */
#ifndef REEVE_MODULES_HTTPCHECK_REPORT_H
#define REEVE_MODULES_HTTPCHECK_REPORT_H

#include "modules/httpcheck/httpcheck_target.h"

/* Tells what came of the fetches. r: the context's code, of a run that was cut, or 0. Returns 0
 * when all is well, or a negative errno with a text. */
int report(struct rv_context *ctx, const struct fetch *fetches, size_t count, int r);

#endif
