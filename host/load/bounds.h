/* SPDX-License-Identifier: MIT */
/* The bounds of a module's option, of which each may be missing. */
#ifndef REEVE_HOST_LOAD_BOUNDS_H
#define REEVE_HOST_LOAD_BOUNDS_H

#include <reeve/option.h>

/* The bound that its author gave: one of 0 is, if it was written. */
bool bounds_minimum(const struct rv_option *option, int64_t *ret_minimum);
bool bounds_maximum(const struct rv_option *option, int64_t *ret_maximum);

#endif
