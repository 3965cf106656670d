/* SPDX-License-Identifier: MIT */
/* The common knowledge about a module's health(). */
#ifndef REEVE_WIRE_HEALTH_H
#define REEVE_WIRE_HEALTH_H

#include "base/clock.h"

/* It is asked so often, and has so long to answer. */
#define HEALTH_INTERVAL (10 * NSEC_PER_SEC)

/* Its name in the records of its module and thread. */
#define HEALTH_ACTIVITY "health"

#endif
