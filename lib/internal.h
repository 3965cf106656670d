/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of the runtime.
 *
 * Lock order, outermost first: a context's tree lock, a context's hook lock, an object's own lock
 * (channel, pool, ...), the timer's lock, the executor's lock, the parkers'. A hook's function runs
 * under the hook lock, so an object never adds or removes a hook while it holds its own lock.
 *
 * Those of the signals, of what keeps children's statuses, and of contexts' descriptors are taken
 * with a hook lock at most, and none is taken with them. State that the whole process shares is
 * held over a fork (fork.c).
 */
#ifndef REEVE_LIB_INTERNAL_H
#define REEVE_LIB_INTERNAL_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <reeve/context.h>
#include <reeve/error.h>
#include <reeve/group.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/duration.h"
#include "base/list.h"
#include "lib/attempt.h"

/* Time -------------------------------------------------------------------- */

/* A deadline from a timeout: one of 0 or less has passed already. */
rv_time deadline_after(rv_duration timeout);

/* The first point after now of the grid that has `point` among its own; RV_NEVER where that is
 * never. */
rv_time grid_next(rv_time point, rv_duration interval, rv_time now);

/* Forks (fork.c) ---------------------------------------------------------- */

/* In a child of fork() whose parent had threads of the runtime. Set once, while the child has one
 * thread. */
extern bool runtime_forked __attribute__((visibility("hidden")));

static inline bool runtime_is_forked(void)
{
    return __builtin_expect(runtime_forked, false);
}

/* Says so. Returns -ENOTSUP. */
int runtime_refuse_fork(void);

/* signals.c. In the child, with the lock: which nobody cancels any more, signals do what they did
 * before. Returns whether there was a thread for them. */
void signals_lock(void);
void signals_unlock(void);
bool signals_forked(void);

/* Parking (parker.c) ------------------------------------------------------ */

/*
 * Where a thread sleeps. Every thread that ever blocks has one; its memory is never given back,
 * only reused, so that a late rv_unpark() of a thread that has moved on is a spurious wake-up and
 * nothing worse.
 */
struct parker;

struct parker *parker_self(void);
/* One for a thread that is to be made, which adopts it as the first thing; NULL without memory. */
struct parker *parker_prepare(void);
void parker_adopt(struct parker *parker);
/* Instead, if the thread could not be made. */
void parker_give_back(struct parker *parker);
/* Sleeps until unparked or the deadline (monotonic, RV_NEVER for none). May return early: callers
 * check what they wait for. Returns false after the deadline. */
bool parker_park(struct parker *parker, rv_time deadline);
/* The same, without looking for an unpark first. */
bool parker_sleep(struct parker *parker, rv_time deadline);
/* The same, but one of the descriptors being ready ends it too. Returns poll()'s count of those, or
 * a negative errno. fds has room for one more than count, at its end. */
int parker_poll(struct parker *parker, struct pollfd *fds, size_t count, rv_time deadline);
/* hope_spin() with the calling thread's own hope, if any is left. */
bool parker_look(unsigned pace, bool (*is_ready)(const void *arg), const void *arg);
/* Ends the present or the next park. NULL does nothing. */
void parker_unpark(struct parker *parker);
/* For fork.c, as timer_lock(). */
void parker_lock(void);
void parker_unlock(void);
/* In the child, with the lock. */
void parkers_forked(void);

/* Patience (patience.c) --------------------------------------------------- */

/* Whether it pays to look at a word for a while before sleeping, as learned from the last times:
 * each time that it did not, more of the next waits begin without a look. */
struct hope {
    unsigned vain; /* looks in a row */
    unsigned skip; /* so many waits */
};
/* Asked before each wait. */
bool hope_is_left(struct hope *hope);
/* Looks until is_ready(arg), for about as long as sleeping and waking take; `pace` is how many
 * pauses are between two looks, as looking takes the memory from whoever writes it. Returns whether
 * it was. */
bool hope_spin(struct hope *hope, unsigned pace, bool (*is_ready)(const void *arg),
               const void *arg);

/* For fork.c, in the child: nobody looks there. */
void hopes_forked(void);

/*
 * Whether it pays to leave something alone for about 2 us, so that more of it gathers. A thread
 * that takes each piece as soon as it is there shares a cache line with the one that brings it all
 * the time, and both wait for it more than they work; who comes back for twenty at once has the
 * line to himself.
 */
