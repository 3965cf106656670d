/* SPDX-License-Identifier: MIT */
/*
 * The wheel of timers: none fires early, none is forgotten, wherever it lay.
 *
 * The runtime's objects are linked into this program with its clock wrapped, which jumps on
 * request. The timer's thread sleeps by the kernel's clock; a timer that is due wakes it after a
 * jump.
 */
#include <time.h>

#include "base/macro.h"
#include "lib/internal.h"
#include "tests/support/dice.h"
#include "tests/support/test.h"

static _Atomic int64_t ahead;

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
    int r = __real_clock_gettime(id, now);
    int64_t time = now->tv_sec * RV_SECOND + now->tv_nsec + atomic_load(&ahead);

    *now = (struct timespec){time / RV_SECOND, time % RV_SECOND};
    return r;
}

struct watched {
    struct timer timer;
    _Atomic int fired;
    _Atomic int early;
};

static void note(struct timer *timer)
{
    struct watched *watched = container_of(timer, struct watched, timer);

    if (rv_now() < timer->due)
        atomic_store(&watched->early, 1);
    atomic_fetch_add(&watched->fired, 1);
}

/* It may be armed again meanwhile: its time is not for this thread to look at. */
static void count(struct timer *timer)
{
    struct watched *watched = container_of(timer, struct watched, timer);

    atomic_fetch_add(&watched->fired, 1);
}

/* Waits until the thread looks at what is due. After a run it sleeps for a while
 * before the next one, by a time that the kernel's clock has not come to yet: so it is woken again
 * and again. */
static void look_once(void)
{
    static rv_time earlier; /* than any before */
    struct watched now = {.timer.fn = count};

    while (!atomic_load(&now.fired)) {
        assert_int_equal(timer_arm(&now.timer, earlier--), 0);
        sched_yield();
    }
    timer_remove(&now.timer);
}

/* A timer due together with the first is done before the second. */
static void look(void)
{
    look_once();
    look_once();
}

static void jump_to(rv_time time)
{
    atomic_fetch_add(&ahead, time - rv_now());
    look();
}

/* Each lies in another level of the wheel at first, and comes down as time goes by. */
static void test_far_timers_come_in_time(void **state)
{
    static const rv_duration distances[] = {
        10 * RV_SECOND, 30 * RV_SECOND,    RV_MINUTE,          RV_HOUR,
        24 * RV_HOUR,   24 * 30 * RV_HOUR, 24 * 400 * RV_HOUR, 24 * 20000 * RV_HOUR,
        20 * RV_SECOND, 70 * RV_MINUTE,    25 * RV_HOUR,       24 * 401 * RV_HOUR};
    struct watched timers[ARRAY_SIZE(distances)] = {0};
    rv_time start = rv_now();
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(distances); i++) {
        timers[i].timer.fn = note;
        assert_int_equal(timer_arm(&timers[i].timer, start + distances[i]), 0);
    }
    for (size_t done = 0; done < ARRAY_SIZE(distances); done++) {
        size_t next = 0;

        while (timers[next].fired)
            next++;
        for (size_t i = next; i < ARRAY_SIZE(distances); i++)
            if (!timers[i].fired && distances[i] < distances[next])
                next = i;
        /* Shortly before it is due: as shortly as a busy machine allows. */
        jump_to(start + distances[next] - 3 * RV_SECOND);
        assert_int_equal(timers[next].fired, 0);
        jump_to(start + distances[next]);
        assert_int_equal(timers[next].fired, 1);
        assert_int_equal(timers[next].early, 0);
    }
    assert_int_equal(timer_count(), 0);
}

/* Many that are armed, moved and taken out by chance while time goes by in steps of all sizes. */
#define TIMERS 300

