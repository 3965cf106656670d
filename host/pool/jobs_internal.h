/* SPDX-License-Identifier: MIT */
/* A pool's runner and its jobs, for the files that make it up: jobs.c what goes in and how it ends
 * as a whole, job_run.c one job, job_deadline.c the time that one has. */
#ifndef REEVE_HOST_POOL_JOBS_INTERNAL_H
#define REEVE_HOST_POOL_JOBS_INTERNAL_H

#include <stdatomic.h>

#include "host/pool/jobs.h"
#include "host/process/alarm.h"

/*
 * Safety: the lock protects the record, the counts, which go on where an earlier runner of the same
 * name left them, and what tells jobs that came before a mark from later ones. A job counts as
 * accepted once: by who submitted it, or when it begins or ends, which may come before the submit
 * returns. So both hold it. How it ends is under the lock, too: its time may be over while it
 * waits.
 */
struct pool_runner {
    struct host_module *module;
    const struct rv_module_pool *definition;
    const struct pool_settings *settings;
    struct rv_pool *pool;
    pthread_mutex_t lock;
    struct scoreboard_pool *record;
    struct {
        uint64_t accepted, finished, failed, lost, rejected;
    } counts;
    uint64_t generation;     /* how often it was marked */
    uint64_t marked;         /* jobs from before the last mark that have not ended */
    struct rv_channel *idle; /* has a token when there is none any more, for who waits for it */
    uint64_t retried_before;
    _Atomic uint64_t next_id;
};

struct host_job {
    struct pool_runner *runner;
    struct rv_job job;
    uint64_t request;
    rv_time submitted_at;     /* what a full queue held its submitter up is part of its waiting */
    rv_time begun_at;         /* its first attempt; 0: there was none */
    rv_duration timeout;      /* its own, from then on; 0: it has none */
    rv_time deadline;         /* RV_NEVER: it has none */
    struct rv_context *timed; /* done at the end of that; NULL: it has none */
    struct alarm alarm;       /* at its end */
    uint64_t generation;      /* of its runner when it was accepted */
    bool counted;             /* as accepted */
    pthread_mutex_t told;     /* held until its submitter is told that it is accepted */
    bool running;             /* an attempt is under way */
    struct {
        bool reached;  /* there is no further attempt, for want of time or as it has ended */
        bool answered; /* at that moment */
        int code;
        char *text; /* owned; NULL: as of the code */
    } end;
    _Atomic unsigned refs;
    char data[];
};

/* jobs.c: between these the record may be written, under the lock. */
struct scoreboard_pool *jobs_begin_change(struct pool_runner *runner);
void jobs_end_change(struct scoreboard_pool *record);

/* job_run.c: a job with two owners, who submits it and the pool; NULL without memory. own: the
 * module submits it. */
struct host_job *job_create(struct pool_runner *runner, bool own, const void *data, size_t size);
void job_drop(struct host_job *job);
/* With the lock. */
void job_count(struct pool_runner *runner, struct host_job *job);
/* Blocks until the submitter has been told that it is accepted: it is to hear nothing else of the
 * job before, also when the job ends the process at once. */
void job_await_told(struct host_job *job);
/* The function that the pool runs, and the one that it calls at the end. */
int job_run(struct rv_context *ctx, void *arg);
void job_ended(const struct rv_outcome *end, void *arg);
/* Answers a request; nothing for request 0. */
void job_answer(struct pool_runner *runner, uint64_t request, uint64_t id, int code,
                rv_duration duration, const char *text);
/* The time since its first attempt began, pauses included; of a job that never ran, since it was
 * submitted. */
rv_duration job_time(const struct host_job *job);

/* job_deadline.c: gives a job so long, before it is submitted. Past it no attempt begins, and
 * whoever waits is answered at that moment unless one is under way, which sees it by its context.
 * Returns 0 or -ENOMEM. */
int job_set_deadline(struct host_job *job, rv_duration timeout);
/* After an unowned job's end. */
void job_forget_deadline(struct host_job *job);
/* Brackets an attempt: false when there is none, and what the pool is told of its result, so that
 * there is none after the last that has time. */
bool job_may_begin(struct host_job *job);
int job_conclude(struct host_job *job, int r);

#endif