struct flow {
    int left;
    unsigned since;  /* times without gathering, after which it is tried again */
    const void *met; /* the channel whose other side the last operation met */
};
#define GATHERED_ENOUGH 16
/* Pauses, if pauses have paid of late. The caller has seen less than enough. */
void flow_gather(struct flow *flow);
/* How much there was then. */
void flow_learn(struct flow *flow, size_t count);
/* The calling thread's own, for its channels: of receiving and of sending. */
extern __thread struct flow thread_flows[2] __attribute__((visibility("hidden")));

/*
 * Keeping up: a thread that is awake does short work sooner than another one could be woken for it.
 * A timer looks after each WATCH; if fewer than FEW pieces of work have ended since, they are not
 * short.
 */
#define SHORT_WORK (20 * RV_MICROSECOND) /* all that waits */
#define WATCH      RV_MILLISECOND
#define FEW        ((uint64_t)(WATCH / SHORT_WORK))

/*
 * Whether a thread runs on the processor of the one that wakes it. If so, the thread that wakes
 * makes way for the one that is woken, which finds little; so it pays to sleep on, for a limited
 * time, until there is as much as there can be. Learned from where both ran the last time, and
 * whether sleeping on has brought more. The lock of its owner protects it.
 */
struct place {
    int cpu;       /* of the last thread that woke one */
    bool same;     /* was that of the thread that was woken */
    unsigned vain; /* in a row: sleeping on brought little */
    unsigned skip; /* so many sleeps */
};
/* By the thread that wakes, and the one that was woken. */
void place_wake(struct place *place);
void place_woken(struct place *place);
/* Before a sleep: whether to sleep on. */
bool place_sleep_on(struct place *place);
/* After having slept on: how much there was then. */
void place_learn(struct place *place, size_t count);

/* A mutex that is held for some tens of nanoseconds: who finds it taken looks again a few times
 * before sleeping. */
void short_mutex_init(pthread_mutex_t *mutex);

/* Processors that this process may use. */
unsigned processor_count(void);

/* Waiting for one of several things --------------------------------------- */

/* Lives on the waiter's stack. The thread that claims it first decides the result; only that one
 * may touch what the waiter waits with. */
struct wait {
    _Atomic int result; /* WAIT_PENDING until claimed */
    struct parker *parker;
};

#define WAIT_PENDING 0
#define WAIT_CANCEL  -1
#define WAIT_TIMEOUT -2

static inline void wait_init(struct wait *wait)
{
    atomic_init(&wait->result, WAIT_PENDING);
    wait->parker = parker_self();
}

static inline bool wait_claim(struct wait *wait, int result)
{
    int expected = WAIT_PENDING;

    return atomic_compare_exchange_strong_explicit(&wait->result, &expected, result,
                                                   memory_order_acq_rel, memory_order_acquire);
}

static inline int wait_result(const struct wait *wait)
{
    return atomic_load_explicit(&wait->result, memory_order_acquire);
}

/* Parks until the wait is claimed, by the deadline at the latest. Returns its result. */
int wait_for(struct wait *wait, rv_time deadline);

/* Contexts (context.c) ---------------------------------------------------- */

/*
 * Something that happens when a context becomes done: a wait is claimed with WAIT_CANCEL, or fn is
 * called under the context's hook lock. Lives with its owner, who removes it before it goes away.
 */
struct context_hook {
    struct list list;
    _Atomic bool linked;
    struct wait *wait;
    void (*fn)(struct context_hook *hook);
};

/* Returns 0, or the context's code when it is done: then the hook was not added. */
int context_hook_add(struct rv_context *ctx, struct context_hook *hook);
/* After it the hook neither is nor will be run; whether it was is for its owner to know. */
void context_hook_remove(struct rv_context *ctx, struct context_hook *hook);

