/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include <signal.h>

#include "base/signal_name.h"

static void test_every_signal_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(signal_name(SIGTERM), "SIGTERM");
    assert_string_equal(signal_name(SIGRTMIN), "SIGRTMIN");
    assert_string_equal(signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
    /* As kill -l has it for the last one. */
    assert_string_equal(signal_name(SIGRTMAX), "SIGRTMIN+30");
    assert_string_equal(signal_name(32), "signal 32");
    assert_string_equal(signal_name(0), "signal 0");
    assert_string_equal(signal_name(-1), "signal -1");
    assert_string_equal(signal_name(1000), "signal 1000");
    for (int number = 1; number < NSIG; number++)
        assert_null(strstr(signal_name(number), "null"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_signal_has_a_name)};

    return cmocka_run_group_tests_name("signal_name", tests, NULL, NULL);
}
