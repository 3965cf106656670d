/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "tests/support/cmocka.h"

/* /proc has the environment that the process was started with. */
static void test_own_variables(void **state)
{
    char whole[65536], found[65536];
    (void)state;

    snprintf(whole, sizeof(whole), "PATH=%s", getenv("PATH"));
    assert_true(process_find_variable(getpid(), "PATH=", found, sizeof(found)));
    assert_string_equal(found, whole);
    assert_true(process_find_variable(getpid(), "PATH=", found, 4));
    assert_string_equal(found, "PAT");
    assert_false(process_find_variable(getpid(), "PATH_=", found, sizeof(found)));
    assert_false(process_find_variable(getpid(), "ATH=", found, sizeof(found)));
    assert_false(process_find_variable(0, "PATH=", found, sizeof(found)));
}

static void test_users(void **state)
{
    uid_t uid = PROCESS_NO_UID;
    (void)state;

    assert_true(process_find_uid(getpid(), &uid));
    assert_int_equal(uid, getuid());
    assert_false(process_find_uid(0, &uid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_variables),
        cmocka_unit_test(test_users),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
