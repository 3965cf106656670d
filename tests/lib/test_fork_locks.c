/* SPDX-License-Identifier: MIT */
/*
 * A child of fork() finds no lock taken that the whole process shares.
 *
 * The runtime's objects are linked into this program. A thread holds a lock while the main thread
 * forks, and lets go once that waits for it, or has forked without. Where a lock is a file's own,
 * the thread makes a call that takes it, and is held up in a system call that is made under it.
 */
#include <fcntl.h>
#include <reeve/command.h>
#include <reeve/runtime.h>
#include <reeve/sleep.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "lib/child_status.h"
#include "lib/context.h"
#include "lib/executor.h"
#include "tests/lib/forking.h"

static struct rv_context *bg, *signalled, *watched;
static pid_t main_thread;
static _Atomic int held;
static __thread bool holds_up;

/* Holding ----------------------------------------------------------------- */

/* Whether the main thread waits for a mutex. */
static bool main_waits(void)
{
    char path[64], line[64] = "";
    unsigned long operation = 0;
    long number = -1;
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)main_thread);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    if (fd >= 0)
        close(fd);
    return size > 0 && sscanf(line, "%ld 0x%*x 0x%lx", &number, &operation) == 2 &&
           number == SYS_futex && (operation & FUTEX_CMD_MASK) == FUTEX_WAIT;
}

static void hold_over_fork(void)
{
    atomic_store(&held, 1);
    while (!atomic_load(&forked) && !main_waits())
        sched_yield();
}

static void hold_up(void)
{
    if (holds_up) {
        holds_up = false;
        hold_over_fork();
    }
}

int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags)
{
    hold_up();
    return __real_eventfd(count, flags);
}

int __real_sigaction(int signal, const struct sigaction *action, struct sigaction *ret_former);
int __wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *ret_former);
int __wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *ret_former)
{
    hold_up();
    return __real_sigaction(signal, action, ret_former);
}

static int hold_mutex(pthread_mutex_t *mutex)
{
    pthread_mutex_lock(mutex);
    hold_over_fork();
    pthread_mutex_unlock(mutex);
    return 0;
}

static int hold_hooks(void *arg)
{
    (void)arg;
    return hold_mutex(&bg->hook_lock);
}

static int hold_tree(void *arg)
{
    (void)arg;
    return hold_mutex(&bg->tree_lock);
}

static int hold_executor(void *arg)
{
    (void)arg;
    return hold_mutex(&executor_lock);
}

static int hold_timer(void *arg)
{
    (void)arg;
    timer_lock();
    hold_over_fork();
    timer_unlock();
    return 0;
}

static int hold_parkers(void *arg)
{
    (void)arg;
    parker_lock();
    hold_over_fork();
    parker_unlock();
    return 0;
}

static int hold_descriptors(void *arg)
{
    struct rv_context *ctx;
    int r = rv_context_with_cancel(bg, &ctx, NULL);
    (void)arg;

    if (r < 0)
        return r;
    holds_up = true;
    r = rv_context_fd(ctx);
    rv_context_unref(ctx);
    return r < 0 ? r : 0;
}

static int hold_signals(void *arg)
{
    static const int list[] = {SIGUSR2, 0};
    struct rv_context *ctx;
    int r;
    (void)arg;

    holds_up = true;
    r = rv_context_with_signals(bg, list, &ctx, NULL);
    if (r == 0)
        rv_context_unref(ctx);
    return r;
}

static int hold_statuses(void *arg)
{
    (void)arg;
    holds_up = true;
    child_status_keep();
    child_status_release();
    return 0;
}

/* Used in the child ------------------------------------------------------- */

static int sleep_briefly(void)
{
    return rv_sleep(bg, 1);
}

static int count_one(const struct rv_context_info *info, void *arg)
{
    int *count = arg;
    (void)info;

    (*count)++;
    return 0;
}

static int visit(void)
{
    int count = 0;

    return rv_context_visit(bg, count_one, &count) == 0 && count == 1 ? 0 : 1;
}

static int ask_stats(void)
{
    struct rv_runtime_stats stats;

    rv_runtime_stats(&stats);
    return 0;
}

static int run_command(void)
{
    char program[] = "true", *argv[] = {program, NULL};

    return rv_command_run(bg, argv, NULL, NULL);
}

static int end_signalled(void)
{
    rv_context_unref(signalled);
    return 0;
}

static int end_watched(void)
{
    rv_context_unref(watched);
    return 0;
}

static int prepare_parker(void)
{
    struct parker *parker = parker_prepare();

    if (!parker)
        return 1;
    parker_give_back(parker);
    return 0;
}

static const struct row {
    const char *what;
    int (*hold)(void *arg);
    int (*use)(void);
} table[] = {
    {"the background's hooks", hold_hooks, sleep_briefly},
    {"the background's tree", hold_tree, visit},
    {"descriptors of contexts", hold_descriptors, end_watched},
    {"signals", hold_signals, end_signalled},
    {"children's statuses", hold_statuses, run_command},
    {"the timer", hold_timer, ask_stats},
    {"the executor", hold_executor, ask_stats},
    {"parkers", hold_parkers, prepare_parker},
};

static void test_locks_are_held_over_the_fork(void **state)
{
    static const int list[] = {SIGUSR1, 0};
    (void)state;

    main_thread = gettid();
    assert_int_equal(rv_context_with_signals(bg, list, &signalled, NULL), 0);
    assert_int_equal(rv_context_with_cancel(bg, &watched, NULL), 0);
    assert_true(rv_context_fd(watched) >= 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct caller holder;
        int status;

        atomic_store(&held, 0);
        atomic_store(&forked, 0);
        caller_start(&holder, table[i].hold, NULL);
        wait_value(&held, 1);
        status = status_of(table[i].use);
        assert_int_equal(caller_join(&holder), 0);
        if (status != 0)
            fail_msg("%s: status %#x", table[i].what, (unsigned)status);
    }
    rv_context_unref(watched);
    rv_context_unref(signalled);
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
        cmocka_unit_test(test_locks_are_held_over_the_fork),
    };

    return cmocka_run_group_tests_name("fork_locks", tests, setup, NULL);
}
