/* SPDX-License-Identifier: MIT */
/* Look-ups whose resolver answers when the test lets it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modules/httpcheck/httpcheck_resolve.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned asked, answered;
static unsigned answers; /* how many may be given */
static int failure;

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_found);
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_found);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_found)
{
    struct addrinfo numeric = *hints;
    int r;

    (void)host;
    pthread_mutex_lock(&lock);
    asked++;
    pthread_cond_broadcast(&changed);
    while (answers == 0)
        pthread_cond_wait(&changed, &lock);
    answers--;
    answered++;
    pthread_cond_broadcast(&changed);
    r = failure;
    pthread_mutex_unlock(&lock);
    numeric.ai_flags = AI_NUMERICHOST;
    return r != 0 ? r : __real_getaddrinfo("192.0.2.1", service, &numeric, ret_found);
}

static void allow(unsigned count)
{
    pthread_mutex_lock(&lock);
    answers += count;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_asked(unsigned count)
{
    pthread_mutex_lock(&lock);
    while (asked < count)
        pthread_cond_wait(&changed, &lock);
    assert_int_equal(asked, count);
    pthread_mutex_unlock(&lock);
}

static int begin(void **state)
{
    (void)state;
    asked = answered = answers = 0;
    failure = 0;
    return 0;
}

/* No look-up of a test may take an answer that the next one gives. */
static int end(void **state)
{
    (void)state;
    pthread_mutex_lock(&lock);
    answers += asked - answered;
    pthread_cond_broadcast(&changed);
    while (answered < asked)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return 0;
}

static int look_up(struct rv_context *ctx, void *arg)
{
    char *addresses;
    int r = resolve(ctx, "a.test", RV_FOREVER, &addresses);

    if (r == 0)
        *(bool *)arg = strcmp(addresses, "192.0.2.1") == 0;
    free(addresses);
    return r;
}

static void test_one_look_up_for_all(void **state)
{
    struct rv_group *group;
    bool good[8] = {false};
    (void)state;

    assert_int_equal(rv_group_create(rv_context_background(), &group), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(rv_group_go(group, look_up, &good[i]), 0);
    wait_asked(1);
    allow(8);
    assert_int_equal(rv_group_wait(group), 0);
    rv_group_destroy(group);
    for (int i = 0; i < 8; i++)
        assert_true(good[i]);
}

static void test_a_timeout_and_who_comes_later(void **state)
{
    struct rv_context *ctx = rv_context_background();
    char *addresses;
    (void)state;

    for (int i = 0; i < 10; i++) {
        assert_int_equal(resolve(ctx, "a.test", RV_MILLISECOND, &addresses), -ETIME);
        assert_string_equal(rv_error_text(-ETIME),
                            "the name a.test was not resolved in time: no name "
                            "server answers within 1 ms");
        assert_null(addresses);
    }
    wait_asked(1);
    /* Another name has its own, and the case of one is nothing. */
    assert_int_equal(resolve(ctx, "b.test", RV_MILLISECOND, &addresses), -ETIME);
    wait_asked(2);
    assert_int_equal(resolve(ctx, "A.test", RV_MILLISECOND, &addresses), -ETIME);
    wait_asked(2);
    /* One more, as that of a.test may have ended by the time that it is asked for. */
    allow(3);
    assert_int_equal(resolve(ctx, "a.test", RV_FOREVER, &addresses), 0);
    assert_string_equal(addresses, "192.0.2.1");
    free(addresses);
}

static void test_a_cancel(void **state)
{
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    char *addresses;
    (void)state;

    assert_int_equal(
        rv_context_with_timeout(rv_context_background(), 20 * RV_MILLISECOND, &ctx, &cancel), 0);
    assert_int_equal(resolve(ctx, "c.test", RV_FOREVER, &addresses), -ETIMEDOUT);
    wait_asked(1);
    allow(1);
    rv_context_cancel(cancel, 0, "done");
    rv_context_unref(ctx);
}

static void test_failures(void **state)
{
    struct rv_context *ctx = rv_context_background();
    char *addresses;
    (void)state;

    failure = EAI_NONAME;
    allow(1);
    assert_int_equal(resolve(ctx, "d.test", RV_FOREVER, &addresses), -EHOSTUNREACH);
    assert_string_equal(rv_error_text(-EHOSTUNREACH),
                        "the name d.test cannot be resolved: Name or service not known");
}

static void test_addresses_are_not_looked_up(void **state)
{
    struct rv_context *ctx = rv_context_background();
    char *addresses;
    (void)state;

    assert_int_equal(resolve(ctx, "127.0.0.1", RV_FOREVER, &addresses), 0);
    assert_null(addresses);
    assert_int_equal(resolve(ctx, "[::1]", RV_FOREVER, &addresses), 0);
    assert_null(addresses);
    wait_asked(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_look_up_for_all, begin, end),
        cmocka_unit_test_setup_teardown(test_a_timeout_and_who_comes_later, begin, end),
        cmocka_unit_test_setup_teardown(test_a_cancel, begin, end),
        cmocka_unit_test_setup_teardown(test_failures, begin, end),
        cmocka_unit_test_setup_teardown(test_addresses_are_not_looked_up, begin, end),
    };

    return cmocka_run_group_tests_name("httpcheck_resolve", tests, NULL, NULL);
}
