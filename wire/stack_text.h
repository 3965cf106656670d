/* SPDX-License-Identifier: MIT */
/* A crash or hang in words, from its record: the same to whoever tells it. For signal handlers,
 * too. */
#ifndef REEVE_WIRE_STACK_TEXT_H
#define REEVE_WIRE_STACK_TEXT_H

#include <stddef.h>

#include "wire/scoreboard.h"

/* "SIGSEGV in act run 7", "stack overflow in act run 7", "hang in act run 7": for everybody. */
void stack_summary(const struct scoreboard_stack *stack, char *buffer, size_t size);

/* The facts that operators see beside it: "at address 0x10", "sent by pid 7 uid 0", "sleeping in
 * futex_wait", or "". */
void stack_facts(const struct scoreboard_stack *stack, char *buffer, size_t size);

#endif
