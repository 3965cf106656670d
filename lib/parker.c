/* SPDX-License-Identifier: MIT */
/*
 * Parking.
 *
 * Properties: an unpark is never lost: if it comes before the park, the park returns at once. A
 * thread that waits for long does not spin.
 *
 * Operation: one word. EMPTY: awake, nothing pending. NOTIFIED: an unpark is pending. PARKED:
 * asleep in futex(2). POLLING: asleep in poll(2), with an eventfd of the thread's own among the
 * descriptors. To fall asleep and be woken costs more than most waits of threads that pass work to
 * each other. So a thread looks at its word for a while before it sleeps, and stops doing so for
 * the longer the more often that was in vain; one processor at least is left to those that work.
 *
 * Safety: only the owner moves the word to PARKED or POLLING, and back to EMPTY; unpark only
 * exchanges it for NOTIFIED, and wakes by what it found; an unpark that found POLLING writes to
 * the eventfd, and the owner does not leave the poll before it has read that. Memory that was
 * written before an unpark is seen after the park: exchange is release there, and acquire here.
 *
 * A child of fork() gives up all eventfds: they are its parent's as well, and one of the two would
 * read what woke the other. The thread that it has makes its own when it next polls.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "lib/internal.h"

enum { EMPTY, NOTIFIED, PARKED, POLLING };

struct parker {
    _Atomic int state;
    struct hope hope; /* the owner's */
    int event_fd; /* -1 until the thread first polls; the lock's, but for its owner and unparks */
    struct parker *next, *next_free;
};

/*
 * For threads that are not the runtime's and block for the first time while memory is out; threads
 * of the runtime have theirs from the start. A call that blocks cannot always fail: a join that
 * returned early would leave the caller with functions that still use its memory, and receivers
 * take any error for the end of the channel. A parker is small and used again, so a few set aside
 * carry a process over; one whose memory is gone for good starts no threads that would need more.
 * If it does it ends, as a crash can be supervised and a thread that neither waits nor returns
 * cannot.
 */
#define RESERVE 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects what follows */
static struct parker *all;
static struct parker *free_list;
static struct parker reserve[RESERVE];
static size_t reserve_used;

static pthread_key_t self_key;
static pthread_once_t self_once = PTHREAD_ONCE_INIT;
static __thread struct parker *self;

/* With the lock: a child of fork() finds what is open, and nothing that is not. */
static void close_event(struct parker *parker)
{
    if (parker->event_fd >= 0)
        close(parker->event_fd);
    parker->event_fd = -1;
}

static int open_event(struct parker *parker)
{
    int r = 0;

    pthread_mutex_lock(&lock);
    parker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (parker->event_fd < 0)
        r = -errno;
    pthread_mutex_unlock(&lock);
    return r;
}

static void release_self(void *arg)
{
    struct parker *parker = arg;

    /* Descriptors are scarcer than memory: an idle parker keeps none. A late unpark that still sees
     * POLLING cannot be: the owner has left poll before it ends. */
    pthread_mutex_lock(&lock);
    close_event(parker);
    pthread_mutex_unlock(&lock);
    self = NULL;
    parker_give_back(parker);
}

static void make_key(void)
{
    if (pthread_key_create(&self_key, release_self) != 0)
        abort();
}

/* With the lock: one that is new. */
static void add(struct parker *parker)
{
    parker->event_fd = -1;
    parker->next = all;
    all = parker;
}

static struct parker *take_reserve(void)
{
    struct parker *parker = NULL;

    pthread_mutex_lock(&lock);
    if (reserve_used < RESERVE) {
        parker = &reserve[reserve_used++];
        add(parker);
    }
    pthread_mutex_unlock(&lock);
    if (!parker)
        abort();
    return parker;
}

/* A parker that nobody has; NULL without memory. */
static struct parker *take_free(void)
{
    struct parker *parker;

    pthread_mutex_lock(&lock);
    parker = free_list;
    if (parker)
        free_list = parker->next_free;
    pthread_mutex_unlock(&lock);
    if (parker)
        return parker;
    parker = calloc(1, sizeof(*parker));
    if (!parker)
        return NULL;
    pthread_mutex_lock(&lock);
    add(parker);
    pthread_mutex_unlock(&lock);
    return parker;
}

struct parker *parker_prepare(void)
{
    return take_free();
}

void parker_adopt(struct parker *parker)
{
    pthread_once(&self_once, make_key);
    self = parker;
    pthread_setspecific(self_key, self);
}

void parker_give_back(struct parker *parker)
{
    pthread_mutex_lock(&lock);
    parker->next_free = free_list;
    free_list = parker;
    pthread_mutex_unlock(&lock);
}

struct parker *parker_self(void)
{
    struct parker *parker;

    if (self)
        return self;
    parker = take_free();
    if (!parker)
        parker = take_reserve();
    parker_adopt(parker);
    return self;
}

