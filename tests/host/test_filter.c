/* SPDX-License-Identifier: MIT */
/* The program that is made of a filter's rules does what they say: run by an interpreter here, for random rules and
 * calls, and compared with the rules themselves. */
#include <errno.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/host/sandbox_filter.h"

static struct filter filter;
static struct sock_filter code[FILTER_CODE];
static int count;

static uint32_t load(const struct seccomp_data *data, uint32_t place)
{
    uint32_t value;

    assert_true(place % 4 == 0 && place + 4 <= sizeof(*data));
    memcpy(&value, (const char *)data + place, sizeof(value));
    return value;
}

/* Only what the compiler makes use of; the kernel refuses programs that run past their end. */
static uint32_t run(const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (int i = 0; i < count; i++) {
        const struct sock_filter *c = &code[i];

        switch (c->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            a = load(data, c->k);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= c->k;
            break;
        case BPF_JMP | BPF_JA:
            i += (int)c->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            i += a == c->k ? c->jt : c->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            i += a >= c->k ? c->jt : c->jf;
            break;
        case BPF_RET | BPF_K:
            return c->k;
        default:
            fail_msg("instruction %d has the code %#x", i, c->code);
        }
    }
    fail_msg("the program has no end");
    return 0;
}

/* The architecture that the program wants stands in its second instruction. */
static struct seccomp_data make_call(int nr)
{
    return (struct seccomp_data){.nr = nr, .arch = code[1].k};
}

static bool holds(const struct filter_condition *condition, const struct seccomp_data *data)
{
    uint64_t argument = data->args[condition->argument];

    return condition->equal ? ((uint32_t)argument & condition->mask) == condition->value
                            : argument != condition->value;
}

/* Whether the rules allow that answer. */
static bool is_right(const struct seccomp_data *data, uint32_t answer)
{
    bool denied = false;

    for (unsigned i = 0; i < filter.count; i++) {
        const struct filter_rule *rule = &filter.rules[i];
        bool all = rule->call == data->nr;

        for (unsigned j = 0; j < rule->count; j++)
            all = all && holds(&rule->conditions[j], data);
        denied = denied || all;
        if (all && answer == (SECCOMP_RET_ERRNO | (uint32_t)rule->error))
            return true;
    }
    return !denied && answer == SECCOMP_RET_ALLOW;
}

/* Small numbers, so that they meet, and now and then one with an upper half. */
static uint64_t random_value(void)
{
    return (uint64_t)(rand() % 6) + (rand() % 5 == 0 ? (uint64_t)1 << 32 : 0);
}

static struct filter_condition random_condition(void)
{
    unsigned argument = (unsigned)rand() % 3;
    uint32_t value = (uint32_t)random_value(), mask = (uint32_t)rand() % 8;

    if (rand() % 3 == 0)
        return filter_differs(argument, value);
    return rand() % 2 ? filter_low(argument, value) : filter_masked(argument, mask, value & mask);
}

static void random_rule(void)
{
    static const int errors[] = {EPERM, EACCES, ENOSYS};
    int call = rand() % 12, error = errors[rand() % 3];
    struct filter_condition first = filter_low((unsigned)rand() % 3, (uint32_t)random_value());

    switch (rand() % 4) {
    case 0:
        filter_deny(&filter, error, call);
        break;
    case 1:
        filter_deny_if_both(&filter, error, call, first, random_condition());
        break;
    default:
        filter_deny_if(&filter, error, call, random_condition());
    }
}

static void test_random_rules(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        srand(round);
        filter_begin(&filter);
        for (int rules = rand() % 20; rules > 0; rules--)
            random_rule();
        count = filter_compile(&filter, code);
        assert_true(count > 0);
        for (unsigned i = 0; i < 200; i++) {
            struct seccomp_data data = make_call(rand() % 13);

            for (unsigned j = 0; j < 3; j++)
                data.args[j] = random_value();
            if (!is_right(&data, run(&data)))
                fail_msg("seed %u: wrong answer %#x to call %d", round, run(&data), data.nr);
        }
    }
}

static void test_other_architectures(void **state)
{
    struct seccomp_data data;
    (void)state;

    filter_begin(&filter);
    count = filter_compile(&filter, code);
    data = make_call(1);
    assert_int_equal(run(&data), SECCOMP_RET_ALLOW);
    data.arch ^= 1;
    assert_int_equal(run(&data), SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
    data = make_call(0x40000001);
    assert_int_equal(run(&data), SECCOMP_RET_KILL_PROCESS);
    data = make_call(-1);
    assert_int_equal(run(&data), SECCOMP_RET_ALLOW);
#endif
}

/* A rule for which there is no room is not left out in silence. */
static void test_too_many_rules(void **state)
{
    (void)state;
    filter_begin(&filter);
    for (int i = 0; i < FILTER_RULES; i++)
        filter_deny(&filter, EPERM, 0);
    assert_true(filter_compile(&filter, code) == -E2BIG || !filter.full);
    filter_deny(&filter, EPERM, 1);
    assert_int_equal(filter_compile(&filter, code), -E2BIG);
    assert_int_equal(filter_enforce(&filter), -E2BIG);
    filter_begin(&filter);
    filter_deny(&filter, EPERM, NO_CALL);
    assert_int_equal(filter.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_rules),
        cmocka_unit_test(test_other_architectures),
        cmocka_unit_test(test_too_many_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
