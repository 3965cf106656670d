/* SPDX-License-Identifier: MIT */
/*
 * In a child of fork() the runtime has no threads: every public function that needs one says so at
 * once, and none hangs. The table has all of them.
 */
#include <reeve/channel.h>
#include <reeve/command.h>
#include <reeve/fan.h>
#include <reeve/host.h>
#include <reeve/once.h>
#include <reeve/pool.h>
#include <reeve/runtime.h>
#include <reeve/semaphore.h>
#include <reeve/ticker.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/lib/workers.h"

static struct rv_context *bg, *parents;
static struct rv_cancel *cancel_parents;
static struct rv_pool *pool;
static struct rv_group *group;
static struct rv_periodic *periodic;
static struct rv_after *after;
static struct rv_once once = RV_ONCE_INIT;

static int nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static int take_none(struct rv_context *ctx, const void *item, void *ret_result, void *arg)
{
    (void)ctx;
    (void)item;
    (void)ret_result;
    (void)arg;
    return 1;
}

/* Refused in the child ---------------------------------------------------- */

static int create_pool(void)
{
    struct rv_pool *mine;

    return rv_pool_create(bg, NULL, &mine);
}

static int submit(void)
{
    return rv_pool_submit(bg, pool, nothing, NULL);
}

static int try_submit(void)
{
    return rv_pool_try_submit(pool, nothing, NULL);
}

static int drain(void)
{
    return rv_pool_drain(bg, pool);
}

static int go(void)
{
    return rv_group_go(group, nothing, NULL);
}

static int try_go(void)
{
    return rv_group_try_go(group, nothing, NULL);
}

static int go_in_a_new_group(void)
{
    struct rv_group *mine;
    int r = rv_group_create(bg, &mine);

    if (r < 0)
        return r;
    r = rv_group_go(mine, nothing, NULL);
    if (rv_group_wait(mine) != 0)
        r = -EIO;
    rv_group_destroy(mine);
    return r;
}

static int run_fan(void)
{
    struct rv_channel *in;
    int r = rv_channel_create(1, 1, &in);

    if (r == 0)
        r = rv_fan_run(bg, in, NULL, 1, take_none, NULL);
    rv_channel_unref(in);
    return r;
}

static int run_once(void)
{
    struct rv_once mine = RV_ONCE_INIT;

    return rv_once_do(bg, &mine, nothing, NULL);
}

static int start_periodic(void)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = RV_HOUR};
    struct rv_periodic *mine;

    return rv_periodic_create(bg, &spec, nothing, NULL, &mine);
}

static int register_after(void)
{
    struct rv_after *mine;

    return rv_after_create(bg, do_nothing, NULL, &mine);
}

static int set_timeout(void)
{
    struct rv_context *ctx;

    return rv_context_with_timeout(bg, RV_HOUR, &ctx, NULL);
}

static int wait_for_signals(void)
{
    static const int list[] = {SIGUSR1, 0};
    struct rv_context *ctx;

    return rv_context_with_signals(bg, list, &ctx, NULL);
}

/* Possible in the child --------------------------------------------------- */

static int cancel_own(void)
{
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    int r = rv_context_with_cancel(bg, &ctx, &cancel);

    if (r < 0)
        return r;
    rv_context_cancel(cancel, 0, NULL);
    r = rv_context_wait(ctx) == -ECANCELED ? 0 : -EIO;
    rv_context_unref(ctx);
    return r;
}

static int pass_element(void)
{
    struct rv_channel *channel;
    int element = 1, r = rv_channel_create(sizeof(int), 1, &channel);

    if (r == 0)
        r = rv_channel_send(bg, channel, &element);
    if (r == 0)
        r = rv_channel_recv(bg, channel, &element);
    rv_channel_unref(channel);
    return r;
}

static int sleep_briefly(void)
{
    return rv_sleep(bg, RV_MILLISECOND);
}

static int run_periodic(void)
{
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    int r = rv_context_with_cancel(bg, &ctx, &cancel);

    if (r < 0)
        return r;
    rv_context_cancel(cancel, 0, NULL);
    r = rv_periodic_run(ctx, RV_MILLISECOND, nothing, NULL) == -ECANCELED ? 0 : -EIO;
    rv_context_unref(ctx);
    return r;
}

