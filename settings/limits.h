/* SPDX-License-Identifier: MIT */
/*
 * The limits and the sandbox of a module's host, from its section, as a value.
 * They are properties of a process, so modules that share a host have the same.
 */
#ifndef REEVE_SETTINGS_LIMITS_H
#define REEVE_SETTINGS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"
#include "base/text.h"

/* How a limit is treated that this kernel, or this daemon's rights, cannot enforce. */
enum config_sandbox { CONFIG_SANDBOX_WARN, CONFIG_SANDBOX_STRICT };

struct config_limits {
    uint64_t memory_max; /* bytes; 0: no limit */
    unsigned cpu_max;    /* percent of one processor; 0: no limit */
    unsigned nofile;     /* descriptors; 0: as inherited */
    struct setting_optional
        nice;                  /* not given: 0, or the supervisor's own level if that is higher */
    char *user;                /* NULL: the supervisor's */
    struct strings read_only;  /* absolute paths; none: everything may be read */
    struct strings read_write; /* absolute paths; none of both: everything may be written */
    bool network;
    enum config_sandbox sandbox;
};

/* A copy that owns its strings. Returns 0, or -ENOMEM with an empty *ret_copy. */
int config_limits_copy(const struct config_limits *limits, struct config_limits *ret_copy);

void config_limits_free(struct config_limits *limits);

#endif
