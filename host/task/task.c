/* SPDX-License-Identifier: MIT */
/*
 * A task's runner.
 *
 * Properties: never two runs at once; run numbers count up over restarts of the module within the
 * host; every request is answered once.
 *
 * Operation: the schedule (task_schedule.c) decides when a periodic function of the runtime runs
 * next, which needs no thread while it waits. Points that pass during a run are counted, not made
 * up for. The first point that is open is published at every step, so that whatever ends the
 * runner, the one after it knows what is still to be done.
 *
 * Safety: the lock protects what changes in the runner, and the record, which the run, its progress
 * and the watch all write. The runtime asks for the next start under a lock of its own, so nothing
 * of the periodic function may be called under ours.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "host/module/module.h"
#include "host/report/board.h"
#include "host/report/event.h"
#include "host/report/log_sink.h"
#include "host/schedule/wall_clock.h"
#include "host/task/task_internal.h"
#include "wire/scoreboard.h"

const char *task_name(const struct task_runner *runner)
{
    return runner->definition->name;
}

/* One run at a time ------------------------------------------------------- */

enum began {
    BEGAN,
    PASSED, /* it is not its turn: a run is under way, or the task is stopped */
    GATED,
    VOID, /* a run on request has ended just before, so the next start is planned anew */
};

/* Why no run begins, and what helps. */
static void describe_stopped(const struct task_runner *runner, char *buffer, size_t size)
{
    snprintf(buffer, size,
             "the task is stopped: it has failed, and its on-error = stop; reevectl restart %s "
             "starts it again",
             runner->module->name);
}

/* A request finds a run under way, or the task stopped. */
static void refuse_busy(struct task_runner *runner, uint64_t request, bool stopped)
{
    char why[RV_ERROR_TEXT_SIZE] = "a run is under way already";

    if (stopped)
        describe_stopped(runner, why, sizeof(why));
    task_refuse(runner, request, -EBUSY, why);
}

/* Makes the runner busy, or notes what was missed. GATED: neither; a request was refused. VOID:
 * neither. The gate is looked at under the lock: whoever shuts it, and then finds the runner free,
 * can be sure. */
static enum began begin(struct task_runner *runner, uint64_t request)
{
    uint64_t queued = 0, number = 0;
    bool mine, stopped;

    pthread_mutex_lock(&runner->lock);
    if (module_gate_is_shut(runner->module)) {
        pthread_mutex_unlock(&runner->lock);
        task_refuse(runner, request, -EAGAIN, "the module is taking new options: try again");
        return GATED;
    }
    stopped = runner->stopped;
    mine = !runner->busy && !stopped;
    if (mine && request == 0 && runner->plan == TASK_PLAN_PAUSE) {
        pthread_mutex_unlock(&runner->lock);
        return VOID;
    }
    if (mine) {
        runner->busy = true;
        runner->number = runner->record->run + 1;
    } else if (runner->busy && runner->settings->overlap == TASK_OVERLAP_QUEUE &&
               !runner->pending) {
        runner->pending = true;
        runner->request = request;
        runner->held.open = runner->schedule.open;
        runner->held.open_realtime = runner->schedule.open_realtime;
        queued = request;
        number = runner->number + 1;
        request = 0;
    } else if (request == 0) {
        scoreboard_write_begin(runner->record);
        runner->record->skipped++;
        scoreboard_write_end(runner->record);
    }
    pthread_mutex_unlock(&runner->lock);
    /* Told again when it begins, with the time of that. */
    task_accept(runner, queued, number, rv_now());
    if (!mine)
        refuse_busy(runner, request, stopped);
    return mine ? BEGAN : PASSED;
}

/* A held run of the schedule will not be: its point stays open for the next runner. */
static void drop_held(struct task_runner *runner)
{
    scoreboard_write_begin(runner->record);
    if (runner->stopped) {
        runner->record->skipped++;
    } else {
        runner->schedule.open = runner->held.open;
        runner->schedule.open_realtime = runner->held.open_realtime;
    }
    scoreboard_write_end(runner->record);
}

/* It was accepted, so whoever does not wait for it can see what has become of it as well. */
static void end_pending(struct task_runner *runner, uint64_t request, bool stopped)
{
    struct rv_context *ctx = task_labelled(runner);
    char why[RV_ERROR_TEXT_SIZE] = "the module stops";

    if (stopped)
        describe_stopped(runner, why, sizeof(why));
    host_log(ctx, RV_LOG_WARNING, "a run that was queued does not begin: %s", why);
    rv_context_unref(ctx);
    task_refuse(runner, request, stopped ? -EBUSY : -ECANCELED, why);
}

