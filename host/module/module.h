/* SPDX-License-Identifier: MIT */
/*
 * One module in its host: its state, its two contexts, its tasks and pools, and its life.
 *
 * Operations (start, check, reload, stop) are done one after the other by a thread of the module's
 * own, so that no module can hold up the control socket or another module. Runs and submits come
 * from the control thread and find the module ready or not.
 */
#ifndef REEVE_HOST_MODULE_MODULE_H
#define REEVE_HOST_MODULE_MODULE_H

#include <pthread.h>
#include <reeve/module.h>
#include <stdatomic.h>

#include "host/load/options.h"
#include "host/process/alarm.h"
#include "host/schedule/last_runs.h"
#include "wire/message.h"
#include "wire/scoreboard.h"

struct host_module;
struct pool_runner;
struct task_runner;

/* The grace of a cancelled call into a module that has none of its own: the host's. Set before
 * there is one. */
void module_set_grace(rv_duration grace);
rv_duration module_grace(void);

enum module_op_kind {
    MODULE_OP_START = 1,
    MODULE_OP_CHECK,
    MODULE_OP_RELOAD,
    MODULE_OP_STOP,
    MODULE_OP_END, /* the module's thread ends */
};

struct module_op {
    enum module_op_kind kind;
    struct option_lines lines;  /* owned; of START, CHECK and RELOAD */
    struct last_runs last_runs; /* owned; of START */
    rv_duration drain;          /* of STOP, as the rest */
    rv_duration stall;
    rv_duration grace;
    bool drain_queue;
    uint64_t number; /* of RELOAD: what answers it has it, too */
    char cause[256];
};

#define MODULE_WAITS_SIZE 160

/* See drain.h. */
struct drain {
    struct rv_context *limit; /* done at its end */
    struct rv_cancel *cancel_limit;
    struct alarm alarm;
    rv_time end;
    rv_duration stall;
};

struct host_module {
    void (*act)(struct host_module *module, struct module_op *op);
    uint32_t slot;
    char *name;
    char *path;
    /* That come in; of the control thread. */
    struct option_lines lines;
    struct last_runs new_last_runs;
    int lines_lost; /* why one of these could not be kept: the operation that they are for is
                       refused */

    struct rv_context *root;  /* labelled with the module's name */
    struct rv_context *tasks; /* of runs; NULL unless started */
    struct rv_context *work;  /* of jobs, and of runs that may finish */
    struct rv_cancel *cancel_root, *cancel_tasks, *cancel_work;
    /* That init() and the last reload() got: kept, as the module may have kept them, until fini().
     */
    struct rv_context *init, *reload;
    struct rv_channel *ops;
    /* For these no memory is needed: they end things. */
    struct module_op stop, end;

    /* Of the module's thread. */
    bool loaded;
    struct loaded_module code;
    struct bound_options bound;
    struct last_runs last_runs; /* for the tasks that begin next, at a start or after a reload */
    struct rv_group *health;    /* of one thread, which asks for it */
    uint64_t health_asked;      /* of that thread: how often */
    struct scoreboard_module *record;

    struct drain drain;
    _Atomic rv_time moved_at; /* when something of its work last did */

    pthread_mutex_t record_lock; /* protects record, which the health check writes too */

    pthread_mutex_t lock; /* protects what follows */
    bool announced;       /* READY was sent: what comes after it may be */
    struct {
        bool any;
        int code;
        char stage[96], text[RV_ERROR_TEXT_SIZE];
    } give_up;                       /* that came before READY */
    bool stop_asked;                 /* a STOP waits behind the operation under way */
    bool stop_queued;                /* `stop` is in use */
    unsigned ops_waiting;            /* of the other kinds */
    struct module_op *reload_queued; /* behind the operation under way; NULL: none */
    struct {
        struct rv_cancel *cancel;      /* of the operation under way: cancelled by a STOP */
        bool replaceable;              /* and by a RELOAD */
        char waits[MODULE_WAITS_SIZE]; /* for what it waits that a RELOAD cannot end; "": for
                                          nothing */
    } operation;
    struct rv_channel *gate; /* runs that are due wait for its close; NULL: it is open */
    bool starting;           /* it is shut until READY is sent */
    bool ready;              /* takes runs and submits */
    uint64_t lost;           /* jobs, during this stop */
    struct task_runner **task_runners;
    struct pool_runner **pool_runners;
    bool pools_open;          /* they can be submitted to from within */
    bool finishing;           /* fini is next, and no pool after it */
    unsigned submitting;      /* calls from within that use a pool */
    pthread_cond_t submitted; /* one of them has returned */
};

/* Things of the host that module_create() needs. */
struct module_owner {
    struct rv_context *ctx; /* of the host */
    struct rv_group *group; /* of the modules' threads */
    /* Does one operation, on the module's thread, and tells how it went. */
    void (*act)(struct host_module *module, struct module_op *op);
};

/* Returns 0 or a negative errno; ends with module_destroy(), after MODULE_OP_END was done. */
int module_create(const struct module_owner *owner, uint32_t slot, const char *name,
                  const char *path, struct host_module **ret_module);
void module_destroy(struct host_module *module);

/* Queues an operation, which takes over what it owns; a RELOAD takes the place of one that waits.
 * Returns 0, or an error when too many wait, or there is no memory; a STOP and an END never fail.
 * One STOP waits at a time, and answers for others. */
int module_operate(struct host_module *module, const struct module_op *op);

/* Frees what an operation owns, when it was not queued. */
void module_op_free(struct module_op *op);

/* Answers a request with RESULT, without a run or job. flags: WIRE_RESULT_RUN or 0. */
void module_refuse(struct host_module *module, uint64_t request, uint32_t flags, int code,
                   const char *text);
/* A module that is not ready; waits: operation.waits, "" when it is not for new options. */
void module_refuse_for_now(struct host_module *module, uint64_t request, uint32_t flags,
                           const char *waits);
/* "module a has no task "chek"; it has check, sweep" */
void module_refuse_unknown(struct host_module *module, uint64_t request, uint32_t flags,
                           const char *what, const char *name);

/* Says that something of the module failed for good: the supervisor restarts it. Before READY it
 * waits for that: else it would look like a start that failed, of a module that is up. */
void module_give_up(struct host_module *module, const char *stage, int code, const char *text);

/* Sends READY, and then a failure that came before it. */
void module_announce(struct host_module *module, const struct wire_message *ready);

/* A STOP has come: nothing is accepted any more, and the operation under way gives way to it: init,
 * and a reload that waits for work. */
void module_expect_stop(struct host_module *module, const char *cause);

/* No run begins from now on: those that are due wait; at a start those that somebody asks for, too.
 */
int module_shut_gate(struct host_module *module, bool starting);
void module_open_gate(struct host_module *module);
bool module_gate_is_shut(struct host_module *module);
/* Waits while the gate is shut. Returns 0, or a negative errno when tasks are cancelled. */
int module_wait_for_gate(struct host_module *module);
/* The same, if it is that of a start. */
void module_wait_for_start(struct host_module *module);

/* Something of its work has moved. Any thread. */
void module_note_progress(struct host_module *module);

/* The module that a context leads to, or NULL. */
struct host_module *module_of(struct rv_context *ctx);

/* Brackets a call into the module, for the record: "init" and so on. */
void module_begin_activity(struct host_module *module, const char *what);
void module_end_activity(struct host_module *module);

#endif
