/* SPDX-License-Identifier: MIT */
/*
 * Runs and jobs that somebody asked for from outside. Each request gets one final answer: from the
 * host, or from here when the host ends first.
 */
#ifndef REEVE_DAEMON_UNIT_REQUEST_H
#define REEVE_DAEMON_UNIT_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct unit;
struct wire_message;

/* A live context of a module's. */
struct request_node {
    unsigned depth;
    int err;      /* 0, or why it is done */
    uint64_t run; /* or job; 0 for none */
    int64_t age;
    int64_t deadline; /* on the monotonic clock; INT64_MAX for none */
    const char *name; /* printable; lives until the call returns */
};

struct request_answer {
    bool final; /* else: it was accepted under this number, or a node has come */
    const struct request_node *node; /* of request_tree(); else NULL */
    uint64_t number;                 /* of the run or job; 0 when it was not accepted */
    int code;                        /* 0 or a negative errno */
    int64_t duration;                /* if the host died: since it was accepted */
    const char *text;                /* why it failed; "" after a success */
};

typedef void (*request_fn)(const struct request_answer *answer, void *arg);

struct requests {
    struct list list;
    uint64_t next_id;
};

void requests_init(struct requests *requests);
/* Answers all that are left with -ECANCELED. */
void requests_finish(struct requests *requests);

/*
 * Both return 0, and then fn is called with the answers in later turns of the loop; -EAGAIN when
 * the module is not ready, -ENOBUFS when its host does not read those before, -EMSGSIZE past
 * WIRE_JOB_DATA_MAX, or -ENOMEM. data is copied; timeout is the job's deadline in ns, 0 for the
 * pool's own.
 */
int request_run(struct requests *requests, struct unit *unit, const char *task, request_fn fn,
                void *arg);
int request_submit(struct requests *requests, struct unit *unit, const char *pool, const void *data,
                   size_t size, int64_t timeout, request_fn fn, void *arg);

/* Asks for the module's live contexts: an answer for each, parents first, and a final one with
 * their number. Returns as the others. */
int request_tree(struct requests *requests, struct unit *unit, request_fn fn, void *arg);
/* Nobody waits for the answers any more. */
void requests_forget(struct requests *requests, request_fn fn, void *arg);

/* A request as one program hands it to the next. */
struct request_record {
    uint64_t id;
    uint64_t number;
    int64_t accepted_at; /* monotonic; 0: not yet, or an earlier version did not say */
    const char *module;
};

/*
 * For a live upgrade. requests_each() calls fn for every run and job for which a connection waits.
 * request_resume() makes a connection wait for a request that the program before has sent; it
 * returns 0 or -ENOMEM.
 */
void requests_each(const struct requests *requests,
                   void (*fn)(const struct request_record *record, request_fn answered,
                              void *waiting, void *arg),
                   void *arg);
int request_resume(struct requests *requests, struct unit *unit,
                   const struct request_record *record, request_fn fn, void *arg);

/* An ACCEPTED, NODE or RESULT came from the unit's host. */
void request_answered(struct requests *requests, const struct unit *unit,
                      const struct wire_message *message);
/* The unit's host is gone: what it was asked is answered with -EPIPE and why. */
void requests_host_ended(struct requests *requests, const struct unit *unit, const char *why);

#endif
