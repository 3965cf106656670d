/* SPDX-License-Identifier: MIT */
/* Whose an orphan is while a host's process is being made, whose mark appears at any moment. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/process.h"
#include "base/text.h"
#include "daemon/process/orphan_owner.h"
#include "wire/message.h"

static const char *const
    *marks; /* what is read, one look after the other; NULL: there is none yet */
static unsigned looks;

bool __wrap_process_find_variable(pid_t pid, const char *prefix, char *ret_variable, size_t size);
bool __wrap_process_find_variable(pid_t pid, const char *prefix, char *ret_variable, size_t size)
{
    const char *mark = marks[looks++];

    (void)pid;
    (void)prefix;
    if (mark)
        string_copy(ret_variable, size, mark);
    return mark != NULL;
}

static enum owner find(const char *first, const char *second, const char *made)
{
    struct list known;
    struct ended *ended;

    list_init(&known);
    marks = (const char *const[]){first, second};
    looks = 0;
    return orphan_find_owner(INT_MAX, made, &known, &ended);
}

static void test_one_that_is_being_made(void **state)
{
    (void)state;

    assert_int_equal(find(WIRE_MARK "1", WIRE_MARK "1", WIRE_MARK "1"), OWNER_LIVING);
    /* A second look would take it for one that somebody has left behind. */
    assert_int_equal(find(NULL, WIRE_MARK "1", WIRE_MARK "1"), OWNER_NONE);
    assert_int_equal(looks, 1);
}

static void test_others_beside_it(void **state)
{
    (void)state;

    assert_int_equal(find(WIRE_MARK "2", WIRE_MARK "2", WIRE_MARK "1"), OWNER_ENDED);
    assert_int_equal(find(WIRE_MARK "2", WIRE_MARK "2", NULL), OWNER_ENDED);
    assert_int_equal(find(NULL, NULL, WIRE_MARK "1"), OWNER_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_is_being_made),
        cmocka_unit_test(test_others_beside_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
