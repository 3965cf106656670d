/* SPDX-License-Identifier: MIT */
#include "base/reserved.h"

#include <stddef.h>
#include <string.h>

const char *const reserved_keys[] = {
    "load",
    "host",
    "essential",
    "after",
    "requires",
    "restart",
    "restart-delay",
    "restart-delay-max",
    "restart-reset",
    "restart-limit",
    "on-failed",
    "start-timeout",
    "reload-timeout",
    "drain",
    "drain-stall",
    "drain-queue",
    "grace",
    "memory-max",
    "cpu-max",
    "nofile",
    "nice",
    "user",
    "read-only",
    "read-write",
    "network",
    "sandbox",
    NULL,
};

bool key_is_reserved(const char *key)
{
    for (size_t i = 0; reserved_keys[i]; i++)
        if (strcmp(reserved_keys[i], key) == 0)
            return true;
    return strncmp(key, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0;
}