/* Under the lock, after a run. */
static void end_wait(struct task_runner *runner)
{
    if (runner->busy && (runner->awaited == 0 || runner->number <= runner->awaited))
        return;
    if (runner->is_awaited)
        (void)!rv_channel_try_send(runner->ended, "");
    runner->is_awaited = false;
}

/* Gives the runner free, or takes the run that was queued meanwhile. */
static bool take_pending(struct task_runner *runner, uint64_t *ret_request)
{
    bool pending, stopped;

    pthread_mutex_lock(&runner->lock);
    stopped = runner->stopped;
    pending = runner->pending && !runner->stopped && rv_context_err(runner->module->tasks) == 0;
    *ret_request = runner->pending ? runner->request : 0;
    if (task_holds_a_point(runner) && !pending)
        drop_held(runner);
    runner->pending = false;
    scoreboard_write_begin(runner->record);
    task_write_open(runner);
    scoreboard_write_end(runner->record);
    runner->number++;
    if (!pending) {
        runner->busy = false;
    }
    end_wait(runner);
    pthread_mutex_unlock(&runner->lock);
    if (!pending && *ret_request != 0)
        end_pending(runner, *ret_request, stopped);
    return pending;
}

/* After begin(). */
static void run_all(struct task_runner *runner, uint64_t request, rv_time due)
{
    struct task_end end;
    uint64_t next;
    bool again;

    do {
        task_run_once(runner, request, due, &end);
        due = 0;
        again = take_pending(runner, &next);
        /* Only now: whoever is told that it is over may ask for the next at once. */
        task_answer(runner, request, &end);
        request = next;
    } while (again);
}

/* The schedule ------------------------------------------------------------ */

static rv_time start_planned(struct task_runner *runner, enum began began)
{
    rv_time due;

    pthread_mutex_lock(&runner->lock);
    runner->plan = TASK_PLAN_NEXT;
    runner->scheduled = began == BEGAN;
    due = runner->schedule.due;
    schedule_started(&runner->schedule);
    scoreboard_write_begin(runner->record);
    task_write_open(runner);
    scoreboard_write_end(runner->record);
    pthread_mutex_unlock(&runner->lock);
    return due;
}

/* Counts the points that came while it ran; with overlap = queue one of them is made up for at
 * once, or by the runner after this one. Returns whether there is to be another run, and *ret_again
 * whether now. */
static bool count_missed(struct task_runner *runner, bool *ret_again)
{
    struct schedule_now now = task_read_clocks();
    uint64_t missed;
    bool held, go_on;

    pthread_mutex_lock(&runner->lock);
    if (runner->stopped)
        now = runner->stopped_at;
    missed = schedule_missed(&runner->schedule, &now);
    held = missed > 0 && runner->settings->overlap == TASK_OVERLAP_QUEUE && !runner->stopped;
    *ret_again = held && rv_context_err(runner->module->tasks) == 0;
    if (*ret_again)
        schedule_resume(&runner->schedule, &now);
    else if (!held)
        schedule_pass(&runner->schedule, &now);
    runner->scheduled = false;
    scoreboard_write_begin(runner->record);
    if (!held || *ret_again)
        runner->record->skipped += missed - held;
    task_write_open(runner);
    scoreboard_write_end(runner->record);
    go_on = !runner->stopped;
    pthread_mutex_unlock(&runner->lock);
    return go_on;
}

/* The supervisor looks when a run is due; what has happened since then it should keep, too. */
static void ask_for_a_look(struct task_runner *runner)
{
    struct wire_message message = {
        .type = WIRE_BUSY, .module = runner->module->slot, .deadline = rv_now()};

    if (schedule_is_kept(&runner->settings->schedule))
        event_send(&message);
}

/* At a start it stays due: the gate opens at once. */
static int begin_planned(struct task_runner *runner, enum began *ret_began)
{
    int r = 0;

    module_wait_for_start(runner->module);
    while ((*ret_began = begin(runner, 0)) == GATED && r == 0) {
        task_expect_nothing(runner);
        r = module_wait_for_gate(runner->module);
    }
    return r;
}

