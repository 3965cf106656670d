/* SPDX-License-Identifier: MIT */
/* Which bounds an author has written: 0 is one, if its initialiser stands among the words of C. */
#include "host/load/bounds.h"
#include "tests/support/cmocka.h"

/* As C23 and C++14 write long numbers, beside characters. */
static void digits_are_separated(void **_unused_)
{
    static const struct {
        const char *given;
        bool minimum, maximum;
    } cases[] = {
        {".maximum = 1'000, .minimum = 0", true, true},
        {".minimum = -1'000'000, .maximum = 0,", true, true},
        {".maximum = 0x1'f", false, true},
        {".minimum = 'a', .maximum = L'.'", true, true},
        {".help = L\".minimum\", .maximum = '\\''", false, true},
        {".fallback = \"1'\", .minimum = 0", true, false},
        {".fallback = x1'.minimum'", false, false},
    };

    (void)_unused_;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rv_option option = {.given = cases[i].given};
        int64_t bound;

        assert_int_equal(bounds_minimum(&option, &bound), cases[i].minimum);
        assert_int_equal(bounds_maximum(&option, &bound), cases[i].maximum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_separated),
    };

    return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
