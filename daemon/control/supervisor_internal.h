/* SPDX-License-Identifier: MIT */
/* The supervisor's record, for the few files that see all of it. */
#ifndef REEVE_DAEMON_CONTROL_SUPERVISOR_INTERNAL_H
#define REEVE_DAEMON_CONTROL_SUPERVISOR_INTERNAL_H

#include "daemon/control/operate.h"
#include "daemon/control/plan.h"
#include "daemon/control/reload.h"
#include "daemon/control/sequence.h"
#include "daemon/control/supervisor.h"
#include "daemon/unit/request.h"
#include "daemon/unit/units.h"

struct loop_timer;
struct watchdog;
struct zone_watch;

struct supervisor {
    void (*observer)(enum supervisor_event event, void *arg);
    void *arg;

    struct units units;
    struct requests requests;
    struct operations operations;
    struct plans plans;
    struct sequence sequence;
    struct reload reload;
    struct watchdog *watchdog;
    struct zone_watch *zone_watch;

    bool ran; /* DRAINING and later: the start had been complete */
    struct cause cause;
    int exit_code;
    int64_t started_at;
    uint64_t upgrades; /* how often this process has changed its program */

    struct loop_timer *reconcile_timer; /* a change was made: look at all units soon */
    int64_t rested_at;                  /* the next look is not before that */
    struct loop_timer *stop_timer;      /* drain-delay, then shutdown-timeout */
};

/* supervisor_record.c: a unit that is down, or at the end, goes away. */
void supervisor_remove_unit(struct supervisor *supervisor, struct unit *unit);

/* supervisor.c: what the timers and the watch over hosts call; arg: the supervisor. */
void supervisor_reconcile(void *arg);
void supervisor_stop_timer(void *arg);
void supervisor_hosts_changed(void *arg);
void supervisor_reload_told(bool began, void *arg);
/* supervisor.c: the calls of the units; arg: the supervisor. */
extern const struct units_owner supervisor_owner;

#endif
