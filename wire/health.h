/* SPDX-License-Identifier: MIT */
/* What both sides know of a module's health(). */
#ifndef REEVE_WIRE_HEALTH_H
#define REEVE_WIRE_HEALTH_H

#include "base/clock.h"

/* It is asked so often, and has so long to answer. */
#define HEALTH_INTERVAL (10 * NSEC_PER_SEC)

/* What its module's record and its thread's say that it does. */
#define HEALTH_ACTIVITY "health"

#endif
