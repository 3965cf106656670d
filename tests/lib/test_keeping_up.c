/* SPDX-License-Identifier: MIT */
/* A thread that kept up with short work does not with longer, though some of it ends all the time:
 * others are woken. */
#include <reeve/channel.h>
#include <reeve/fan.h>
#include <reeve/pool.h>

#include "tests/lib/workers.h"

#define WORKERS 4
#define ROUNDS  5
#define SHORT   20000
#define LONGER  5000

static struct rv_context *bg;

/* Until another one does so at the same time: on a busy machine one that is woken may wait for a
 * processor. */
static void take_a_while(void)
{
    rv_time end = rv_now() + 300 * RV_MICROSECOND;

    enter();
    while (peak < 2 && rv_now() < end)
        ;
    atomic_fetch_sub(&running, 1);
}

static int work_short(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

static int work_longer(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    take_a_while();
    return 0;
}

static void test_pool(void **state)
{
    struct rv_pool_options options = {
        .size = sizeof(options), .workers = WORKERS, .queue = 1024, .timeout = RV_FOREVER};
    struct rv_pool *pool;
    (void)state;

    for (int round = 0; round < ROUNDS; round++) {
        reset();
        assert_int_equal(rv_pool_create(bg, &options, &pool), 0);
        for (int i = 0; i < SHORT; i++)
            assert_int_equal(rv_pool_submit(bg, pool, work_short, NULL), 0);
        for (int i = 0; i < LONGER; i++)
            assert_int_equal(rv_pool_submit(bg, pool, work_longer, NULL), 0);
        assert_int_equal(rv_pool_drain(bg, pool), 0);
        assert_int_equal(total, LONGER);
        assert_in_range(peak, 2, WORKERS);
        rv_pool_destroy(pool);
    }
}

static void test_group(void **state)
{
    struct rv_group *group;
    (void)state;

    for (int round = 0; round < ROUNDS; round++) {
        reset();
        assert_int_equal(rv_group_create(bg, &group), 0);
        rv_group_set_limit(group, WORKERS);
        for (int i = 0; i < SHORT; i++)
            assert_int_equal(rv_group_go(group, work_short, NULL), 0);
        for (int i = 0; i < LONGER; i++)
            assert_int_equal(rv_group_go(group, work_longer, NULL), 0);
        assert_int_equal(rv_group_wait(group), 0);
        rv_group_destroy(group);
        assert_int_equal(total, LONGER);
        assert_in_range(peak, 2, WORKERS);
    }
}

static int work_item(struct rv_context *ctx, const void *item, void *result, void *arg)
{
    (void)ctx;
    (void)arg;
    if (*(const bool *)item)
        take_a_while();
    *(bool *)result = true;
    return 0;
}

struct ends {
    struct rv_channel *in, *out;
};

static int run_fan(void *arg)
{
    struct ends *ends = arg;

    return rv_fan_run(bg, ends->in, ends->out, WORKERS, work_item, NULL);
}

static int drop_results(void *arg)
{
    struct ends *ends = arg;
    bool result;

    while (rv_channel_recv(bg, ends->out, &result) == 0)
        ;
    return 0;
}

static void test_fan(void **state)
{
    (void)state;

    for (int round = 0; round < ROUNDS; round++) {
        struct caller fan, collector;
        struct ends ends;

        reset();
        assert_int_equal(rv_channel_create(sizeof(bool), 256, &ends.in), 0);
        assert_int_equal(rv_channel_create(sizeof(bool), 256, &ends.out), 0);
        caller_start(&fan, run_fan, &ends);
        caller_start(&collector, drop_results, &ends);
        for (int i = 0; i < SHORT + LONGER; i++)
            assert_int_equal(rv_channel_send(bg, ends.in, &(bool){i >= SHORT}), 0);
        rv_channel_close(ends.in);
        assert_int_equal(caller_join(&fan), 0);
        assert_int_equal(caller_join(&collector), 0);
        assert_int_equal(total, LONGER);
        assert_in_range(peak, 2, WORKERS);
        rv_channel_unref(ends.in);
        rv_channel_unref(ends.out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_fan),
    };

    bg = rv_context_background();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
