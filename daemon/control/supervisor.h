/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: the root of the context tree. It owns units and hosts, starts them in order,
 * stops them in reverse, reloads, and tells the edge when something changed. One thread; nothing
 * here blocks.
 */
#ifndef REEVE_DAEMON_CONTROL_SUPERVISOR_H
#define REEVE_DAEMON_CONTROL_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/control/reload.h"
#include "daemon/unit/cause.h"
#include "daemon/unit/units.h"
#include "settings/config.h"

struct loop;
struct operations;
struct plans;
struct requests;
struct supervisor;
struct unit;

enum supervisor_event {
    SUPERVISOR_STARTED,   /* PHASE_RUNNING */
    SUPERVISOR_RELOADING, /* a reload began */
    SUPERVISOR_RELOADED,  /* it ended, well or not */
    SUPERVISOR_DRAINING,  /* it will stop */
    SUPERVISOR_STOPPED,   /* PHASE_STOPPED: the loop may end */
    SUPERVISOR_CHANGED,   /* a unit's state, or something that a status line would tell */
};

struct supervisor_options {
    const char *config_path; /* read again by a reload */
    const char *host_program;
    struct config_places places; /* the strings stay the caller's, for ever */
    bool successor;              /* it follows another in this process: hosts are there already */
    /* Called for every event; it may call back into the supervisor. */
    void (*observer)(enum supervisor_event event, void *arg);
    void *arg;
};

/* Takes over config. Returns 0 or a negative errno. */
int supervisor_create(struct loop *loop, const struct supervisor_options *options,
                      struct config *config, struct supervisor **ret_supervisor);
/* Answers everybody who still waits for a run, a job or a reload, since it will not come to that.
 * To be called before those who asked go away. NULL does nothing. */
void supervisor_answer_all(struct supervisor *supervisor);
/*
 * At the end: writes what is still to be kept in the state directory, and calls done, once, when
 * that is written or cannot be. done may be called at once. Afterwards nothing must run any more.
 */
void supervisor_flush(struct supervisor *supervisor, void (*done)(void *arg), void *arg);
/* Before done is called: the write is left to itself and done is not called. Only a process that is
 * about to end may do so. */
void supervisor_give_up_flush(struct supervisor *supervisor);
/* The file that it writes. */
const char *supervisor_last_runs_path(const struct supervisor *supervisor);
/* Kills what still runs. */
void supervisor_destroy(struct supervisor *supervisor);

/* Starts checking and then all modules. */
void supervisor_start(struct supervisor *supervisor);

/* Cancels the root context: stops everything in order, within shutdown-timeout. Later calls do
 * nothing. */
void supervisor_stop(struct supervisor *supervisor, const struct cause *cause);
/* Kills every host at once. To be called after supervisor_stop(): nothing starts again. */
void supervisor_kill(struct supervisor *supervisor);

/*
 * Reads the configuration again and applies what changed; if the check finds anything wrong the old
 * one stays. done (may be NULL) is called once, with the errors, none after a success. Where there
 * are some although it was applied, modules did not come to rest as planned. notes: modules that
 * take their new options later, when work under way has ended. A reload that is asked for during
 * another one begins when that one has ended.
 */
void supervisor_reload(struct supervisor *supervisor, reload_fn done, void *arg);

enum phase supervisor_phase(const struct supervisor *supervisor);
/* 0, or 1 when it stops because something failed. */
int supervisor_exit_code(const struct supervisor *supervisor);
const struct config *supervisor_config(const struct supervisor *supervisor);
struct requests *supervisor_requests(struct supervisor *supervisor);
struct operations *supervisor_operations(struct supervisor *supervisor);
struct plans *supervisor_plans(struct supervisor *supervisor);
struct unit *supervisor_find(struct supervisor *supervisor, const char *name);
/* That of the name which is configured, or else one that is leaving; or NULL. */
struct unit *supervisor_find_any(struct supervisor *supervisor, const char *name);
/* A unit of that name that is removed, or moves to another host, and is not down yet; or NULL. */
struct unit *supervisor_find_leaving(struct supervisor *supervisor, const char *name);

#endif
