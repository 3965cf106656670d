/* SPDX-License-Identifier: MIT */
/* The supervisor's record, for the files of this folder. */
#ifndef REEVE_DAEMON_CONTROL_SUPERVISOR_INTERNAL_H
#define REEVE_DAEMON_CONTROL_SUPERVISOR_INTERNAL_H

#include "base/list.h"
#include "daemon/control/operate.h"
#include "daemon/control/pace.h"
#include "daemon/control/plan.h"
#include "daemon/control/supervisor.h"

#include "daemon/unit/unit.h"

struct check;
struct host_stops;
struct last_runs;
struct loop_timer;
struct spawner;
struct symbols;
struct watchdog;
struct wire_message;

/* Somebody who waits for a reload to end. */
struct reload_waiter {
    struct list list;
    reload_fn done;
    void *arg;
};

#define NAME_BUCKETS 512

struct supervisor {
    struct loop *loop;
    const char *config_path;
    const char *host_program;
    struct config_places places;
    void (*observer)(enum supervisor_event event, void *arg);
    void *arg;

    struct config *config;
    struct list units;
    size_t leaving;                  /* units that are removed */
    struct list names[NAME_BUCKETS]; /* the units again, by their names */
    struct list tenancies;
    struct list tenancy_names[NAME_BUCKETS]; /* and these, by the names of their hosts */
    struct list awaited_list;
    struct spawner *spawner;
    struct host_stops *host_stops;
    struct requests requests;
    struct operations operations;
    uint64_t mark; /* of the last walk of a goal */
    struct plans plans;
    struct pace pace;
    struct unit *begun_last; /* NULL: none yet, or it is gone */
    struct watchdog *watchdog;
    struct zone_watch *zone_watch;
    struct last_runs *last_runs;
    struct symbols *symbols;

    enum phase phase;
    bool ran; /* DRAINING and later: the start had been complete */
    struct cause cause;
    int exit_code;
    int64_t started_at;
    uint64_t upgrades;   /* how often this process has changed its program */
    bool quiet;          /* nothing begins by itself: an upgrade waits until nothing moves */
    bool rolling;        /* hosts of another wire version are being replaced */
    uint64_t generation; /* raised by every change, so that a snapshot knows that it is old */

    struct loop_timer *reconcile_timer; /* a change was made: look at all units soon */
    int64_t rested_at;                  /* the next look is not before that */
    struct loop_timer *stop_timer;      /* drain-delay, then shutdown-timeout */

    /* Errors of the first check, in the order in which hosts report them. */
    struct config_errors check_errors;

    /* The reload that is under way: new_config while modules check it, then applied. */
    bool reloading;
    struct loop_timer *reload_timer; /* its next step */
    struct check *check;
    struct config *new_config;
    struct config_errors reload_errors;
    struct strings reload_notes;
    struct strings steady;          /* modules that take new options only by a restart */
    struct awaited *reload_awaited; /* from when it is applied: the units that it touched */
    struct list waiters;            /* for the reload under way */
    struct list next_waiters;       /* asked during it: for the next */
    bool reload_again;
    struct reload_counts reloads;
};

/* supervisor.c: what the timers and the watch over hosts call; arg: the supervisor. */
void supervisor_reconcile(void *arg);
void supervisor_stop_timer(void *arg);
void supervisor_hosts_changed(void *arg);

/* supervisor.c: something changed; all units are looked at in the next turn of the loop. */
void supervisor_changed(struct supervisor *supervisor);

/* Of modules that are not configured any more, the last_runs keeps as much as is bounded. */
void supervisor_forget_strangers(struct supervisor *supervisor);
/* A unit entered a state; before is the one that it left. */
void supervisor_unit_changed(struct unit *unit, enum unit_state before);
/* Where units of that name are, linked by name_list, among others. */
struct list *supervisor_name_bucket(struct supervisor *supervisor, const char *name);
void supervisor_fail(struct supervisor *supervisor, const char *text);
void supervisor_notify(struct supervisor *supervisor, enum supervisor_event event);

/* roll.c: how many hosts speak another version than we do; and after a restore: whether there are any
 * to replace. */
unsigned supervisor_foreign_hosts(const struct supervisor *supervisor);
void supervisor_hosts_restored(struct supervisor *supervisor);

/* check.c: an OPTION_ERROR as text, with the nearest key of all that may stand there. */
void supervisor_option_error(struct unit *unit, const struct wire_message *message);

/* reload.c: called in each settling: ends a reload whose units have come to rest. */
void reload_reconcile(struct supervisor *supervisor);
/* reload.c: the reload_timer: the next step of a beginning. */
void reload_go_on(void *arg);
/* The supervisor goes away: whoever waits is told. */
void reload_finish(struct supervisor *supervisor);

#endif
