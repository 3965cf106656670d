/* SPDX-License-Identifier: MIT */
/* What a reload would do, module by module: a pure comparison of two configurations. */
#ifndef REEVE_SUPERVISOR_RELOAD_H
#define REEVE_SUPERVISOR_RELOAD_H

#include "daemon/config/config.h"

enum reload_step {
    RELOAD_KEEP,    /* untouched: process, counters and jobs stay */
    RELOAD_OPTIONS, /* the running module is given its new options */
    RELOAD_RESTART, /* another .so or host */
    RELOAD_ADD,
    RELOAD_REMOVE,
};

/* What happens to the module `name`, which one of the two has at least. */
enum reload_step reload_plan(const struct config *before, const struct config *after,
                             const char *name);

/* Whether something differs that a running daemon cannot change. */
bool reload_changes_fixed(const struct config *before, const struct config *after);

/* "keep", "reload", "restart", "add", "remove". */
const char *reload_step_name(enum reload_step step);

#endif
