/* SPDX-License-Identifier: MIT */
/*
 * A discard at the moment at which a job's time for its next attempt has come: it has none.
 *
 * The runtime's objects are linked into this program with pthread_mutex_lock() wrapped, where the
 * timer's thread is held up until the pool is discarded.
 */
#include "lib/pool.h"
#include "tests/support/test.h"

static pthread_mutex_t *pool_lock;
static pthread_t main_thread, worker;
static _Atomic int armed, at_lock, discarded, attempts, longer_runs;

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (atomic_load(&armed) && mutex == pool_lock && !pthread_equal(pthread_self(), main_thread) &&
        !pthread_equal(pthread_self(), worker)) {
        atomic_store(&at_lock, 1);
        wait_value(&discarded, 1);
    }
    return __real_pthread_mutex_lock(mutex);
}

static int fail_attempt(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    worker = pthread_self();
    atomic_store(&armed, 1);
    atomic_fetch_add(&attempts, 1);
    return -EIO;
}

static int take_longer(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_store(&longer_runs, 1);
    wait_value(&discarded, 1);
    return 0;
}

struct ends {
    int count, lost, attempts, code;
    char text[64];
};

static void note_end(const struct rv_outcome *end, void *arg)
{
    struct ends *ends = arg;

    ends->count++;
    if (end->kind != RV_OUTCOME_LOST)
        return;
    ends->lost++;
    ends->attempts = (int)end->attempts;
    ends->code = end->code;
    snprintf(ends->text, sizeof(ends->text), "%s", end->text);
}

static void test_a_retry_that_is_due_just_then(void **state)
{
    struct rv_context *bg = rv_context_background();
    struct ends ends = {.count = 0};
    struct rv_pool_options options = {.size = sizeof(options),
                                      .workers = 1,
                                      .retries = 3,
                                      .backoff = RV_MILLISECOND,
                                      .ended = note_end,
                                      .arg = &ends,
                                      .timeout = RV_FOREVER};
    struct rv_pool *pool;
    (void)state;

    main_thread = pthread_self();
    assert_int_equal(rv_pool_create(bg, &options, &pool), 0);
    pool_lock = &pool->lock;
    assert_int_equal(rv_pool_submit(bg, pool, fail_attempt, NULL), 0);
    assert_int_equal(rv_pool_submit(bg, pool, take_longer, NULL), 0);
    wait_value(&longer_runs, 1);
    wait_value(&at_lock, 1);
    rv_pool_discard(pool, -ESTALE, "no longer");
    atomic_store(&armed, 0);
    atomic_store(&discarded, 1);
    assert_int_equal(rv_pool_drain(bg, pool), 0);
    assert_int_equal(attempts, 1);
    assert_int_equal(ends.count, 2);
    assert_int_equal(ends.lost, 1);
    assert_int_equal(ends.attempts, 1);
    assert_int_equal(ends.code, -ESTALE);
    assert_string_equal(ends.text, "no longer");
    rv_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_retry_that_is_due_just_then),
    };

    return cmocka_run_group_tests_name("pool_discard", tests, NULL, NULL);
}
