/* SPDX-License-Identifier: MIT */
/* How many threads the runtime has. */
#ifndef REEVE_TESTS_LIB_THREADS_H
#define REEVE_TESTS_LIB_THREADS_H

#include <reeve/host.h>
#include <reeve/runtime.h>

#include "tests/support/test.h"

/* At most so many from now on, of which none is there yet; 0: as usual. */
static inline void limit_threads(unsigned most)
{
    struct rv_runtime_options options = {.size = sizeof(options), .threads_max = most};
    struct rv_runtime_stats stats;

    /* One whose work has ended may still be on its way back. */
    do {
        rv_host_trim();
        rv_runtime_stats(&stats);
    } while (stats.threads > 0);
    assert_int_equal(rv_runtime_configure(&options), 0);
}

#endif
