/* SPDX-License-Identifier: MIT */
/*
 * A unit is the supervisor's record of one module: its state, why it is in it, and its history. It
 * is also the module's node in the context tree: its cause is handed to the host with every stop.
 *
 * The state machine is a table of states and events (machine.c). Events come from the module's
 * host, from timers, and from the supervisor, which is told of every change of state.
 */
#ifndef REEVE_DAEMON_UNIT_UNIT_H
#define REEVE_DAEMON_UNIT_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/process/crash.h"
#include "daemon/unit/cause.h"
#include "daemon/unit/counters.h"
#include "daemon/unit/dependency.h"
#include "daemon/unit/policy.h"
#include "daemon/unit/restart.h"
#include "settings/config.h"

struct host_end;
struct loop;
struct loop_timer;
struct units;
struct tenancy;
struct wire_message;

/* The stop for which a unit waits. */
enum goal {
    GOAL_NONE,
    GOAL_DOWN,   /* and it stays down */
    GOAL_BOUNCE, /* and it starts again */
};

/* How a unit that waits for others stands; the worst of what it waits for counts. */
enum dependencies_wait {
    WAIT_MAY,   /* it may start now */
    WAIT_MOVES, /* something that it waits for is on its way and will come to rest */
    WAIT_LATER, /* something waits out its backoff: that can take minutes */
    WAIT_NEVER, /* something that it requires does not run, and nothing moves it */
};

enum unit_state {
    UNIT_STOPPED,
    UNIT_CHECKING, /* before the first start: its options are validated, nothing runs */
    UNIT_WAITING,  /* for the modules that it comes after */
    UNIT_STARTING,
    UNIT_READY,
    UNIT_STOPPING,
    UNIT_BACKOFF, /* for its next start */
    UNIT_FAILED,  /* given up; a person or a reload can start it again */
    UNIT_STATE_COUNT,
};

enum unit_event {
    UNIT_EVENT_CHECK,          /* validate before the first start */
    UNIT_EVENT_CHECKED,        /* the host has validated: message */
    UNIT_EVENT_START,          /* it is wanted; cause, unless it is the first start */
    UNIT_EVENT_PROCEED,        /* all that it comes after is there */
    UNIT_EVENT_HOST_UP,        /* its host takes commands */
    UNIT_EVENT_READY,          /* message */
    UNIT_EVENT_MODULE_FAILED,  /* message: did not start, or gave up */
    UNIT_EVENT_HOST_ENDED,     /* end; guilty: another tenant whose fault it was; told */
    UNIT_EVENT_STOP,           /* cause; `wanted` tells whether it comes back */
    UNIT_EVENT_MODULE_STOPPED, /* message */
    UNIT_EVENT_RELOAD,         /* cause; the configuration has new options for it */
    UNIT_EVENT_DEFERRED,       /* message: the reload waits for work under way */
    UNIT_EVENT_RELOADING,      /* and that has ended */
    UNIT_EVENT_RELOADED,       /* message */
    UNIT_EVENT_TIMEOUT,        /* of whatever the state waits for */
    UNIT_EVENT_COUNT,
};

/* The facts that come with an event; only the parts named above. */
struct unit_input {
    const struct wire_message *message;
    const struct host_end *end;
    const struct unit *guilty;
    bool told; /* the log has the end already, once for all tenants */
    const struct cause *cause;
};

struct unit {
    struct list list;         /* among all, in the configuration's order */
    struct list tenancy_list; /* in its tenancy */
    struct units *all;
    struct tenancy *tenancy;
    uint32_t slot;
    /* Part of the host's present incarnation: what happens to the host happens to it. */
    bool attached;

    char *name;
    struct config *config; /* a reference to what settings is in */
    const struct config_module *settings;

    /* The .so that its path names: as the host has loaded it, else as the configuration was read.
     */
    struct file_id file_id;

    struct list name_list;    /* there, with those whose names look alike */
    struct dependency *edges; /* to what it requires and comes after */
    size_t edge_count;
    struct list dependents;    /* the edges that lead to it */
    struct list awaited_items; /* its parts in awaited_list */
    struct list pace_list;     /* in the pace of starts and stops, while it counts there */
    int64_t paced_at;          /* when it began to */
    /* dependencies.c: what it waits for, as found at this generation of all. */
    uint64_t looked_at;
    enum dependencies_wait wait;
    const struct unit *culprit;

