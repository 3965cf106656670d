/* SPDX-License-Identifier: MIT */
#include "wire/stack_text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/signal_name.h"
#include "base/text.h"

static bool is_overflow(const struct scoreboard_stack *stack)
{
    return stack->signal != 0 && stack->state[0] != '\0';
}

void stack_summary(const struct scoreboard_stack *stack, char *buffer, size_t size)
{
    const char *kind = is_overflow(stack)   ? "stack overflow"
                       : stack->signal != 0 ? signal_name(stack->signal)
                                            : "hang";
    char run[32] = "";

    if (stack->run > 0)
        snprintf(run, sizeof(run), " run %" PRIu64, stack->run);
    snprintf(buffer, size, "%s%s%s%s", kind, stack->what[0] ? " in " : "", stack->what, run);
    text_sanitise(buffer);
}

/* The kernel tells no address of some faults, such as the use of one that no process can have. */
static bool has_address(const struct scoreboard_stack *stack)
{
    int signal = stack->signal;

    return (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE) &&
           stack->code > 0 && stack->code != SI_KERNEL;
}

void stack_facts(const struct scoreboard_stack *stack, char *buffer, size_t size)
{
    bool sent = stack->signal != 0 && stack->code <= 0;
    uint32_t pid = sent ? (uint32_t)stack->address : 0;

    if (is_overflow(stack))
        snprintf(buffer, size, "with a stack of %.32s: see rv_runtime_configure(3)", stack->state);
    else if (has_address(stack))
        snprintf(buffer, size, "at address 0x%" PRIx64, stack->address);
    else if (pid > 0)
        snprintf(buffer, size, "sent by pid %" PRIu32 " uid %" PRIu32, pid,
                 (uint32_t)(stack->address >> 32));
    else
        string_copy(buffer, size, stack->state);
    text_sanitise(buffer);
}
