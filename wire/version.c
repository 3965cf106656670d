/* SPDX-License-Identifier: MIT */
/* Nothing else is in this file: tests of upgrades link programs of another version by it. */
#include "wire/message.h"
#include "wire/scoreboard.h"

#ifndef WIRE_VERSION
#define WIRE_VERSION 8
#endif

#ifndef SCOREBOARD_VERSION
#define SCOREBOARD_VERSION 7
#endif

const uint32_t wire_version = WIRE_VERSION;
const uint32_t scoreboard_version = SCOREBOARD_VERSION;
