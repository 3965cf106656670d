/* SPDX-License-Identifier: MIT */
/* Arrays that double: nothing is lost, rare moves, also for a copy and for one that shrank between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"

static size_t *add(size_t *items, size_t *count, size_t value)
{
    items = array_grow(items, *count, sizeof(*items));
    assert_non_null(items);
    items[(*count)++] = value;
    return items;
}

static void assert_counted(const size_t *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(items[i], i);
}

static void test_the_capacity_is_the_next_power_of_two(void **state)
{
    static const size_t table[][2] = {{0, 1}, {1, 1}, {2, 2},       {3, 4},
                                      {4, 4}, {5, 8}, {1024, 1024}, {1025, 2048}};
    (void)state;

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        assert_int_equal(array_capacity(table[i][0]), table[i][1]);
}

static void test_items_stay_and_seldom_move(void **state)
{
    size_t *items = NULL, count = 0, asked = 0;
    (void)state;

    while (count < 20000) {
        asked += !items || array_capacity(count) == count;
        items = add(items, &count, count);
    }
    assert_counted(items, count);
    assert_in_range(asked, 1, 16);
    free(items);
}

static void test_one_that_shrinks_and_grows_again(void **state)
{
    size_t *items = NULL, count = 0;
    (void)state;

    for (size_t top = 0; top < 70; top++) {
        count = top / 2;
        while (count < top)
            items = add(items, &count, count);
        assert_counted(items, count);
    }
    free(items);
}

static void test_a_copy_of_the_right_size_grows(void **state)
{
    (void)state;

    for (size_t size = 1; size < 70; size++) {
        size_t *copy = calloc(array_capacity(size), sizeof(*copy)), count = 0;

        assert_non_null(copy);
        for (; count < size; count++)
            copy[count] = count;
        for (size_t more = 0; more < 10; more++)
            copy = add(copy, &count, count);
        assert_counted(copy, count);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_capacity_is_the_next_power_of_two),
        cmocka_unit_test(test_items_stay_and_seldom_move),
        cmocka_unit_test(test_one_that_shrinks_and_grows_again),
        cmocka_unit_test(test_a_copy_of_the_right_size_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
