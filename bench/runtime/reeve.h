/* SPDX-License-Identifier: MIT */
/* The works that libreeve does, for the table in reeve.c. */
#ifndef REEVE_BENCH_REEVE_H
#define REEVE_BENCH_REEVE_H

#include "bench/runtime/program.h"

uint64_t reeve_pool(const struct size *size);
uint64_t reeve_busy(const struct size *size);
uint64_t reeve_latency(const struct size *size);
uint64_t reeve_group(const struct size *size);
uint64_t reeve_fan(const struct size *size);
uint64_t reeve_channel(const struct size *size);
uint64_t reeve_channel_many(const struct size *size);
uint64_t reeve_ping_pong(const struct size *size);
uint64_t reeve_contexts(const struct size *size);
uint64_t reeve_tree(const struct size *size);
uint64_t reeve_waiters(const struct size *size);
uint64_t reeve_check(const struct size *size);
uint64_t reeve_once(const struct size *size);
uint64_t reeve_periodic(const struct size *size);
uint64_t reeve_idle(const struct size *size);

#endif
