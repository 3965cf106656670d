/* SPDX-License-Identifier: MIT */
/*
 * Functions of the user's run without a lock of the library's, so each of them may call anything;
 * and signals that a thread causes itself reach the program's own handler.
 */
#include <reeve/channel.h>
#include <reeve/pool.h>
#include <reeve/ticker.h>
#include <setjmp.h>
#include <signal.h>

#include "tests/lib/workers.h"

static struct rv_context *bg;

/* A schedule -------------------------------------------------------------- */

struct planner {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct rv_periodic *periodic;
    _Atomic int asked, runs, ended;
    _Atomic int cancel_at; /* which question */
};

static rv_time plan_and_cancel(void *arg)
{
    struct planner *planner = arg;

    if (atomic_fetch_add(&planner->asked, 1) + 1 == atomic_load(&planner->cancel_at))
        rv_context_cancel(planner->cancel, -EIO, NULL);
    return atomic_load(&planner->runs) == 0 ? 0 : RV_FOREVER;
}

static int count_run(struct rv_context *ctx, void *arg)
{
    struct planner *planner = arg;
    (void)ctx;

    atomic_fetch_add(&planner->runs, 1);
    return 0;
}

static void note_end(int code, const char *text, void *arg)
{
    struct planner *planner = arg;
    (void)text;

    atomic_store(&planner->ended, code);
}

/* At the start, after a run, and when it is asked once more. */
static void test_a_schedule_may_cancel(void **state)
{
    (void)state;
    for (int at = 1; at <= 3; at++) {
        struct planner planner = {.cancel_at = at};
        struct rv_periodic_spec spec = {
            .size = sizeof(spec), .next = plan_and_cancel, .ended = note_end};

        assert_int_equal(rv_context_with_cancel(bg, &planner.ctx, &planner.cancel), 0);
        assert_int_equal(
            rv_periodic_create(planner.ctx, &spec, count_run, &planner, &planner.periodic), 0);
        if (at == 3) {
            wait_value(&planner.asked, 2);
            while (planner.asked < 3)
                rv_periodic_reschedule(planner.periodic);
        }
        wait_value(&planner.ended, -EIO);
        assert_int_equal(planner.runs, at == 1 ? 0 : 1);
        assert_int_equal(rv_periodic_destroy(planner.periodic), -EIO);
        rv_context_unref(planner.ctx);
    }
}

static rv_time plan_by_arg(void *arg)
{
    struct planner *planner = arg;

    atomic_fetch_add(&planner->asked, 1);
    return atomic_load(&planner->cancel_at) ? 0 : RV_FOREVER;
}

static int end_run(struct rv_context *ctx, void *arg)
{
    struct planner *planner = arg;
    (void)ctx;

    atomic_store(&planner->cancel_at, 0);
    atomic_fetch_add(&planner->runs, 1);
    return 0;
}

static int reschedule(void *arg)
{
    struct planner *planner = arg;

    rv_periodic_reschedule(planner->periodic);
    return 0;
}

/* An answer from before a change never counts after it. */
static void test_no_change_of_a_schedule_is_lost(void **state)
{
    struct planner planner = {0};
    struct rv_periodic_spec spec = {.size = sizeof(spec), .next = plan_by_arg};
    (void)state;

    assert_int_equal(rv_periodic_create(bg, &spec, end_run, &planner, &planner.periodic), 0);
    for (int round = 0; round < rounds_of(500); round++) {
        struct caller callers[2];

        for (int i = 0; i < 2; i++) {
            caller_start(&callers[i], reschedule, &planner);
        }
        atomic_store(&planner.cancel_at, 1);
        rv_periodic_reschedule(planner.periodic);
        wait_value(&planner.cancel_at, 0);
        for (int i = 0; i < 2; i++)
            caller_join(&callers[i]);
    }
    assert_true(planner.runs >= rounds_of(500));
    rv_periodic_destroy(planner.periodic);
}

/* The live tree ----------------------------------------------------------- */

struct root {
    struct rv_context *ctx;
    struct rv_cancel *cancel;
};

static int change_the_tree(const struct rv_context_info *info, void *arg)
{
    struct root *root = arg;
    struct rv_context *child;

    if (rv_context_with_cancel(root->ctx, &child, NULL) < 0)
        return -EIO;
    rv_context_unref(child);
    if (info->depth == 2)
        rv_context_cancel(root->cancel, 0, NULL);
    return 0;
}

