/* SPDX-License-Identifier: MIT */
/* Work beside the loop: the loop turns while it blocks, and hears of its end once. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>

#include "base/macro.h"
#include "daemon/loop/loop.h"

/* Threads that cannot be had: so many. */
static int refused;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg)
{
    if (refused > 0) {
        refused--;
        return EAGAIN;
    }
    return __real_pthread_create(thread, attributes, fn, arg);
}

struct fixture {
    struct loop *loop;
    struct loop_background *background;
    struct loop_timer *timer;
    int ends[2];
    pthread_t worker;
    bool signals_blocked;
    int result; /* that work is to return */
    int told, last;
    int again; /* how often it is started from its end */
};

static int block(void *arg)
{
    struct fixture *fixture = arg;
    sigset_t blocked;
    char byte;

    fixture->worker = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    fixture->signals_blocked =
        sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGCHLD) == 1;
    return read(fixture->ends[0], &byte, 1) == 1 ? fixture->result : -EIO;
}

static void told(int result, void *arg)
{
    struct fixture *fixture = arg;

    fixture->told++;
    fixture->last = result;
    assert_false(loop_background_is_busy(fixture->background));
    if (fixture->again > 0) {
        fixture->again--;
        assert_int_equal(loop_background_start(fixture->background), 0);
    } else {
        loop_stop(fixture->loop);
    }
}

static void release(void *arg)
{
    struct fixture *fixture = arg;

    assert_int_equal(fixture->told, 0);
    assert_true(loop_background_is_busy(fixture->background));
    assert_int_equal(write(fixture->ends[1], "x", 1), 1);
}

static int setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){0};
    *state = &fixture;
    return pipe2(fixture.ends, O_CLOEXEC) < 0 || loop_create(&fixture.loop) < 0 ||
                   loop_timer_create(fixture.loop, release, &fixture, &fixture.timer) < 0 ||
                   loop_background_create(fixture.loop, block, told, &fixture,
                                          &fixture.background) < 0
               ? -1
               : 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    loop_background_destroy(fixture->background);
    loop_timer_destroy(fixture->timer);
    loop_destroy(fixture->loop);
    close(fixture->ends[0]);
    close(fixture->ends[1]);
    return 0;
}

static void test_the_loop_turns_while_it_blocks(void **state)
{
    struct fixture *fixture = *state;

    fixture->result = -ENOSPC;
    assert_int_equal(loop_background_start(fixture->background), 0);
    /* Only a turn of the loop lets the work go on. */
    loop_timer_arm(fixture->timer, 0);
    assert_int_equal(loop_run(fixture->loop), 0);
    assert_int_equal(fixture->told, 1);
    assert_int_equal(fixture->last, -ENOSPC);
    assert_true(fixture->signals_blocked);
    assert_false(pthread_equal(fixture->worker, pthread_self()));
}

static void test_again_and_again(void **state)
{
    struct fixture *fixture = *state;
    char bytes[200] = {0};

    assert_int_equal(write(fixture->ends[1], bytes, sizeof(bytes)), sizeof(bytes));
    fixture->again = (int)sizeof(bytes) - 1;
    assert_int_equal(loop_background_start(fixture->background), 0);
    assert_int_equal(loop_run(fixture->loop), 0);
    assert_int_equal(fixture->told, sizeof(bytes));
}

static void test_no_thread(void **state)
{
    struct fixture *fixture = *state;

    refused = 2;
    assert_int_equal(loop_background_start(fixture->background), -EAGAIN);
    assert_false(loop_background_is_busy(fixture->background));
    assert_int_equal(loop_background_start(fixture->background), -EAGAIN);
    assert_int_equal(loop_background_start(fixture->background), 0);
    loop_timer_arm(fixture->timer, 0);
    assert_int_equal(loop_run(fixture->loop), 0);
    assert_int_equal(fixture->told, 1);
}

static void test_waiting_for_it_at_the_end(void **state)
{
    struct fixture *fixture = *state;

    fixture->result = -EIO;
    assert_true(loop_background_wait(fixture->background, INT64_MAX));
    assert_int_equal(fixture->told, 0);
    assert_int_equal(loop_background_start(fixture->background), 0);
    assert_false(loop_background_wait(fixture->background, 0));
    assert_int_equal(write(fixture->ends[1], "x", 1), 1);
    assert_true(loop_background_wait(fixture->background, INT64_MAX));
    assert_int_equal(fixture->told, 1);
    assert_int_equal(fixture->last, -EIO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_loop_turns_while_it_blocks),
        TEST(test_again_and_again),
        TEST(test_no_thread),
        TEST(test_waiting_for_it_at_the_end),
    };

    return cmocka_run_group_tests_name("background", tests, NULL, NULL);
}
