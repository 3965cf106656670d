/* SPDX-License-Identifier: MIT */
/* The restart decision as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/duration.h"
#include "base/macro.h"
#include "daemon/unit/policy.h"
#include "settings/keys.h"

#define SECOND NSEC_PER_SEC

static struct config_module defaults(void)
{
    struct config_module settings = {0};

    settings_init(module_keys, &settings);
    settings.restart_delay = SECOND;
    settings.restart_delay_max = 10 * SECOND;
    settings.restart_reset = 60 * SECOND;
    settings.restart_limit = (struct setting_rate){3, 100 * SECOND};
    return settings;
}

static void test_verdicts(void **state)
{
    static const struct {
        enum config_restart restart;
        enum policy_end end;
        enum policy_verdict verdict;
    } table[] = {
        {CONFIG_RESTART_ALWAYS, POLICY_END_FAILURE, POLICY_RESTART},
        {CONFIG_RESTART_ALWAYS, POLICY_END_PERMANENT, POLICY_FAILED},
        {CONFIG_RESTART_ALWAYS, POLICY_END_NEIGHBOUR, POLICY_RESTART},
        {CONFIG_RESTART_ON_FAILURE, POLICY_END_FAILURE, POLICY_RESTART},
        {CONFIG_RESTART_ON_FAILURE, POLICY_END_PERMANENT, POLICY_FAILED},
        {CONFIG_RESTART_ON_FAILURE, POLICY_END_NEIGHBOUR, POLICY_RESTART},
        {CONFIG_RESTART_NEVER, POLICY_END_FAILURE, POLICY_FAILED},
        {CONFIG_RESTART_NEVER, POLICY_END_NEIGHBOUR, POLICY_FAILED},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct config_module settings = defaults();
        struct policy_history history = {0};
        struct policy_facts facts = {.end = table[i].end, .now = 1000 * SECOND};
        struct policy_decision decision;

        settings.restart = table[i].restart;
        decision = policy_decide(&settings, &history, &facts);
        assert_int_equal(decision.verdict, table[i].verdict);
        assert_true(decision.reason[0] != '\0');
    }
}

static void test_delays_double_to_the_cap(void **state)
{
    struct config_module settings = defaults();
    struct policy_history history = {0};
    static const int64_t middle[] = {1, 2, 4, 8, 10, 10};
    (void)state;

    settings.restart_limit.count = 1000;
    for (size_t i = 0; i < ARRAY_SIZE(middle); i++) {
        struct policy_facts facts = {.end = POLICY_END_FAILURE, .now = 1000 * SECOND};
        struct policy_decision low, high;

        facts.random = 0;
        low = policy_decide(&settings, &history, &facts);
        facts.random = 1023;
        high = policy_decide(&settings, &history, &facts);
        assert_int_equal(low.delay, middle[i] * SECOND / 4 * 3);
        assert_true(high.delay > middle[i] * SECOND || high.delay == settings.restart_delay_max);
        assert_true(high.delay <= MIN(middle[i] * SECOND / 4 * 5, settings.restart_delay_max));
        policy_record(&history, &low, facts.now);
    }
    /* A streak beyond any doubling does not overflow. */
    history.streak = UINT32_MAX;
    settings.restart_delay_max = INT64_MAX;
    assert_true(policy_decide(&settings, &history,
                              &(struct policy_facts){.end = POLICY_END_FAILURE, .random = 5})
                    .delay > 0);
}

static void test_limit(void **state)
{
    struct config_module settings = defaults();
    struct policy_history history = {0};
    struct policy_facts facts = {.end = POLICY_END_FAILURE, .now = 1000 * SECOND};
    struct policy_decision decision;
    (void)state;

    assert_int_equal(policy_history_resize(&history, settings.restart_limit.count), 0);
    for (int i = 0; i < 3; i++) {
        decision = policy_decide(&settings, &history, &facts);
        assert_int_equal(decision.verdict, POLICY_RESTART);
        policy_record(&history, &decision, facts.now);
        facts.now += SECOND;
    }
    decision = policy_decide(&settings, &history, &facts);
    assert_int_equal(decision.verdict, POLICY_FAILED);
    assert_non_null(strstr(decision.reason, "3 restarts within 1min 40s"));
    /* A neighbour's fault does not count; the window moves on; a person forgives. */
    facts.end = POLICY_END_NEIGHBOUR;
    assert_int_equal(policy_decide(&settings, &history, &facts).verdict, POLICY_RESTART);
    /* Nor do starts without a process, however many there are. */
    facts.end = POLICY_END_NO_PROCESS;
    for (int i = 0; i < 10; i++) {
        decision = policy_decide(&settings, &history, &facts);
        assert_int_equal(decision.verdict, POLICY_RESTART);
        policy_record(&history, &decision, facts.now);
    }
    facts.end = POLICY_END_FAILURE;
    facts.now += 99 * SECOND;
    assert_int_equal(policy_decide(&settings, &history, &facts).verdict, POLICY_RESTART);
    facts.now -= 99 * SECOND;
    policy_history_clear(&history);
    decision = policy_decide(&settings, &history, &facts);
    assert_int_equal(decision.verdict, POLICY_RESTART);
    assert_int_equal(decision.delay, SECOND / 4 * 3);
    policy_history_free(&history);
}

