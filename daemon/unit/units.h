/* SPDX-License-Identifier: MIT */
/*
 * All units: the list of them, what they share, and what their owner hears. The supervisor has the
 * only one; the files of this directory, and the lower ones of daemon/control, see this and not the
 * supervisor.
 */
#ifndef REEVE_DAEMON_UNIT_UNITS_H
#define REEVE_DAEMON_UNIT_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/unit/unit.h"
#include "settings/config.h"

struct awaited;
struct host_events;
struct host_stops;
struct last_runs;
struct loop;
struct requests;
struct spawner;
struct symbols;
struct tenancy;

/* Where the daemon as a whole is. */
enum phase {
    PHASE_CHECKING, /* modules validate their options; nothing runs yet */
    PHASE_STARTING, /* until every essential module was ready once */
    PHASE_RUNNING,
    PHASE_DRAINING, /* unready, but still at work: drain-delay */
    PHASE_STOPPING,
    PHASE_STOPPED, /* no unit, no host */
};

const char *phase_name(enum phase phase);

/* The calls of units to their owner. None of these blocks. */
struct units_owner {
    /* Something changed: all units are to be looked at in the next turn of the loop. */
    void (*changed)(void *arg);
    /* A unit entered a state; before is the one that it left. */
    void (*entered)(struct unit *unit, enum unit_state before, void *arg);
    /* Something of a host may hang from that time on (monotonic). */
    void (*expects)(int64_t time, void *arg);
    /* No other module comes into the host's present process: who is in it is to move to the next
     * one. */
    void (*condemn)(struct tenancy *tenancy, const struct cause *cause, void *arg);
    /* A module that has been given new options: it takes them only by a restart. */
    void (*restart)(struct unit *unit, const struct cause *cause, void *arg);
    /* It has refused them, and is to go down. */
    void (*fall)(struct unit *unit, const struct cause *cause, void *arg);
};

#define NAME_BUCKETS 512

struct units {
    struct loop *loop;
    const char *config_path;
    const char *host_program;
    struct config_places places;
    struct spawner *spawner;
    struct host_stops *host_stops;
    struct last_runs *last_runs;
    struct symbols *symbols;
    struct requests *requests;
    const struct host_events *host_events; /* what a tenancy makes of what its host does */
    const struct units_owner *owner;
    void *arg;

    struct config *config;           /* in force */
    struct list list;                /* the units, in the configuration's order */
    size_t leaving;                  /* of them, those that are removed */
    size_t coming;                   /* at most so many are added by the reload under way */
    struct list names[NAME_BUCKETS]; /* the units again, by their names */
    struct list tenancies;
    struct list tenancy_names[NAME_BUCKETS]; /* and these, by the names of their hosts */
    struct list awaited;                     /* what somebody waits for: awaited.h of the owner */

    enum phase phase;
    bool quiet;          /* nothing begins by itself: an upgrade waits until nothing moves */
    bool rolling;        /* hosts of another wire version are being replaced */
    uint64_t mark;       /* of the last walk of a goal */
    uint64_t generation; /* raised by every change, so that a snapshot knows that it is old */

    /* Errors of the first check, in the order in which hosts report them. */
    struct config_errors check_errors;
};

void units_init(struct units *units);

/* The owner hears of it. */
void units_changed(struct units *units);

/* Puts a unit at the end of the list, and takes it out. */
void units_add(struct units *units, struct unit *unit);
void units_remove(struct unit *unit);

/* It is no longer configured, or elsewhere. */
void units_leave(struct unit *unit);

/* Where units of that name are, linked by name_list, among others. */
struct list *units_name_bucket(struct units *units, const char *name);
/* The unit of that name that is configured, or NULL. */
struct unit *units_find(struct units *units, const char *name);
/* A unit of that name that is removed, or moves to another host, and is not down yet; or NULL. */
struct unit *units_find_leaving(struct units *units, const char *name);

/* Of modules that are not configured any more, the last runs keep as much as is bounded. */
void units_forget_strangers(struct units *units);

#endif
