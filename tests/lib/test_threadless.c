/* SPDX-License-Identifier: MIT */
/* The kernel gives no thread for a while, from the start: what waits for one is served once it
 * does. */
#include <reeve/once.h>

#include "lib/internal.h"
#include "tests/support/test.h"

static _Atomic int refusing = 1, refused;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg)
{
    if (!atomic_load(&refusing) || fn == caller_run)
        return __real_pthread_create(thread, attributes, fn, arg);
    atomic_fetch_add(&refused, 1);
    return EAGAIN;
}

static int run(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    ++*(int *)arg;
    return 0;
}

struct call {
    struct rv_once once;
    int runs;
};

static int call_once(void *arg)
{
    struct call *call = arg;

    return rv_once_do(rv_context_background(), &call->once, run, &call->runs);
}

/* Not even the timers have a thread that could try again. */
static void test_a_once(void **state)
{
    struct call call = {.once = RV_ONCE_INIT};
    struct caller caller;
    (void)state;

    caller_start(&caller, call_once, &call);
    /* It has tried in all ways, and again. */
    while (atomic_load(&refused) < 10)
        sched_yield();
    atomic_store(&refusing, 0);
    assert_int_equal(caller_join(&caller), 0);
    assert_int_equal(call.runs, 1);
    rv_once_destroy(&call.once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_once),
    };

    return cmocka_run_group_tests_name("threadless", tests, NULL, NULL);
}