static void test_stable_period_resets(void **state)
{
    struct config_module settings = defaults();
    struct policy_history history = {.streak = 4};
    struct policy_facts facts = {
        .end = POLICY_END_FAILURE, .now = 1000 * SECOND, .ready_since = 941 * SECOND};
    struct policy_decision decision = policy_decide(&settings, &history, &facts);
    (void)state;

    assert_false(decision.stable);
    facts.ready_since = 940 * SECOND;
    decision = policy_decide(&settings, &history, &facts);
    assert_true(decision.stable);
    assert_int_equal(decision.delay, SECOND / 4 * 3);
    policy_record(&history, &decision, facts.now);
    assert_int_equal(history.streak, 1);
}

static void test_resize_keeps_the_newest(void **state)
{
    struct config_module settings = defaults();
    struct policy_history history = {0};
    struct policy_decision decision = {.verdict = POLICY_RESTART};
    struct policy_facts facts = {.end = POLICY_END_FAILURE, .now = 105};
    (void)state;

    assert_int_equal(policy_history_resize(&history, 3), 0);
    for (int64_t now = 101; now <= 105; now++)
        policy_record(&history, &decision, now);
    assert_int_equal(policy_history_resize(&history, 2), 0);
    settings.restart_limit = (struct setting_rate){2, 1};
    assert_int_equal(policy_decide(&settings, &history, &facts).verdict, POLICY_FAILED);
    assert_int_equal(policy_history_resize(&history, 4), 0);
    settings.restart_limit.count = 3;
    assert_int_equal(policy_decide(&settings, &history, &facts).verdict, POLICY_RESTART);
    policy_history_free(&history);
}

static void test_the_longest_delay(void **state)
{
    struct config_module settings = defaults();
    struct policy_history history = {0};
    struct policy_facts facts = {.end = POLICY_END_FAILURE};
    (void)state;

    /* No restart has waited longer than that, with the same settings. */
    for (unsigned i = 0; i < 8; i++) {
        struct policy_decision decision;

        settings.restart_limit.count = 1000;
        facts.random = i * 341;
        decision = policy_decide(&settings, &history, &facts);
        policy_record(&history, &decision, facts.now);
        assert_true(policy_longest_delay(&settings, &history) >= decision.delay);
        assert_true(policy_longest_delay(&settings, &history) <= 2 * decision.delay);
    }
    assert_int_equal(policy_longest_delay(&settings, &history), 10 * SECOND);
    settings.restart_delay = settings.restart_delay_max = SECOND / 100;
    assert_int_equal(policy_longest_delay(&settings, &history), SECOND / 100);
}

/* The defaults of reeve.ini(5), for a module that fails as soon as it starts: it is given up in a
 * time in which somebody may still look, whatever the dice say. */
static void test_the_default_limit_is_reached(void **state)
{
    static const uint32_t dice[] = {0, 511, 1023};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(dice); i++) {
        struct config_module settings = {0};
        struct policy_history history = {0};
        struct policy_facts facts = {
            .end = POLICY_END_FAILURE, .now = 1000 * SECOND, .random = dice[i]};
        struct policy_decision decision;
        int64_t began = facts.now;

        settings_init(module_keys, &settings);
        assert_int_equal(policy_history_resize(&history, settings.restart_limit.count), 0);
        while ((decision = policy_decide(&settings, &history, &facts)).verdict == POLICY_RESTART) {
            assert_true(decision.delay <= settings.restart_delay_max);
            policy_record(&history, &decision, facts.now);
            facts.now += decision.delay;
            assert_true(facts.now - began < 600 * SECOND);
        }
        assert_int_equal(decision.verdict, POLICY_FAILED);
        policy_history_free(&history);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_delays_double_to_the_cap),
        cmocka_unit_test(test_the_longest_delay),
        cmocka_unit_test(test_the_default_limit_is_reached),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_stable_period_resets),
        cmocka_unit_test(test_resize_keeps_the_newest),
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
