/* SPDX-License-Identifier: MIT */
#ifndef REEVE_BASE_SIGNAL_NAME_H
#define REEVE_BASE_SIGNAL_NAME_H

#include <stdint.h>

/*
 * "SIGTERM", "SIGRTMIN+3" for a real-time signal, or "signal 32" where a number has no name, as
 * those that the C library keeps for itself. Valid until the thread asks for another one; never
 * NULL.
 */
const char *signal_name(int number);

/* The same signal within so many nanoseconds is meant as one: timeout(1) sends one to its child,
 * and one to the group. */
#define SIGNAL_REPEAT INT64_C(1000000000)

#endif
