/* SPDX-License-Identifier: MIT */
/* Sources of the loop in slices: what hangs on the event base itself is called between them, and
 * nothing of the queue is lost, called twice, or called when nobody wants it any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/duration.h"
#include "daemon/loop/internal.h"
#include "daemon/loop/loop.h"

#define SOURCES 20

static struct {
    struct loop *loop;
    int fd;
    struct event *probe;
    unsigned calls, probes;
    struct loop_io *sources[SOURCES];
    struct loop_timer *timers[3];
} test;

static int setup(void **state)
{
    (void)state;
    test = (__typeof__(test)){.fd = eventfd(1, EFD_CLOEXEC)};
    return loop_create(&test.loop);
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOURCES; i++)
        loop_io_destroy(test.sources[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(test.timers); i++)
        loop_timer_destroy(test.timers[i]);
    if (test.probe)
        event_free(test.probe);
    loop_destroy(test.loop);
    close(test.fd);
    return 0;
}

static void work(int64_t ns)
{
    int64_t end = clock_monotonic() + ns;

    while (clock_monotonic() < end)
        ;
}

/* Each takes longer than a slice. */
static void ready(int fd, unsigned events, void *arg)
{
    struct loop_io **source = arg;
    (void)fd;

    assert_int_equal(events, LOOP_READ);
    loop_io_watch(*source, 0);
    work(3 * NSEC_PER_MSEC);
    if (++test.calls == SOURCES)
        loop_stop(test.loop);
}

static void probed(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval next_turn = {0};
    (void)fd;
    (void)what;
    (void)arg;

    test.probes++;
    evtimer_add(test.probe, &next_turn);
}

static void test_others_have_their_turn(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOURCES; i++)
        assert_int_equal(loop_io_create(test.loop, dup(test.fd), LOOP_READ, ready, &test.sources[i],
                                        &test.sources[i]),
                         0);
    test.probe = evtimer_new(loop_event_base(test.loop), probed, NULL);
    probed(-1, 0, NULL);
    assert_int_equal(loop_run(test.loop), 0);
    assert_int_equal(test.calls, SOURCES);
    /* One source a turn, and a probe in each. */
    assert_in_range(test.probes, SOURCES, 3 * SOURCES);
}

/* Of two that are ready together the first one that is called takes away what the other waits for.
 */
static void takes_away(int fd, unsigned events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
    test.calls++;
    loop_io_destroy(test.sources[0]);
    test.sources[0] = NULL;
    loop_io_watch(test.sources[1], 0);
    loop_timer_arm(test.timers[0], NSEC_PER_MSEC);
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(test.loop);
}

static void test_what_nobody_wants_is_not_called(void **state)
{
    (void)state;
    assert_int_equal(
        loop_io_create(test.loop, test.fd, LOOP_READ, takes_away, NULL, &test.sources[0]), 0);
    assert_int_equal(
        loop_io_create(test.loop, dup(test.fd), LOOP_READ, takes_away, NULL, &test.sources[1]), 0);
    assert_int_equal(loop_timer_create(test.loop, stop, NULL, &test.timers[0]), 0);
    /* Should the second have been called first, the first is gone, too. */
    assert_int_equal(loop_run(test.loop), 0);
    assert_int_equal(test.calls, 1);
}

static void arm_again(void *arg)
{
    (void)arg;
    test.calls++;
    work(3 * NSEC_PER_MSEC);
    loop_timer_disarm(test.timers[0]);
    loop_timer_arm(test.timers[0], NSEC_PER_MSEC);
}

/* One that waits in the queue and is armed anew is called once, and not before its new time. */
static void test_a_timer_that_is_armed_anew(void **state)
{
    (void)state;
    assert_int_equal(loop_timer_create(test.loop, stop, NULL, &test.timers[0]), 0);
    assert_int_equal(loop_timer_create(test.loop, arm_again, NULL, &test.timers[1]), 0);
    loop_timer_arm(test.timers[1], 0);
    loop_timer_arm(test.timers[0], 0);
    assert_int_equal(loop_run(test.loop), 0);
    assert_int_equal(test.calls, 1);
    assert_int_equal(loop_timer_due(test.timers[0]), 0);
}

static int64_t due_at, fired_at;

static void fire(void *arg)
{
    (void)arg;
    fired_at = clock_monotonic();
    loop_stop(test.loop);
}

/* Long after its turn has begun, when libevent's own time is old. */
static void arm_late(void *arg)
{
    (void)arg;
    work(20 * NSEC_PER_MSEC);
    due_at = clock_monotonic() + 10 * NSEC_PER_MSEC;
    loop_timer_arm(test.timers[1], 10 * NSEC_PER_MSEC);
}

/* Has libevent look at its timers in between. */
static void come_again(void *arg)
{
    (void)arg;
    loop_timer_arm(test.timers[2], NSEC_PER_MSEC);
}

static void test_a_timer_is_not_early(void **state)
{
    (void)state;

    assert_int_equal(loop_timer_create(test.loop, arm_late, NULL, &test.timers[0]), 0);
    assert_int_equal(loop_timer_create(test.loop, fire, NULL, &test.timers[1]), 0);
    assert_int_equal(loop_timer_create(test.loop, come_again, NULL, &test.timers[2]), 0);
    loop_timer_arm(test.timers[0], 0);
    loop_timer_arm(test.timers[2], 0);
    assert_int_equal(loop_run(test.loop), 0);
    assert_true(fired_at >= due_at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_others_have_their_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_nobody_wants_is_not_called, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_timer_that_is_armed_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_timer_is_not_early, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