static long futex(_Atomic int *word, int operation, int value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
}

static bool sleep_until(struct parker *parker, rv_time deadline)
{
    struct timespec until = {deadline / RV_SECOND, deadline % RV_SECOND};

    /* A deadline in the past returns at once. The bitset form takes an absolute time of
     * CLOCK_MONOTONIC. */
    while (atomic_load(&parker->state) == PARKED)
        if (futex(&parker->state, FUTEX_WAIT_BITSET_PRIVATE, PARKED,
                  deadline == RV_NEVER ? NULL : &until) < 0 &&
            errno == ETIMEDOUT)
            return false;
    return true;
}

bool parker_sleep(struct parker *parker, rv_time deadline)
{
    int expected = EMPTY;
    bool in_time = true;

    if (atomic_compare_exchange_strong(&parker->state, &expected, PARKED))
        in_time = sleep_until(parker, deadline);
    return atomic_exchange(&parker->state, EMPTY) == NOTIFIED || in_time;
}

bool parker_look(unsigned pace, bool (*is_ready)(const void *arg), const void *arg)
{
    struct hope *hope = &parker_self()->hope;

    return hope_is_left(hope) && hope_spin(hope, pace, is_ready, arg);
}

static bool is_notified(const void *arg)
{
    const struct parker *parker = arg;

    return atomic_load_explicit(&parker->state, memory_order_relaxed) != EMPTY;
}

bool parker_park(struct parker *parker, rv_time deadline)
{
    struct hope *hope = &parker->hope;

    if (!is_notified(parker) && !(hope_is_left(hope) && hope_spin(hope, 1, is_notified, parker)))
        return parker_sleep(parker, deadline);
    return atomic_exchange(&parker->state, EMPTY) == NOTIFIED;
}

static int poll_until(struct pollfd *fds, nfds_t count, rv_time deadline)
{
    for (;;) {
        rv_duration left = deadline == RV_FOREVER ? 0 : MAX(deadline - rv_now(), INT64_C(0));
        struct timespec timeout = {left / RV_SECOND, left % RV_SECOND};
        int r = ppoll(fds, count, deadline == RV_NEVER ? NULL : &timeout, NULL);

        if (r >= 0 || errno != EINTR)
            return r < 0 ? -errno : r;
    }
}

int parker_poll(struct parker *parker, struct pollfd *fds, size_t count, rv_time deadline)
{
    int expected = EMPTY, r = parker->event_fd < 0 ? open_event(parker) : 0;
    uint64_t value;

    if (r < 0)
        return r;
    fds[count] = (struct pollfd){.fd = parker->event_fd, .events = POLLIN};
    if (!atomic_compare_exchange_strong(&parker->state, &expected, POLLING)) {
        /* An exchange: what came before an unpark that it swallows must be seen after it. */
        atomic_exchange(&parker->state, EMPTY);
        return poll_until(fds, (nfds_t)count, 0);
    }
    r = poll_until(fds, (nfds_t)count + 1, deadline);
    if (atomic_exchange(&parker->state, EMPTY) == NOTIFIED) {
        /* The writer may not have written yet: wait for it, it is about to. */
        struct pollfd event = {.fd = parker->event_fd, .events = POLLIN};

        while (read(parker->event_fd, &value, sizeof(value)) < 0 && errno == EAGAIN)
            poll(&event, 1, -1);
    }
    if (r > 0 && fds[count].revents)
        r--;
    return r;
}

void parker_unpark(struct parker *parker)
{
    uint64_t one = 1;

    if (!parker)
        return;
    switch (atomic_exchange(&parker->state, NOTIFIED)) {
    case PARKED:
        futex(&parker->state, FUTEX_WAKE_PRIVATE, 1, NULL);
        break;
    case POLLING:
        (void)!write(parker->event_fd, &one, sizeof(one));
        break;
    default:
        break;
    }
}

int wait_for(struct wait *wait, rv_time deadline)
{
    int result;

    while ((result = wait_result(wait)) == WAIT_PENDING)
        if (!parker_park(wait->parker, deadline))
            wait_claim(wait, WAIT_TIMEOUT);
    return result;
}

void parker_lock(void)
{
    pthread_mutex_lock(&lock);
}

void parker_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void parkers_forked(void)
{
    for (struct parker *parker = all; parker; parker = parker->next)
        close_event(parker);
}

rv_time rv_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * RV_SECOND + now.tv_nsec;
}

rv_time deadline_after(rv_duration timeout)
{
    /* A time that has passed is due now; a time before the clock's start would not be one. */
    return duration_add(rv_now(), MAX(timeout, INT64_C(0)));
}

rv_time grid_next(rv_time point, rv_duration interval, rv_time now)
{
    rv_time next = duration_add(point, interval);

    if (next > now)
        return next;
    return duration_add(next, ((now - next) / interval + 1) * interval);
}
