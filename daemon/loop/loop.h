/* SPDX-License-Identifier: MIT */
/*
 * The event loop of the supervisor. This directory is the only one that knows libevent.
 *
 * One thread runs the loop; every callback runs in it, and none may block. Work that must block
 * runs on a thread of its own (loop_background_start()). A source may be removed from within any
 * callback, its own included. Structures are opaque and owned by who made them.
 */
#ifndef REEVE_LOOP_LOOP_H
#define REEVE_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

struct loop;

/* Creates the loop and routes libevent's own messages into our log. Returns 0 or a negative errno.
 */
int loop_create(struct loop **ret_loop);
/* All sources must be gone. NULL does nothing. */
void loop_destroy(struct loop *loop);
/* Runs until loop_stop(). Returns 0, or -EIO when libevent gave up. */
int loop_run(struct loop *loop);
/* Ends loop_run() after the present callback. */
void loop_stop(struct loop *loop);

/* Descriptors ------------------------------------------------------------- */

#define LOOP_READ  1u
#define LOOP_WRITE 2u

struct loop_io;
typedef void (*loop_io_fn)(int fd, unsigned events, void *arg);

/* Watches fd, level-triggered; it stays the caller's and must outlive the source. Returns 0 or a
 * negative errno: the kernel may refuse (-ENOMEM, -ENOSPC). */
int loop_io_create(struct loop *loop, int fd, unsigned events, loop_io_fn fn, void *arg,
                   struct loop_io **ret_io);
/* The events to watch for from now on; 0 pauses. Where the kernel refuses, it is tried again until
 * it does not. */
void loop_io_watch(struct loop_io *io, unsigned events);
void loop_io_destroy(struct loop_io *io);

/* Timers ------------------------------------------------------------------ */

struct loop_timer;
typedef void (*loop_timer_fn)(void *arg);

int loop_timer_create(struct loop *loop, loop_timer_fn fn, void *arg,
                      struct loop_timer **ret_timer);
/* Runs fn once, ns from now (at once in the next turn when ns <= 0), in place of an earlier arming.
 */
void loop_timer_arm(struct loop_timer *timer, int64_t ns);
void loop_timer_disarm(struct loop_timer *timer);
/* When it will run, on the monotonic clock; 0 when it is not armed. */
int64_t loop_timer_due(const struct loop_timer *timer);
void loop_timer_destroy(struct loop_timer *timer);

/* Signals ----------------------------------------------------------------- */

struct loop_signals;

/* The sender of a signal; code is siginfo's si_code (SI_USER, SI_KERNEL, ...). */
struct loop_sender {
    pid_t pid;
    uid_t uid;
    int code;
};
typedef void (*loop_signal_fn)(int signal, const struct loop_sender *sender, void *arg);

/*
 * Blocks the signals of a 0-terminated list and reads them through a signalfd, which tells the
 * sender where libevent's own signal events do not. Returns 0 or a negative errno.
 */
int loop_signals_create(struct loop *loop, const int *signals, loop_signal_fn fn, void *arg,
                        struct loop_signals **ret_signals);
void loop_signals_destroy(struct loop_signals *signals);

/* Children ---------------------------------------------------------------- */

struct loop_child;

/* How a child ended. */
struct loop_exit {
    int code;    /* its exit status, or -1 */
    int signal;  /* the signal that killed it, or 0 */
    bool core;   /* a core was dumped */
    int64_t cpu; /* ns, user and system, with the children that it had waited for */
};
typedef void (*loop_child_fn)(pid_t pid, const struct loop_exit *exit, void *arg);

/*
 * Watches a child of ours through a pidfd; fn is called once, after the child was reaped. Returns 0
 * or a negative errno; the caller must then end and reap the child itself.
 */
int loop_child_create(struct loop *loop, pid_t pid, loop_child_fn fn, void *arg,
                      struct loop_child **ret_child);
/* Sends a signal through the pidfd: never to a process that took the pid over. Returns 0 or a
 * negative errno, -ESRCH when it has ended. */
int loop_child_kill(struct loop_child *child, int signal);
/* Whether a child of that pid is watched, and has not ended. */
bool loop_child_is_watched(pid_t pid);
/*
 * Reaps children that have ended, whoever started them: to be called after SIGCHLD. Those that are
 * watched are told as ever, of the others orphan() hears. Returns false when there may be more, so
 * that others have their turn: call it again soon.
 */
bool loop_reap_children(loop_child_fn orphan, void *arg);
/* Forgets a child that ended, from fn or later. */
void loop_child_destroy(struct loop_child *child);

/* Background -------------------------------------------------------------- */

struct loop_background;

/* Work that may block, such as waiting for a disk or for a new process to be there. It runs on a
 * thread of its own, with all signals blocked and a small stack. It must not touch anything that
 * the loop's thread may use at the same time, and neither sources of the loop nor the log. Returns
 * 0 or a negative errno. */
typedef int (*loop_work_fn)(void *arg);
/* Called in the loop when the work has ended, with its result. */
typedef void (*loop_done_fn)(int result, void *arg);

/* Returns 0 or a negative errno. */
int loop_background_create(struct loop *loop, loop_work_fn work, loop_done_fn done, void *arg,
                           struct loop_background **ret_background);
/* Starts the work, which must not be running. Returns 0, or -EAGAIN or -ENOMEM when no thread can
 * be created: then done is not called, and the caller tries again later. */
int loop_background_start(struct loop_background *background);
/* Whether the work runs, or done has not been called yet. exec() would kill the thread. */
bool loop_background_is_busy(const struct loop_background *background);
/* The descriptor that the thread writes to at the end of the work: a thread that leaves descriptors
 * behind must keep it. */
int loop_background_fd(const struct loop_background *background);
/* If the work runs, waits for its end and calls done. Only after the loop has ended. Returns false
 * when the work takes longer than the nanoseconds; INT64_MAX is for ever. */
bool loop_background_wait(struct loop_background *background, int64_t ns);
/* For the end of the process: leaves work that hangs to itself, and its thread to exit(). done is
 * not called, and nothing that the work uses may be freed. Takes the place of a destroy. */
void loop_background_abandon(struct loop_background *background);
/* The work must not be running. NULL does nothing. */
void loop_background_destroy(struct loop_background *background);

#endif
