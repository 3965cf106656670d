/* SPDX-License-Identifier: MIT */
/* How long a run or job took whose host ended: from when the host had begun it, not from when
 * reeved heard of that. */
#include "daemon/unit/request.h"

#include <errno.h>

#include "base/clock.h"
#include "daemon/unit/unit.h"
#include "tests/support/test.h"
#include "wire/message.h"

#define ID 7

static struct unit unit = {.slot = 1};

static void keep(const struct request_answer *answer, void *arg)
{
    struct request_answer *kept = arg;

    if (answer->final)
        *kept = (struct request_answer){.final = true,
                                        .number = answer->number,
                                        .code = answer->code,
                                        .duration = answer->duration};
}

/* The duration that is told when the host ends after an ACCEPTED with this moment. */
static int64_t told_duration(int64_t since)
{
    const struct request_record record = {.id = ID, .module = "a"};
    struct wire_message message = {
        .type = WIRE_ACCEPTED, .request = ID, .number = 3, .since = since};
    struct request_answer kept = {0};
    struct requests requests;

    requests_init(&requests);
    assert_int_equal(request_resume(&requests, &unit, &record, keep, &kept), 0);
    request_answered(&requests, &unit, &message);
    assert_false(kept.final);
    requests_host_ended(&requests, &unit, "killed");
    assert_true(kept.final);
    assert_int_equal(kept.code, -EPIPE);
    assert_int_equal(kept.number, 3);
    return kept.duration;
}

static void test_from_when_the_host_began(void **state)
{
    int64_t before = clock_monotonic(), told = told_duration(before - 5 * NSEC_PER_SEC);
    (void)state;

    assert_true(told >= 5 * NSEC_PER_SEC);
    assert_true(told <= clock_monotonic() - before + 5 * NSEC_PER_SEC);
}

static void test_a_host_that_lies(void **state)
{
    static const int64_t lies[] = {INT64_MAX, INT64_MIN, -1, 0};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        int64_t told = told_duration(lies[i]);

        assert_true(told >= 0);
        assert_true(told <= clock_monotonic());
    }
    assert_true(told_duration(clock_monotonic() + NSEC_PER_SEC) < NSEC_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_when_the_host_began),
        cmocka_unit_test(test_a_host_that_lies),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
