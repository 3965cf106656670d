/* SPDX-License-Identifier: MIT */
/* How many units begin at once: so many, and no unit holds up the others for longer than a moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/duration.h"
#include "daemon/control/pace.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/unit.h"

static int64_t now = 1000;

int64_t __wrap_clock_monotonic(void);
int64_t __wrap_clock_monotonic(void)
{
    return now;
}

static struct loop *loop;
static unsigned calls;

static void again(void *arg)
{
    (void)arg;
    calls++;
    loop_stop(loop);
}

static void test_pace(void **state)
{
    struct pace pace;
    struct unit *units;
    unsigned count = 0, most;
    (void)state;

    assert_int_equal(loop_create(&loop), 0);
    assert_int_equal(pace_init(&pace, loop, again, NULL), 0);
    most = 2 * pace.processors;
    units = calloc(most + 2, sizeof(*units));
    for (unsigned i = 0; i < most + 2; i++)
        list_init(&units[i].pace_list);
    for (unsigned i = 0; i < most; i++) {
        assert_true(pace_has_room(&pace, 2));
        pace_begin(&pace, &units[count++]);
    }
    assert_false(pace_has_room(&pace, 2));
    assert_false(pace_has_room(&pace, 1));
    assert_true(pace_has_room(&pace, 3));
    /* One that begins anew counts once; one that is over makes room, once. */
    pace_begin(&pace, &units[0]);
    pace_end(&pace, &units[1]);
    pace_end(&pace, &units[1]);
    assert_true(pace_has_room(&pace, 2));
    pace_begin(&pace, &units[count++]);
    assert_false(pace_has_room(&pace, 2));
    /* Those that take their time make room as well, and whoever found none is called. */
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(calls, 1);
    now += NSEC_PER_SEC;
    assert_true(pace_has_room(&pace, 2));
    pace_begin(&pace, &units[count]);
    free(units);
    pace_finish(&pace);
    loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pace)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