static void test_a_visitor_may_change_the_tree(void **state)
{
    struct rv_context *child, *grandchild;
    struct root root;
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &root.ctx, &root.cancel), 0);
    assert_int_equal(rv_context_with_cancel(root.ctx, &child, NULL), 0);
    assert_int_equal(rv_context_with_cancel(child, &grandchild, NULL), 0);
    assert_int_equal(rv_context_visit(root.ctx, change_the_tree, &root), 0);
    assert_int_equal(rv_context_err(grandchild), -ECANCELED);
    rv_context_unref(grandchild);
    rv_context_unref(child);
    rv_context_unref(root.ctx);
}

static int drop_what_is_visited(const struct rv_context_info *info, void *arg)
{
    struct rv_context **child = arg;

    if (info->depth == 0)
        *child = rv_context_unref(*child);
    else if (info->labels.task && strcmp(info->labels.task, "held") != 0)
        return -EIO;
    return 0;
}

static void test_what_is_visited_lives_as_long(void **state)
{
    struct rv_labels labels = {.task = "held"};
    struct rv_context *root, *child;
    (void)state;

    assert_int_equal(rv_context_with_cancel(bg, &root, NULL), 0);
    assert_int_equal(rv_context_with_labels(root, &labels, &child, NULL), 0);
    assert_int_equal(rv_context_visit(root, drop_what_is_visited, &child), 0);
    rv_context_unref(root);
}

/* The end of a job -------------------------------------------------------- */

struct teller {
    struct rv_pool *pool;
    struct rv_channel *channel;
};

static int nothing(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

static void use_the_pool(const struct rv_outcome *end, void *arg)
{
    struct teller *teller = arg;
    struct rv_pool_stats stats;
    (void)end;

    rv_pool_stats(teller->pool, &stats);
    (void)!rv_pool_try_submit(teller->pool, nothing, NULL);
    rv_pool_discard(teller->pool, 0, NULL);
    rv_channel_close(teller->channel);
}

static void test_the_end_of_a_job_may_use_its_pool(void **state)
{
    struct teller teller;
    struct rv_pool_options options = {.size = sizeof(options),
                                      .workers = 1,
                                      .ended = use_the_pool,
                                      .arg = &teller,
                                      .timeout = RV_FOREVER};
    char element;
    (void)state;

    assert_int_equal(rv_channel_create(1, 0, &teller.channel), 0);
    assert_int_equal(rv_pool_create(bg, &options, &teller.pool), 0);
    assert_int_equal(rv_pool_submit(bg, teller.pool, nothing, NULL), 0);
    assert_int_equal(rv_channel_recv(bg, teller.channel, &element), -EPIPE);
    assert_int_equal(rv_pool_drain(bg, teller.pool), 0);
    rv_pool_destroy(teller.pool);
    rv_channel_unref(teller.channel);
}

/* Signals ----------------------------------------------------------------- */

static __thread sigjmp_buf back;
static _Atomic int caught;

static void jump_back(int number)
{
    atomic_fetch_add(&caught, 1);
    siglongjmp(back, number);
}

static __attribute__((noinline)) void cause(int number)
{
    if (sigsetjmp(back, 1) == 0)
        pthread_kill(pthread_self(), number);
}

static int cause_signals(struct rv_context *ctx, void *arg)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    (void)ctx;
    (void)arg;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        cause(numbers[i]);
    return 0;
}

static int signals_are_blocked(struct rv_context *ctx, void *arg)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM, SIGPIPE};
    sigset_t set;
    (void)ctx;
    (void)arg;

    pthread_sigmask(SIG_SETMASK, NULL, &set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigismember(&set, numbers[i]) != 1)
            return -EIO;
    return 0;
}

static void test_a_threads_own_signals_reach_the_program(void **state)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    struct sigaction action = {.sa_handler = jump_back}, before[7];
    struct rv_group *group;
    (void)state;

    for (int i = 0; i < 7; i++)
        sigaction(numbers[i], &action, &before[i]);
    assert_int_equal(rv_group_create(bg, &group), 0);
    assert_int_equal(rv_group_go(group, cause_signals, NULL), 0);
    assert_int_equal(rv_group_go(group, signals_are_blocked, NULL), 0);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
    assert_int_equal(caught, 7);
    for (int i = 0; i < 7; i++)
        sigaction(numbers[i], &before[i], NULL);
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
        cmocka_unit_test(test_a_schedule_may_cancel),
        cmocka_unit_test(test_no_change_of_a_schedule_is_lost),
        cmocka_unit_test(test_a_visitor_may_change_the_tree),
        cmocka_unit_test(test_what_is_visited_lives_as_long),
        cmocka_unit_test(test_the_end_of_a_job_may_use_its_pool),
        cmocka_unit_test(test_a_threads_own_signals_reach_the_program),
    };

    return cmocka_run_group_tests_name("foreign", tests, setup, NULL);
}
