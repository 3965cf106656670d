/* SPDX-License-Identifier: MIT */
/* A task's runner, for the files that make it up: task.c its turns and requests, task_schedule.c
 * its schedule, task_run.c one run from begin to end. */
#ifndef REEVE_HOST_TASK_TASK_INTERNAL_H
#define REEVE_HOST_TASK_TASK_INTERNAL_H

#include "host/schedule/schedule.h"
#include "host/task/task.h"

struct task_runner {
    struct host_module *module;
    const struct rv_task *definition;
    const struct task_settings *settings;
    struct rv_periodic *periodic;
    struct rv_group *requests; /* runs on request */
    struct wall_clock *clock;  /* of a schedule that goes by it */
    bool zone_failing;         /* of its thread: that a new zone cannot be read was told */
    pthread_mutex_t lock;      /* protects what follows, and the record */
    struct scoreboard_task *record;
    struct schedule schedule;
    /* The next question to the schedule: its first start; after a start, the one that follows; else
     * it waits, and the time of day was set, or a run on request has ended. */
    enum { TASK_PLAN_FIRST, TASK_PLAN_NEXT, TASK_PLAN_AGAIN, TASK_PLAN_PAUSE } plan;
    struct schedule_gap stepped; /* what a step of the clock has passed over, until it is told */
    struct rv_channel *ended; /* has a token when the awaited run has ended, for who waits for it */
    bool is_awaited;          /* by who has not been told yet */
    uint64_t awaited;         /* 0: until the runner is free */
    bool busy;
    uint64_t number;                /* of the run under way, or about to begin */
    bool stopped;                   /* on-error = stop; */
    struct schedule_now stopped_at; /* what comes after that is nobody's */
    bool scheduled;                 /* the run under way is the schedule's */
    bool pending;                   /* overlap = queue: run again right after */
    uint64_t request; /* of the pending run; 0: it is the schedule's, whose point stays open */
    struct {
        rv_time open;
        int64_t open_realtime;
    } held; /* the schedule's first open point before its run became the pending one */
};

/* How a run ended, for who asked for it. */
struct task_end {
    uint64_t number; /* of the run; 0: there was none */
    int code;
    rv_duration duration;
    char text[RV_ERROR_TEXT_SIZE];
};

/* One run from begin to end, by the thread that made the runner busy. due is when it was to start;
 * 0 for one on request, whose request is accepted here, and answered by the caller. */
void task_run_once(struct task_runner *runner, uint64_t request, rv_time due,
                   struct task_end *ret_end);

/* task_schedule.c */
void task_begin_schedule(struct task_runner *runner, const struct last_runs *last_runs);
int task_start_schedule(struct task_runner *runner, rv_function tick);
/* A run has ended. The end of one that the schedule started plans the next; after one on request
 * the pause after failures begins, or ends, as well. Not for a run that was cancelled. */
void task_plan_pause(struct task_runner *runner);
/* Says which points of the wall clock the pause after the last run leaves out. */
void task_tell_left_out(struct task_runner *runner);
void task_hand_on(const struct task_runner *runner, struct last_runs *last_runs);
struct schedule_now task_read_clocks(void);
/* For lines of the log that are the task's, and no run's; the caller unrefs it. */
struct rv_context *task_labelled(const struct task_runner *runner);

/* The pending run is the schedule's. */
bool task_holds_a_point(const struct task_runner *runner);

/* Publishes which point is open, within the record's brackets and the runner's lock. */
void task_write_open(struct task_runner *runner);

/* Nothing for request 0. A request is accepted when its run is certain to come: it begins, or is
 * queued. */
void task_accept(struct task_runner *runner, uint64_t request, uint64_t number, rv_time since);
void task_answer(struct task_runner *runner, uint64_t request, const struct task_end *end);

/* Ends a request without a run. */
void task_refuse(struct task_runner *runner, uint64_t request, int code, const char *text);

#endif
