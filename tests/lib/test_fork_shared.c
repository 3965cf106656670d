/* SPDX-License-Identifier: MIT */
/*
 * Parent and child of fork() share nothing through which one could wake the other, or take its
 * wake-ups.
 */
#include <dirent.h>
#include <poll.h>
#include <reeve/runtime.h>
#include <reeve/sleep.h>
#include <sys/wait.h>

#include "tests/support/test.h"

#define ROUNDS 300

static struct rv_context *bg;

/* Forks; what the child returns is its exit code. */
static pid_t start_child(int (*run)(void *arg), void *arg)
{
    pid_t pid = fork();

    if (pid == 0) {
        alarm(100);
        _exit(run(arg));
    }
    return pid;
}

/* Its exit code, or -1 - the signal that it died of. */
static int end_of(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1 - WTERMSIG(status);
}

/* Which eventfds a process has -------------------------------------------- */

#define EVENTS_MAX 64

/* As the kernel counts them, whatever their numbers. */
struct events {
    int ids[EVENTS_MAX];
    size_t count;
};

static void add_event(struct events *events, const char *number)
{
    char path[300], line[128];
    FILE *file;
    int id;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", number);
    file = fopen(path, "re");
    if (!file)
        return;
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "eventfd-id: %d", &id) == 1 && events->count < EVENTS_MAX)
            events->ids[events->count++] = id;
    fclose(file);
}

static struct events my_events(void)
{
    struct events events = {.count = 0};
    DIR *folder = opendir("/proc/self/fdinfo");
    struct dirent *entry;

    while (folder && (entry = readdir(folder)))
        add_event(&events, entry->d_name);
    if (folder)
        closedir(folder);
    return events;
}

/* How many of the parent's the child has, too. */
static int count_shared(void *arg)
{
    struct events *parents = arg, own = my_events();
    int shared = 0;

    for (size_t i = 0; i < own.count; i++)
        for (size_t j = 0; j < parents->count; j++)
            shared += own.ids[i] == parents->ids[j];
    return shared;
}

/* Tests ------------------------------------------------------------------- */

static int poll_silent(void *arg)
{
    int *fd = arg;

    return rv_poll(bg, *fd, POLLIN, RV_FOREVER) == POLLIN ? 0 : 1;
}

/* Threads that poll, and such as the child has not got among them, have a descriptor each. */
static void test_no_wake_up_is_shared(void **state)
{
    int ends[2];
    struct caller callers[3];
    struct events events;
    (void)state;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(rv_poll(bg, ends[0], POLLIN, 0), 0);
    for (size_t i = 0; i < 3; i++) {
        caller_start(&callers[i], poll_silent, &ends[0]);
        caller_wait_blocked(&callers[i]);
    }
    events = my_events();
    assert_int_equal(events.count, 4);
    assert_int_equal(end_of(start_child(count_shared, &events)), 0);
    assert_int_equal(write(ends[1], "", 1), 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(caller_join(&callers[i]), 0);
    close(ends[0]);
    close(ends[1]);
}

struct side {
    int fd;
    rv_time start;
};

/* Polls that end at the same moments as those of the other process. */
static int poll_on_the_grid(void *arg)
{
    const struct side *side = arg;

    for (int i = 1; i <= rounds_of(ROUNDS); i++) {
        struct rv_context *ctx;
        int r;

        if (rv_context_with_deadline(bg, side->start + i * RV_MILLISECOND, &ctx, NULL) < 0)
            return 2;
        r = rv_poll(ctx, side->fd, POLLIN, RV_FOREVER);
        rv_context_unref(ctx);
        if (r != -ETIMEDOUT)
            return 3;
    }
    return 0;
}

static int fork_and_poll(void *arg)
{
    struct side *side = arg;
    pid_t child;
    int r;

    if (rv_poll(bg, side->fd, POLLIN, 0) != 0)
        return 1;
    side->start = rv_now();
    child = start_child(poll_on_the_grid, side);
    r = poll_on_the_grid(side);
    return r == 0 ? end_of(child) : r;
}

static void test_both_poll_side_by_side(void **state)
{
    struct side side;
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    side.fd = ends[0];
    assert_int_equal(end_of(start_child(fork_and_poll, &side)), 0);
    close(ends[0]);
    close(ends[1]);
}

static int is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents == POLLIN;
}

struct watched {
    struct rv_context *cancelled, *given_back, *done;
    struct rv_cancel *cancel_cancelled, *cancel_done;
    int cancelled_fd, given_back_fd, done_fd;
    struct events events;
};

static int end_contexts(void *arg)
{
    struct watched *watched = arg;

    if (count_shared(&watched->events) > 0)
        return 1;
    if (rv_context_fd(watched->cancelled) != watched->cancelled_fd ||
        is_readable(watched->cancelled_fd) || is_readable(watched->given_back_fd))
        return 2;
    if (!is_readable(watched->done_fd))
        return 3;
    rv_context_cancel(watched->cancel_cancelled, 0, NULL);
    rv_context_unref(watched->given_back);
    return is_readable(watched->cancelled_fd) ? 0 : 4;
}

static int watch(struct rv_context **ret_ctx, struct rv_cancel **ret_cancel)
{
    int fd;

    assert_int_equal(rv_context_with_cancel(bg, ret_ctx, ret_cancel), 0);
    fd = rv_context_fd(*ret_ctx);
    assert_true(fd >= 0);
    return fd;
}

static void test_descriptors_of_contexts_are_their_own(void **state)
{
    struct watched watched;
    (void)state;

    watched.cancelled_fd = watch(&watched.cancelled, &watched.cancel_cancelled);
    watched.given_back_fd = watch(&watched.given_back, NULL);
    watched.done_fd = watch(&watched.done, &watched.cancel_done);
    rv_context_cancel(watched.cancel_done, 0, NULL);
    watched.events = my_events();
    assert_true(watched.events.count >= 3);
    assert_int_equal(end_of(start_child(end_contexts, &watched)), 0);
    assert_false(is_readable(watched.cancelled_fd));
    assert_false(is_readable(watched.given_back_fd));
    assert_true(is_readable(watched.done_fd));
    rv_context_cancel(watched.cancel_cancelled, 0, NULL);
    assert_true(is_readable(watched.cancelled_fd));
    rv_context_unref(watched.cancelled);
    rv_context_unref(watched.given_back);
    rv_context_unref(watched.done);
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
        /* First: it wants a process whose runtime has no threads. */
        cmocka_unit_test(test_both_poll_side_by_side),
        cmocka_unit_test(test_no_wake_up_is_shared),
        cmocka_unit_test(test_descriptors_of_contexts_are_their_own),
    };

    return cmocka_run_group_tests_name("fork_shared", tests, setup, NULL);
}