/* A reference, unless the last one is gone already. */
bool context_try_ref(struct rv_context *ctx);
/* The handle of a context is its address. */
static inline struct rv_cancel *cancel_of(struct rv_context *ctx)
{
    return (struct rv_cancel *)ctx;
}
/* For what makes a context: *ret_cancel may be NULL. */
static inline void give_cancel(struct rv_context *ctx, struct rv_cancel **ret_cancel)
{
    if (ret_cancel)
        *ret_cancel = cancel_of(ctx);
}
/* As rv_context_cancel(). */
void context_cancel_format(struct rv_context *ctx, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
/* The same with a finished text. */
void context_cancel_text(struct rv_context *ctx, int code, const char *text);
/* Whether ctx is, or descends from, one that carries key = value anywhere above. */
bool context_has_value(const struct rv_context *ctx, const void *key, const void *value);

/* For fork.c: what contexts share, and in the child, with that locked, what becomes its own. */
void contexts_lock(void);
void contexts_unlock(void);
void contexts_forked(void);

/* Timers (timer.c) -------------------------------------------------------- */

/* Lives with its owner; zeroed but for fn it is ready. fn runs on the timer's thread, with no lock
 * held, must not block, and may add or remove timers, this one included. */
struct timer {
    rv_time due;
    struct list list;
    uint16_t slot; /* of the wheel, plus one; 0: not armed */
    void (*fn)(struct timer *timer);
};

/* Returns 0, or -EAGAIN when the timer's thread cannot be started; then it is not armed. One that
 * is armed is moved. */
int timer_arm(struct timer *timer, rv_time due);
/* Before the first that must not fail. Returns as timer_arm(). */
int timer_prepare(void);
/* Disarms it; if fn is running, waits for its end unless called from it. Returns whether it was
 * armed. */
bool timer_remove(struct timer *timer);
/* Disarms without waiting. */
bool timer_disarm(struct timer *timer);
size_t timer_count(void);
void timer_lock(void);
void timer_unlock(void);
bool timer_has_thread(void);

/* Threads (executor.c) ---------------------------------------------------- */

/* Runs fn(arg) at once, on an idle thread or a new one. Returns 0 or -EAGAIN. */
int executor_start(void (*fn)(void *arg), void *arg);
/* The same, on one thread more than there may be if need be: for what its caller cannot wait for.
 */
int executor_start_beyond(void (*fn)(void *arg), void *arg);

/* Called by such a function as the last thing that it does under its owner's lock: from then on its
 * thread counts as free, so that whoever learns of its end finds room. It takes no lock after. */
void executor_retire(void);

/* Work that waits for a thread if need be (work.c). Lives with its owner, zeroed but for fn, who
 * may free it from within fn. */
struct work {
    struct list list;
    bool queued; /* executor_lock protects it */
    void (*fn)(struct work *work);
};
/* Never fails: when no thread can be had, the work waits for one. */
void executor_queue(struct work *work);
/* Returns true if nobody had begun it, and then nobody will. */
bool executor_take_back(struct work *work);

/* For work that others wait for with all threads there are: it finds one all the same. */
void executor_queue_ending(struct work *work);
/* Before the first of it. Returns 0, or -EAGAIN when the thread for that cannot be made. */
int executor_prepare_ending(void);

/* Work that the calling thread queues from now on gets its threads when it lets go: to wake one for
 * each of many costs more than most are worth. It must let go soon. */
void executor_gather(void);
void executor_let_go(void);

/* Whether so many threads more could be had now, as far as it is for the runtime to say. */
bool executor_has_room(unsigned count);

/* Threads that are set aside; executor_start_reserved() then cannot fail for want of them. Returns
 * 0 or -EAGAIN. */
int executor_reserve(unsigned count);
void executor_unreserve(unsigned count);
int executor_start_reserved(void (*fn)(void *arg), void *arg);

/* Hosts (hosted.c) -------------------------------------------------------- */

/* A thread of the runtime begins, and will run functions of others. */
void hosted_thread_start(void);

/* Errors (error.c) -------------------------------------------------------- */

/* The code that a cancel is told as: a negative errno, whatever was given. */
static inline int cancel_code(int code)
{
    if (code == 0)
        return -ECANCELED;
    return code > 0 ? -code : code;
}

/* As strerror_r(), of a negative errno or a positive one; any other number will do, too. */
const char *error_name(int err, char *buffer, size_t size);

/* Makes text the calling thread's: of an error that a function returned elsewhere. "" for none.
 * Returns err. */
int error_set(int err, const char *text);

/* Of a function that says nothing of its errors: what an earlier one has said is not of this one,
 * even when it has the same number. For what is no error there is no text. Returns r. */
int error_bare(int r);

/* Calls a function of the user's: its text begins empty, and is the thread's when it returns. */
int call_function(rv_function fn, struct rv_context *ctx, void *arg);

#endif
