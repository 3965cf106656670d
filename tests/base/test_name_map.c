/* SPDX-License-Identifier: MIT */
/* Things by their names: all of many are found, and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/name_map.h"

#define NAMES 5000

static void test_many_names(void **state)
{
    static char names[NAMES][16];
    struct name_map map = {0};
    (void)state;

    assert_null(name_map_find(&map, "name-0"));
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof(names[i]), "name-%u", i);
        assert_null(name_map_find(&map, names[i]));
        assert_int_equal(name_map_add(&map, names[i], &names[i]), 0);
    }
    assert_int_equal(map.count, NAMES);
    for (unsigned i = 0; i < NAMES; i++)
        assert_ptr_equal(name_map_find(&map, names[i]), names[i]);
    assert_null(name_map_find(&map, "name-"));
    assert_null(name_map_find(&map, "name-5000"));
    name_map_free(&map);
    assert_null(name_map_find(&map, "name-0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