static int know_once(void)
{
    return rv_once_do(bg, &once, nothing, NULL);
}

static int run_command(void)
{
    char program[] = "true", *argv[] = {program, NULL};

    return rv_command_run(bg, argv, NULL, NULL);
}

static int ask_stats(void)
{
    struct rv_runtime_stats stats;
    struct rv_pool_stats pools;

    rv_runtime_stats(&stats);
    rv_pool_stats(pool, &pools);
    rv_host_trim();
    return 0;
}

/* Objects of the parent are given back without a wait for threads that are not there. */
static int give_back(void)
{
    rv_pool_destroy(pool);
    rv_periodic_destroy(periodic);
    rv_after_destroy(after);
    (void)!rv_group_wait(group);
    rv_group_destroy(group);
    rv_once_destroy(&once);
    rv_context_cancel(cancel_parents, 0, NULL);
    rv_context_unref(parents);
    return 0;
}

static const struct row {
    const char *what;
    int (*call)(void);
    int expected;
} table[] = {
    {"rv_pool_create", create_pool, -ENOTSUP},
    {"rv_pool_submit", submit, -ENOTSUP},
    {"rv_pool_try_submit", try_submit, -ENOTSUP},
    {"rv_pool_drain", drain, -ENOTSUP},
    {"rv_group_go", go, -ENOTSUP},
    {"rv_group_try_go", try_go, -ENOTSUP},
    {"rv_group_go, own", go_in_a_new_group, -ENOTSUP},
    {"rv_fan_run", run_fan, -ENOTSUP},
    {"rv_once_do", run_once, -ENOTSUP},
    {"rv_periodic_create", start_periodic, -ENOTSUP},
    {"rv_after_create", register_after, -ENOTSUP},
    {"rv_context_with_timeout", set_timeout, -ENOTSUP},
    {"rv_context_with_signals", wait_for_signals, -ENOTSUP},
    {"rv_context_cancel", cancel_own, 0},
    {"rv_channel_send", pass_element, 0},
    {"rv_sleep", sleep_briefly, 0},
    {"rv_periodic_run", run_periodic, 0},
    {"rv_once_do, when it has run", know_once, 0},
    {"rv_command_run", run_command, 0},
    {"rv_runtime_stats", ask_stats, 0},
    {"giving back", give_back, 0},
};

static void fork_and_call(const struct row *row)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(30);
        _exit(row->call() == row->expected ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("%s: status %#x", row->what, status);
}

static void test_the_table(void **state)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = RV_HOUR, .delay = RV_HOUR};
    (void)state;

    reset();
    assert_int_equal(rv_context_with_cancel(bg, &parents, &cancel_parents), 0);
    assert_int_equal(rv_pool_create(bg, NULL, &pool), 0);
    assert_int_equal(rv_pool_submit(bg, pool, until_released, NULL), 0);
    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_go(group, until_released, NULL), 0);
    assert_int_equal(rv_once_do(bg, &once, nothing, NULL), 0);
    assert_int_equal(rv_periodic_create(bg, &spec, nothing, NULL, &periodic), 0);
    assert_int_equal(rv_after_create(parents, do_nothing, NULL, &after), 0);
    wait_value(&running, 2);
    for (int round = 0; round < rounds_of(5); round++)
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
            fork_and_call(&table[i]);
    atomic_store(&release_all, 1);
    give_back();
}

/* A signal that a child gets is none of its parent's. */
static void test_signals_are_their_own(void **state)
{
    static const int list[] = {SIGUSR1, 0};
    struct rv_context *ctx;
    int status;
    pid_t pid;
    (void)state;

    assert_int_equal(rv_context_with_signals(bg, list, &ctx, NULL), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        raise(SIGUSR1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGUSR1);
    /* A text of the child, had it written one, would be read before this. */
    raise(SIGUSR1);
    assert_int_equal(rv_context_wait(ctx), -ECANCELED);
    {
        struct rv_cause cause;
        char own[64];

        rv_context_cause(ctx, &cause);
        snprintf(own, sizeof(own), "SIGUSR1 from pid %d ", (int)getpid());
        assert_memory_equal(cause.text, own, strlen(own));
    }
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
        cmocka_unit_test(test_the_table),
        cmocka_unit_test(test_signals_are_their_own),
    };

    return cmocka_run_group_tests_name("fork", tests, setup, NULL);
}
