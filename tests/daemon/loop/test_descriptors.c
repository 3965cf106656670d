/* SPDX-License-Identifier: MIT */
/* How many descriptors are left, whatever the holes, and who has which limit. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/loop/descriptors.h"

#define MANY 100000

static struct rlimit before;

static int setup(void **state)
{
    (void)state;
    return getrlimit(RLIMIT_NOFILE, &before);
}

static int teardown(void **state)
{
    (void)state;
    closefrom(STDERR_FILENO + 1);
    return setrlimit(RLIMIT_NOFILE, &before);
}

static void set_soft(rlim_t soft)
{
    struct rlimit limit = {soft, before.rlim_max};

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static rlim_t soft_of(pid_t pid)
{
    struct rlimit limit;

    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
    return limit.rlim_cur;
}

/* Until there are so many left, however many the test was started with. */
static void fill(unsigned left)
{
    while (descriptors_left(MANY) > left)
        assert_true(dup(STDERR_FILENO) >= 0);
    assert_int_equal(descriptors_left(MANY), left);
}

static void test_left(void **state)
{
    (void)state;
    set_soft(300);
    fill(0);
    assert_int_equal(dup(STDERR_FILENO), -1);
    assert_int_equal(errno, EMFILE);
    /* Those that are free may lie anywhere. */
    close(10);
    close(100);
    close(299);
    assert_int_equal(descriptors_left(MANY), 3);
    assert_int_equal(descriptors_left(2), 2);
    assert_int_equal(descriptors_left(0), 0);
    fill(1);
}

static void test_a_limit_below_what_is_open(void **state)
{
    (void)state;
    set_soft(200);
    fill(0);
    set_soft(3);
    close(150);
    assert_int_equal(descriptors_left(MANY), 0);
    /* It is read anew each time. */
    set_soft(200);
    assert_int_equal(descriptors_left(MANY), 1);
}

static void test_reserve(void **state)
{
    (void)state;
    set_soft(256);
    assert_int_equal(descriptors_reserve(), 24);
    assert_int_equal(descriptors_share(), 8);
    set_soft(48);
    assert_int_equal(descriptors_reserve(), 12);
    assert_int_equal(descriptors_share(), 4);
    set_soft(8);
    assert_int_equal(descriptors_share(), 1);
}

static void test_describe(void **state)
{
    char text[256];

    (void)state;
    set_soft(90);
    fill(10);
    descriptors_describe(text, sizeof(text));
    assert_memory_equal(text, "of 90 descriptors 80 are in use, ", 33);
}

static void test_limits(void **state)
{
    pid_t pid;

    (void)state;
    /* Not raised: nothing to restore. */
    set_soft(70);
    assert_int_equal(descriptors_restore(0), 0);
    assert_int_equal(soft_of(0), 70);
    descriptors_raise();
    assert_int_equal(soft_of(0), before.rlim_max);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    assert_int_equal(soft_of(pid), before.rlim_max);
    assert_int_equal(descriptors_restore(pid), 0);
    assert_int_equal(soft_of(pid), 70);
    assert_int_equal(soft_of(0), before.rlim_max);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(descriptors_restore(pid), -ESRCH);
    assert_int_equal(descriptors_restore(0), 0);
    assert_int_equal(soft_of(0), 70);
}

/* A program whose loader finds no descriptor does not start at all. */
static void test_before_another_program(void **state)
{
    (void)state;
    set_soft(70);
    fill(0);
    descriptors_raise();
    /* Nor do those above help. */
    close(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 80));
    descriptors_restore_for_exec();
    assert_int_equal(soft_of(0), before.rlim_max);
    set_soft(70);
    descriptors_raise();
    for (int fd = 60; fd < 64; fd++)
        assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    descriptors_restore_for_exec();
    assert_int_equal(soft_of(0), 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_limit_below_what_is_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserve, setup, teardown),
        cmocka_unit_test_setup_teardown(test_describe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_before_another_program, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
