/* SPDX-License-Identifier: MIT */
/*
 * A tenancy is a host and the units that live in it: mostly one, several when their sections name
 * the same host. It turns what the host does into events of units, and ends a host that nobody
 * needs.
 */
#ifndef REEVE_DAEMON_UNIT_TENANCY_H
#define REEVE_DAEMON_UNIT_TENANCY_H

#include "base/list.h"
#include "daemon/process/host.h"
#include "daemon/unit/loaded.h"

struct cause;
struct units;
struct unit;

/* A record that was half-written at the last look, and since when; since 0: none. */
struct torn_record {
    unsigned i; /* tasks first, then threads */
    uint32_t sequence;
    int64_t since;
};

struct tenancy {
    struct list list;      /* among all */
    struct list name_list; /* there, too, with those whose names look alike */
    struct units *all;
    struct list units; /* those that live in it */
    struct host *host;
    struct loaded loaded;    /* by the host's present process */
    bool condemned;          /* that process takes nobody any more: it ends with its last tenant */
    struct torn_record torn; /* of watchdog.c */
    uint64_t zone_news;      /* of zone_watch.c: the last ones that its host was told of */
    /* reload_changes.c, while it finds changes: how many modules need a slot of the process, and
     * whether there is to be another process. */
    unsigned slots_needed;
    bool renewed;
    enum claim {
        CLAIM_NONE,
        CLAIM_PENDING, /* its process is about to be started, */
        CLAIM_COMING,  /* or wanted now, */
        CLAIM_LATER,   /* or after a backoff, */
        CLAIM_ROOM,    /* or has had no descriptors, and there are some */
    } claim;           /* on descriptors, as sequence.c counts them */
};

/* The one of that host's name, or NULL. */
struct tenancy *tenancy_find(struct units *units, const char *name);

/* The unit that the present process runs in the slot, or NULL. */
struct unit *tenancy_find_slot(const struct tenancy *tenancy, uint32_t slot);

/* How many hosts speak another wire version than we do. */
unsigned tenancies_foreign(const struct units *units);

/* A new unit, in the tenancy of its settings' host, which is made if need be. Takes a reference to
 * config. dependencies_link() must follow. Returns 0 or -ENOMEM. */
int tenancy_add_unit(struct units *units, struct config *config,
                     const struct config_module *settings, struct unit **ret_unit);
/* The unit goes away; the last to leave takes the tenancy along. It must not be attached. */
void tenancy_remove_unit(struct unit *unit);

/* Whether the host's present process, if it has one, could run a module with these settings: it has
 * the limits, can read the file, and has loaded nothing that is in the way. */
bool tenancy_suits(const struct tenancy *tenancy, const struct config_module *settings);

/* How many modules its process can still load, and whether this one is among those that are to
 * come. */
unsigned tenancy_free_slots(const struct tenancy *tenancy);
bool tenancy_needs_slot(const struct tenancy *tenancy, const struct config_module *settings);

/* Whether the unit could be attached now: there is no process, or one that suits and takes tenants.
 */
bool tenancy_has_room(const struct unit *unit);

/*
 * Makes the unit part of the host's present process, in a slot of its own, starting one if there is
 * none. tenancy_has_room() must be so. UNIT_EVENT_HOST_UP follows, at once if the host is up; or
 * UNIT_EVENT_HOST_ENDED.
 */
void tenancy_attach(struct unit *unit);

/* An attached unit was taken over with its slot, from a reeved that may not have said what is
 * loaded there. Returns 0, -ENOMEM, or -EBADMSG with an error. */
int tenancy_restore_slot(struct unit *unit, struct serialize_error *error);

/* Tells the unit's host what its tenants may take and touch, from its next start on. */
/* The longest of its tenants', for its process too if there is one. */
void tenancy_set_grace(struct tenancy *tenancy);
void tenancy_set_limits(const struct unit *unit);

/*
 * The unit needs its host no more. When no other does, the host is told to exit and true is
 * returned: the unit stays attached, and UNIT_EVENT_HOST_ENDED follows.
 */
bool tenancy_release(struct unit *unit, const char *cause);

/*
 * Takes the unit's part of the host's scoreboard into its counters, once: its host has ended, or it
 * has been stopped in one that lives on, for which end is NULL.
 */
void tenancy_close_books(struct unit *unit, const struct host_end *end);

/* Sends LOAD and the unit's options, then how: WIRE_START, WIRE_CHECK or WIRE_RELOAD. */
void tenancy_send_module(struct unit *unit, enum wire_type how);

#endif