/* A plan stays until the run begins: a reload that ends the wait for the gate leaves it to the
 * schedule that comes after. */
static int tick(struct rv_context *ctx _unused_, void *arg)
{
    struct task_runner *runner = arg;
    enum began began;
    rv_time due;
    bool go_on, again;

    do {
        if (begin_planned(runner, &began) < 0)
            return -ECANCELED;
        if (began == VOID)
            return 0;
        due = start_planned(runner, began);
        if (began == BEGAN)
            run_all(runner, 0, due);
        go_on = count_missed(runner, &again);
    } while (again);
    ask_for_a_look(runner);
    return go_on ? 0 : -ECANCELED;
}

/* Requests ---------------------------------------------------------------- */

struct request_run {
    struct task_runner *runner;
    uint64_t request;
};

static int run_request(struct rv_context *ctx, void *arg)
{
    struct request_run *run = arg;

    (void)ctx;
    module_wait_for_start(run->runner->module);
    if (begin(run->runner, run->request) == BEGAN)
        run_all(run->runner, run->request, 0);
    free(run);
    return 0;
}

void task_run(struct task_runner *runner, uint64_t request)
{
    struct request_run *run = malloc(sizeof(*run));
    int r = -ENOMEM;

    if (run) {
        *run = (struct request_run){runner, request};
        r = rv_group_try_go(runner->requests, run_request, run);
    }
    if (r < 0) {
        free(run);
        task_refuse(runner, request, r,
                    r == -ENOMEM ? "no memory for the run" : "no thread is free for the run");
    }
}

/* Life -------------------------------------------------------------------- */

int task_create(struct host_module *module, const struct rv_task *definition,
                const struct task_settings *settings, const struct last_runs *last_runs,
                struct task_runner **ret_runner)
{
    struct task_runner *runner = calloc(1, sizeof(*runner));
    int r;

    if (!runner)
        return -ENOMEM;
    runner->module = module;
    runner->definition = definition;
    runner->settings = settings;
    pthread_mutex_init(&runner->lock, NULL);
    runner->record = board_task(module->slot, definition->name);
    if (!runner->record) {
        pthread_mutex_destroy(&runner->lock);
        free(runner);
        return board_refuse("task", definition->name, SCOREBOARD_TASKS);
    }
    task_begin_schedule(runner, last_runs);
    /* Requests are runs like others: their cancel comes through the run's own context. */
    r = rv_group_create(rv_context_background(), &runner->requests);
    if (r == 0)
        r = rv_channel_create(1, 1, &runner->ended);
    if (r == 0)
        r = task_start_schedule(runner, tick);
    if (r < 0) {
        task_destroy(runner, NULL);
        return r;
    }
    *ret_runner = runner;
    return 0;
}

uint64_t task_run_under_way(struct task_runner *runner)
{
    uint64_t run;

    pthread_mutex_lock(&runner->lock);
    run = runner->busy ? runner->number : 0;
    pthread_mutex_unlock(&runner->lock);
    return run;
}

bool task_wait(struct rv_context *ctx, struct task_runner *runner, uint64_t run)
{
    char token;
    bool done;

    pthread_mutex_lock(&runner->lock);
    runner->is_awaited = true;
    runner->awaited = run;
    end_wait(runner);
    pthread_mutex_unlock(&runner->lock);
    done = rv_channel_recv(ctx, runner->ended, &token) == 0;
    pthread_mutex_lock(&runner->lock);
    /* One that came too late is for nobody. */
    if (!done && !runner->is_awaited)
        done = rv_channel_try_recv(runner->ended, &token) == 0;
    runner->is_awaited = false;
    pthread_mutex_unlock(&runner->lock);
    return done;
}

void task_destroy(struct task_runner *runner, struct last_runs *last_runs)
{
    wall_clock_forget(runner->clock);
    /* A run on request that ends plans the periodic function anew. */
    if (runner->requests) {
        (void)!rv_group_wait(runner->requests);
        rv_group_destroy(runner->requests);
    }
    if (runner->periodic)
        rv_periodic_destroy(runner->periodic);
    if (last_runs)
        task_hand_on(runner, last_runs);
    scoreboard_write_begin(runner->record);
    runner->record->state = SCOREBOARD_TASK_STOPPED;
    runner->record->next_due = 0;
    scoreboard_write_end(runner->record);
    rv_channel_unref(runner->ended);
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}
