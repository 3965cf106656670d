/* SPDX-License-Identifier: MIT */
/* A child of fork() does nothing of what its parent's threads were to do, and makes no thread for
 * it. */
#include <dirent.h>
#include <reeve/host.h>
#include <reeve/runtime.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/lib/workers.h"

static struct rv_context *bg;

static unsigned count_threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    struct dirent *entry;
    unsigned count = 0;

    while (folder && (entry = readdir(folder)))
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count;
}

static _Atomic int busy, second_ran;

static void be_busy(void *arg)
{
    (void)arg;
    atomic_fetch_add(&busy, 1);
    wait_value(&release_all, 1);
}

static void note_second(void *arg)
{
    (void)arg;
    atomic_store(&second_ran, 1);
}

/* A context's functions want a thread, and that which is kept for them was in use. */
static int end_second(struct rv_cancel *cancel_second, struct rv_after *registered)
{
    unsigned before = count_threads();

    rv_context_cancel(cancel_second, 0, NULL);
    if (count_threads() != before)
        return 1;
    return rv_after_destroy(registered) && !atomic_load(&second_ran) ? 0 : 2;
}

static void set_threads(unsigned count)
{
    struct rv_runtime_options options = {.size = sizeof(options), .threads_max = count};

    assert_int_equal(rv_runtime_configure(&options), 0);
}

/* Those that are about to be idle included. */
static void end_threads(void)
{
    struct rv_runtime_stats stats;

    do {
        rv_host_trim();
        rv_runtime_stats(&stats);
    } while (stats.threads > 0);
}

static void test_no_thread_is_made(void **state)
{
    struct rv_context *first, *second;
    struct rv_cancel *cancel_first, *cancel_second;
    struct rv_after *afters[2], *after_second;
    int status;
    pid_t pid;
    (void)state;

    reset();
    end_threads();
    set_threads(1);
    assert_int_equal(rv_context_with_cancel(bg, &first, &cancel_first), 0);
    assert_int_equal(rv_context_with_cancel(bg, &second, &cancel_second), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rv_after_create(first, be_busy, NULL, &afters[i]), 0);
    assert_int_equal(rv_after_create(second, note_second, NULL, &after_second), 0);
    rv_context_cancel(cancel_first, 0, NULL);
    /* On the one thread and on that which is kept. */
    wait_value(&busy, 2);
    set_threads(0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(30);
        _exit(end_second(cancel_second, after_second));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    atomic_store(&release_all, 1);
    for (int i = 0; i < 2; i++)
        rv_after_destroy(afters[i]);
    rv_after_destroy(after_second);
    rv_context_unref(first);
    rv_context_unref(second);
}

static _Atomic int go, forked_pid;
static pid_t parent;

static void fork_and_return(void *arg)
{
    pid_t pid;
    (void)arg;

    wait_value(&go, 1);
    pid = fork();
    if (pid != 0)
        atomic_store(&forked_pid, pid);
}

static void end_child(void *arg)
{
    (void)arg;
    if (getpid() != parent)
        _exit(1);
}

/* Whether its one thread sleeps, or it has ended. */
static bool rests(pid_t pid)
{
    char path[64], name[64], letter = 'R';
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return true;
    if (fscanf(file, "%*d %63s %c", name, &letter) != 2)
        letter = 'R';
    fclose(file);
    return letter == 'S' || letter == 'Z';
}

/* A function that forks and returns in the child: what was to run next there is its parent's. */
static void test_nothing_queued_runs(void **state)
{
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_after *afters[2];
    struct rv_group *group;
    int status;
    pid_t pid;
    (void)state;

    reset();
    parent = getpid();
    end_threads();
    /* The one thread is in use, so that the second waits for the first. */
    set_threads(1);
    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_go(group, until_released, NULL), 0);
    wait_value(&running, 1);
    assert_int_equal(rv_context_with_cancel(bg, &ctx, &cancel), 0);
    assert_int_equal(rv_after_create(ctx, fork_and_return, NULL, &afters[0]), 0);
    assert_int_equal(rv_after_create(ctx, end_child, NULL, &afters[1]), 0);
    rv_context_cancel(cancel, 0, NULL);
    atomic_store(&go, 1);
    while ((pid = atomic_load(&forked_pid)) == 0)
        sched_yield();
    while (pid > 0 && !rests(pid))
        sched_yield();
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    rv_after_destroy(afters[0]);
    rv_after_destroy(afters[1]);
    atomic_store(&release_all, 1);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
    set_threads(0);
    rv_context_unref(ctx);
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
        cmocka_unit_test(test_no_thread_is_made),
        cmocka_unit_test(test_nothing_queued_runs),
    };

    return cmocka_run_group_tests_name("fork_work", tests, setup, NULL);
}
