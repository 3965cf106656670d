/* SPDX-License-Identifier: MIT */
#include "bench/runtime/reeve.h"

const struct work works[] = {
    {"pool", reeve_pool},
    {"busy", reeve_busy},
    {"latency", reeve_latency},
    {"group", reeve_group},
    {"fan", reeve_fan},
    {"channel", reeve_channel},
    {"ping-pong", reeve_ping_pong},
    {"contexts", reeve_contexts},
    {"tree", reeve_tree},
    {"waiters", reeve_waiters},
    {"check", reeve_check},
    {"once", reeve_once},
    {"channel-many", reeve_channel_many},
    {"periodic", reeve_periodic},
    {"idle", reeve_idle},
    {NULL, NULL},
};
