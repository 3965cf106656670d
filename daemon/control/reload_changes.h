/* SPDX-License-Identifier: MIT */
/* The steps of a reload, module by module: found once, for `reload --plan` and for the reload
 * itself. */
#ifndef REEVE_DAEMON_CONTROL_RELOAD_CHANGES_H
#define REEVE_DAEMON_CONTROL_RELOAD_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "settings/config.h"

struct units;

enum reload_step {
    RELOAD_KEEP,    /* untouched: process, counters and jobs stay */
    RELOAD_OPTIONS, /* the running module is given its new options */
    RELOAD_RESTART, /* another .so, host or process; or options that it takes only so */
    RELOAD_ADD,
    RELOAD_REMOVE,
};

/* "keep", "reload", "restart", "add", "remove". */
const char *reload_step_name(enum reload_step step);

struct reload_change {
    const char *module; /* of one of the two configurations */
    enum reload_step step;
    /* It restarts for this module, or will wait for it, since it requires it; or, kept, it waits
     * for this one, and starts after it. Or NULL. */
    const char *because;
    const char *because_state; /* that one's step, or its state when it does not run or will not */
    bool held;                 /* a person has stopped the module: it stays so */
    bool new_process;          /* it restarts since the process of its host must end */
    char *work; /* what is under way in the module, and is waited for or stopped; or NULL */
};

/*
 * The changes from what is in force to another configuration: its modules in their order, then
 * those that it does not have any more. steady: modules that take new options only by a restart.
 * The caller ends with reload_free_changes(). Returns 0 or -ENOMEM.
 */
int reload_find_changes(struct units *units, const struct config *after,
                        const struct strings *steady, struct reload_change **ret_changes,
                        size_t *ret_count);

void reload_free_changes(struct reload_change *changes, size_t count);

/* How the module differs from what runs under its name, its .so included; all is new of one that is
 * new. */
enum config_change reload_compare(struct units *units, const struct config_module *module);

/* Whether a reload asks the module about its options first. */
bool reload_needs_check(struct units *units, const struct config_module *module);

/* Whether something differs that a running daemon cannot change. */
bool reload_changes_fixed(const struct config *before, const struct config *after);

#endif
