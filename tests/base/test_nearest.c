/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "base/macro.h"
#include "base/nearest.h"
#include "tests/support/test.h"

static const char *words_for(const char *wrong)
{
    static const char *const keys[] = {"timeout", "url", "workers"};
    static struct nearest nearest;

    nearest_begin(&nearest, wrong);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        nearest_offer(&nearest, keys[i]);
    return nearest_words(&nearest);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(words_for("timeuot"), "; did you mean \"timeout\"?");
    assert_string_equal(words_for("wrkers"), "; did you mean \"workers\"?");
    assert_string_equal(words_for("completely-else"), "");
    assert_string_equal(words_for(""), "");
}

static void test_distance(void **state)
{
    char longest[65];
    (void)state;

    assert_int_equal(name_distance("ab", "ba"), 1);
    assert_int_equal(name_distance("", "abc"), 3);
    assert_int_equal(name_distance("kitten", "sitting"), 3);
    memset(longest, 'a', 64);
    longest[64] = '\0';
    assert_int_equal(name_distance(longest, "aa"), UINT_MAX);
    assert_int_equal(name_distance(longest + 1, longest + 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_distance),
    };

    return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
