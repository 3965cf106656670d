/* SPDX-License-Identifier: MIT */
/* Waiting for something that another processor is about to do. */
#ifndef REEVE_LIB_RELAX_H
#define REEVE_LIB_RELAX_H

#include <time.h>

/* Between two looks: some tens of nanoseconds, in which the other half of the core can work. */
static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/*
 * Waits for a thread that is in the middle of a few instructions, longer each time; *turns begins
 * as 0. If it is not done soon it has lost its processor. To spin would be vain then, and to yield
 * would give this one to whoever else wants it, for whole time slices, or under SCHED_FIFO to
 * nobody; so the waiter sleeps for a moment.
 */
static inline void relax_for_other(unsigned *turns)
{
    const struct timespec moment = {.tv_nsec = 20000};

    if (++*turns % 64 == 0)
        nanosleep(&moment, NULL);
    else
        relax();
}

#endif
