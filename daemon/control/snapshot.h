/* SPDX-License-Identifier: MIT */
/*
 * One consistent picture of everything, with its time. All that the outside is told (health,
 * metrics, the control socket, the status line, the watchdog's ping) is read from one of these, so
 * that no two answers of one moment contradict each other.
 */
#ifndef REEVE_DAEMON_CONTROL_SNAPSHOT_H
#define REEVE_DAEMON_CONTROL_SNAPSHOT_H

#include "daemon/control/reload.h"
#include "daemon/unit/counters.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* As in draft-inadarei-api-health-check. */
enum health { HEALTH_PASS, HEALTH_WARN, HEALTH_FAIL };

struct supervisor;

struct snapshot_task {
    const struct scoreboard_task *record; /* the module's */
    enum health health;
    char output[640]; /* why it is not well; "" when it is */
};

struct snapshot_module {
    char *name;
    enum unit_state state;
    enum health health;
    bool essential;
    bool ready;
    bool leaving;      /* no longer configured: it ends what is under way */
    char moves_to[64]; /* the host that it is leaving its present one for; "": it stays */
    int64_t state_since;
    pid_t pid;
    uint64_t starts;
    uint64_t restarts;
    uint64_t crashes;
    uint64_t hangs;
    uint64_t jobs_lost;
    int64_t start_patience; /* how long a start may take */
    int64_t stop_patience;  /* how long a stop may go on without anything that moves */
    int64_t moved_at;       /* when its work last did; 0: never in this incarnation */
    int64_t health_at;      /* when its own health() answered last; 0: it has none */
    char host[64];
    struct snapshot_task *tasks;
    struct scoreboard_task *records; /* the tasks' */
    size_t task_count;
    struct scoreboard_pool *pools;
    size_t pool_count;
    struct crash *crash;          /* until what crashed has succeeded; NULL: nothing has */
    struct restart *last_restart; /* NULL: none yet */
    char output[1200]; /* why it is not well; what stands behind its end is not even zeroed */
};

struct snapshot {
    struct supervisor *supervisor; /* whose it is: for usage_report_take() */
    int64_t taken;                 /* monotonic */
    int64_t taken_realtime;
    int64_t started_at;
    uint64_t generation;
    enum phase phase;
    enum health health;
    bool reloading;
    bool ready;             /* /readyz */
    bool started;           /* /startupz */
    uint64_t upgrades;      /* live ones, of this process */
    bool rolling;           /* hosts of another wire version are being replaced */
    unsigned foreign_hosts; /* that are still to be */
    struct reload_counts reloads;
    struct cause cause;
    size_t modules_ready;
    size_t modules_configured;
    struct snapshot_module *modules;
    size_t module_count; /* with those that are leaving */
};

void snapshot_free(struct snapshot *snapshot);

/* "pass", "warn", "fail". */
const char *health_name(enum health health);

#endif
