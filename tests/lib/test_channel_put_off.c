/* SPDX-License-Identifier: MIT */
/*
 * A sender that is put off, and whose time for that is over before it falls asleep.
 *
 * The runtime's objects are linked into this program with its clock wrapped: the sender's stands
 * still from when it is in the queue until it may go on, and is late then; the receiver's shows the
 * moment at which the sender began to wait.
 */
#include <time.h>

#include "lib/channel.h"
#include "tests/support/test.h"

#define CAPACITY 4
#define LATE     (2 * CHANNEL_PUT_OFF)

static struct rv_context *bg;
static struct rv_channel *channel;
static __thread bool is_sender;
static _Atomic bool queued, received;
static _Atomic int64_t began; /* 0: the clock goes as it should */

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
    int r = __real_clock_gettime(id, now);
    int64_t time = now->tv_sec * RV_SECOND + now->tv_nsec;

    if (is_sender && atomic_load(&channel->senders.count) == 0 && !atomic_load(&queued)) {
        atomic_store(&began, time);
    } else if (is_sender) {
        atomic_store(&queued, true);
        while (!atomic_load(&received))
            sched_yield();
        time = time > began + LATE ? time : began + LATE;
    } else if (atomic_load(&queued) && !atomic_load(&received)) {
        time = began;
    }
    *now = (struct timespec){time / RV_SECOND, time % RV_SECOND};
    return r;
}

static int send_one(void *arg)
{
    int element = CAPACITY;

    (void)arg;
    is_sender = true;
    return rv_channel_send(bg, channel, &element);
}

static void test_it_is_not_forgotten(void **state)
{
    struct caller caller;
    int element;
    (void)state;

    assert_int_equal(rv_channel_create(sizeof(int), CAPACITY, &channel), 0);
    for (int i = 0; i < CAPACITY; i++)
        assert_int_equal(rv_channel_send(bg, channel, &i), 0);
    caller_start(&caller, send_one, NULL);
    while (!atomic_load(&queued))
        sched_yield();
    /* One place is free: too little to wake the sender for, as long as it has just come. */
    assert_int_equal(rv_channel_recv(bg, channel, &element), 0);
    atomic_store(&received, true);
    assert_int_equal(caller_join(&caller), 0);
    assert_int_equal(rv_channel_length(channel), CAPACITY);
    for (int i = 1; i <= CAPACITY; i++) {
        assert_int_equal(rv_channel_recv(bg, channel, &element), 0);
        assert_int_equal(element, i);
    }
    rv_channel_unref(channel);
}

static int setup(void **state)
{
    (void)state;
    bg = rv_context_background();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_not_forgotten),
    };

    return cmocka_run_group_tests_name("channel_put_off", tests, setup, NULL);
}