    enum unit_state state;
    int64_t state_since;
    int64_t ready_since; /* 0 unless it is or was ready in this incarnation */
    bool was_ready;      /* at least once since the daemon was started */
    bool was_down;       /* since its last start: its schedules owe nothing for that time */
    bool wanted;         /* should run: comes back after a stop */
    bool held;           /* a person stopped it: only a person starts it again */
    enum goal goal;
    uint64_t mark; /* of the last walk of a goal that came by */
    bool spent;    /* what runs, or did, is not to go on: a new start is to follow */
    bool revived;  /* a person has asked for the start that is to come */
    bool starved;  /* at its last start there were no descriptors for its host */
    bool rolled;   /* its host was of another wire version: the next waits for it to come back */
    bool removed;  /* no longer configured, or elsewhere: goes away once it is stopped */
    int64_t start_limit;    /* STARTING: the start-timeout that its timer has been armed for */
    size_t option_errors;   /* that its host has told since it was sent the options */
    uint64_t reload_number; /* of the last RELOAD: answers to one before it count no more */
    bool reloading;         /* READY: waits for RELOADED */
    /* READY: it takes its new options when work under way has ended; which, in words. */
    char deferred[160];
    bool failed_running;         /* STOPPING: after a failure: the policy decides the next step */
    bool give_up;                /* STOPPING, or about to: and then it counts as failed */
    struct cause cause;          /* of the present or last stop */
    char reason[512];            /* why it is in its state, in words; "" when all is well */
    struct crash crash;          /* how its last incarnation ended, if by a crash */
    struct restart next_restart; /* the reason of the next start, if that is one */
    struct restart last_restart;
    char activity[256]; /* what it says it is doing while it starts or stops */
    struct policy_history history;
    struct counters counters;
    uint64_t starts;
    uint64_t restarts;
    uint64_t crashes; /* that left a record of it */
    uint64_t hangs;   /* for which its host was killed */
    uint64_t jobs_lost;
    struct loop_timer *timer;
};

/*
 * A record of its own, which is none of the units yet: tenancy_add_unit() makes it one. Takes a
 * reference to config. Returns 0 or -ENOMEM.
 */
int unit_create(struct loop *loop, struct config *config, const struct config_module *settings,
                struct unit **ret_unit);
/* NULL does nothing. It must be none of the units any more. */
void unit_destroy(struct unit *unit);

/* New settings from a new configuration, to be used from now on; dependencies_link() must follow.
 * Returns 0 or -ENOMEM, and then the old ones stay. */
int unit_set_settings(struct unit *unit, struct config *config,
                      const struct config_module *settings);

/* A start under way has as long as its present settings give it. */
void unit_renew_start(struct unit *unit);

/* A restart that it waits for comes no later than its present settings would have had it come. */
void unit_shorten_backoff(struct unit *unit);

/* Notes that its next start is a restart for this cause. */
void unit_note_restart(struct unit *unit, const struct cause *cause);

/* input may be NULL for events that carry nothing. */
void unit_handle(struct unit *unit, enum unit_event event, const struct unit_input *input);

/* "ready" and the like. */
const char *unit_state_name(enum unit_state state);

/* The same behind "it is". */
const char *unit_state_words(enum unit_state state);

/* Whether it stops, or is about to, and does not come back by itself. */
bool unit_goes_down(const struct unit *unit);

/* Whether it is to be stopped and started again since a person or a reload has asked for it now,
 * rather than at its own pace. */
bool unit_is_to_restart(const struct unit *unit);

/* Neither ready nor at rest. */
static inline bool unit_is_moving(const struct unit *unit)
{
    return unit->state == UNIT_CHECKING || unit->state == UNIT_WAITING ||
           unit->state == UNIT_STARTING || unit->state == UNIT_STOPPING || unit->reloading;
}

/* Something of it runs, or is about to: the modules that it requires cannot go yet. */
static inline bool unit_is_running(const struct unit *unit)
{
    return unit->state == UNIT_CHECKING || unit->state == UNIT_STARTING ||
           unit->state == UNIT_READY || unit->state == UNIT_STOPPING;
}

/* No part of it runs or will run by itself. */
static inline bool unit_is_down(const struct unit *unit)
{
    return unit->state == UNIT_STOPPED || unit->state == UNIT_FAILED;
}

#endif