static void test_by_chance(void **state)
{
    static struct watched timers[TIMERS];
    static rv_time due[TIMERS]; /* 0: not armed */
    static int expected[TIMERS];
    struct dice dice;
    (void)state;

    seed_dice();
    dice = dice_for(0, 0);

    for (int i = 0; i < TIMERS; i++)
        timers[i].timer.fn = note;
    for (int step = 0; step < rounds_of(20000); step++) {
        int i = (int)roll(&dice, TIMERS);

        if (roll(&dice, 4) == 0) {
            /* It may have fired by now, when it was due before. */
            bool armed = timer_remove(&timers[i].timer);

            assert_true(armed || due[i] <= rv_now());
            expected[i] += due[i] != 0 && !armed;
            due[i] = 0;
        } else if (roll(&dice, 40) == 0) {
            jump_to(rv_now() + ((rv_duration)(roll(&dice, 1000) + 1) << roll(&dice, 40)));
        } else {
            bool armed = timer_remove(&timers[i].timer);

            expected[i] += due[i] != 0 && !armed;
            due[i] = rv_now() + ((rv_duration)(roll(&dice, 1000) + 1) << roll(&dice, 45));
            assert_int_equal(timer_arm(&timers[i].timer, due[i]), 0);
        }
        if (step % 100 == 0) {
            rv_time before = rv_now();

            look();
            for (int j = 0; j < TIMERS; j++)
                if (due[j] != 0 && due[j] <= before)
                    assert_int_equal(timers[j].fired, expected[j] + 1);
        }
        assert_int_equal(timers[i].early, 0);
    }
    for (int i = 0; i < TIMERS; i++) {
        bool armed = timer_remove(&timers[i].timer);

        expected[i] += due[i] != 0 && !armed;
        assert_int_equal(timers[i].fired, expected[i]);
    }
    assert_int_equal(timer_count(), 0);
}

/* A timer may move itself and others, be due already or never, and be armed again and again. */
static _Atomic int steps;
static struct watched never;

static void arm_again(struct timer *timer)
{
    if (atomic_fetch_add(&steps, 1) < 1000)
        timer_arm(timer, steps % 2 ? 0 : rv_now());
    timer_arm(&never.timer, steps % 3 ? RV_FOREVER : INT64_MAX - 1);
}

static void test_it_moves_itself(void **state)
{
    struct watched timer = {.timer.fn = arm_again};
    (void)state;

    never.timer.fn = note;
    assert_int_equal(timer_arm(&timer.timer, INT64_MIN), 0);
    wait_value(&steps, 1001);
    timer_remove(&timer.timer);
    assert_true(timer_remove(&never.timer));
    assert_int_equal(never.fired, 0);
    assert_int_equal(timer_count(), 0);
}

static void arm_at_once(struct timer *timer)
{
    struct watched *watched = container_of(timer, struct watched, timer);

    atomic_fetch_add(&watched->fired, 1);
    timer_arm(timer, rv_now());
}

/* Once it is removed its memory is the owner's, whatever its function was doing. */
static void test_one_that_arms_itself_is_removed(void **state)
{
    struct watched timer = {.timer.fn = arm_at_once};
    (void)state;

    for (int round = 0; round < rounds_of(500); round++) {
        atomic_store(&timer.fired, 0);
        assert_int_equal(timer_arm(&timer.timer, rv_now()), 0);
        while (atomic_load(&timer.fired) == 0)
            sched_yield();
        timer_remove(&timer.timer);
        assert_int_equal(timer_count(), 0);
        assert_int_equal(timer.timer.slot, 0);
    }
}

static _Atomic int worked;

static void note_work(struct work *work)
{
    (void)work;
    atomic_store(&worked, 1);
}

static void queue_work(struct timer *timer)
{
    static struct work work = {.fn = note_work};
    (void)timer;

    executor_queue(&work);
}

/* While timers are always due, what they queue is begun all the same. */
static void test_timers_without_an_end(void **state)
{
    struct watched timer = {.timer.fn = arm_at_once};
    struct timer other = {.fn = queue_work};
    (void)state;

    assert_int_equal(timer_arm(&timer.timer, rv_now()), 0);
    assert_int_equal(timer_arm(&other, rv_now()), 0);
    wait_value(&worked, 1);
    timer_remove(&timer.timer);
    timer_remove(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_moves_itself), /* before any jump */
        cmocka_unit_test(test_one_that_arms_itself_is_removed),
        cmocka_unit_test(test_timers_without_an_end),
        cmocka_unit_test(test_far_timers_come_in_time),
        cmocka_unit_test(test_by_chance),
    };

    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
