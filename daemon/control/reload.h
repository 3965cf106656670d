/* SPDX-License-Identifier: MIT */
/*
 * A reload: read everything, let the modules check what is new to them, and only then touch what
 * changed. Until the last check is good the old configuration is in force; after it the new one is,
 * whatever becomes of single modules.
 */
#ifndef REEVE_DAEMON_CONTROL_RELOAD_H
#define REEVE_DAEMON_CONTROL_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "settings/config.h"

struct awaited;
struct check;
struct loop_timer;
struct units;
struct zone_watch;

struct reload_counts {
    uint64_t ended;
    uint64_t failed; /* of those */
    bool last_failed;
    char last_error[256]; /* the first of them, if it failed */
};

/* Why nothing is reloaded, or what was; called once. The texts live until it returns. */
typedef void (*reload_fn)(const struct strings *errors, const struct strings *notes, bool applied,
                          void *arg);

/* The one that is under way, and who waits for it or the next. */
struct reload {
    struct units *units;
    struct zone_watch *zone_watch;
    void (*told)(bool began, void *arg); /* it began, or it ended */
    void *arg;

    bool under_way;
    bool again;               /* asked for meanwhile */
    struct loop_timer *timer; /* its next step */
    struct check *check;
    struct config *config; /* the new one: while modules check it, then applied */
    struct config_errors errors;
    struct strings notes;
    struct strings steady;    /* modules that take new options only by a restart */
    struct awaited *awaited;  /* from when it is applied: the units that it touched */
    struct list waiters;      /* for the reload under way */
    struct list next_waiters; /* asked during it: for the next */
    struct reload_counts counts;
};

/* Zeroed before. */
void reload_init(struct reload *reload, struct units *units, void (*told)(bool began, void *arg),
                 void *arg);
/* Before the first can be asked for. Returns 0 or -ENOMEM. */
int reload_prepare(struct reload *reload, struct zone_watch *zone_watch);
/* Everybody who waits is told that reeved stops. */
void reload_finish(struct reload *reload);
/* After that. */
void reload_free(struct reload *reload);

/* Asks for one; done may be NULL. It begins in a later turn of the loop, and after the one under
 * way. */
void reload_ask(struct reload *reload, reload_fn done, void *arg);

/* Called at each reconciliation: ends a reload whose units have come to rest, and begins the next.
 */
void reload_reconcile(struct reload *reload);

/* Brings the units to the new configuration, which is in force when it returns 0; errors of single
 * modules are added to those of the reload. -ENOMEM: nothing was done. */
int reload_apply(struct reload *reload);

#endif
