/* SPDX-License-Identifier: MIT */
/* The runs of the last hour, as the page shows them: snapshots are made here, and each sample ends
 * a minute. */
#include "daemon/edge/page/run_history.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "daemon/edge/documents.h"
#include "tests/support/cmocka.h"

struct loop;
struct loop_timer;

const struct snapshot *__wrap_documents_snapshot(struct documents *documents);
int __wrap_loop_timer_create(struct loop *loop, void (*fn)(void *), void *arg,
                             struct loop_timer **ret_timer);
void __wrap_loop_timer_arm(struct loop_timer *timer, int64_t ns);
void __wrap_loop_timer_destroy(struct loop_timer *timer);

static struct scoreboard_task record = {.name = "task"};
static struct snapshot_task task = {.record = &record};
static char name[] = "module";
static struct snapshot_module module = {.name = name, .tasks = &task, .task_count = 1};
static struct snapshot snapshot = {.modules = &module, .module_count = 1};
static struct run_history *history;
static int64_t armed;

const struct snapshot *__wrap_documents_snapshot(struct documents *documents)
{
    (void)documents;
    return &snapshot;
}

int __wrap_loop_timer_create(struct loop *loop, void (*fn)(void *), void *arg,
                             struct loop_timer **ret_timer)
{
    (void)loop, (void)fn, (void)arg;
    *ret_timer = NULL;
    return 0;
}

void __wrap_loop_timer_arm(struct loop_timer *timer, int64_t ns)
{
    (void)timer;
    armed = ns;
}

void __wrap_loop_timer_destroy(struct loop_timer *timer)
{
    (void)timer;
}

static int setup(void **state)
{
    (void)state;
    record = (struct scoreboard_task){.name = "task"};
    module.task_count = 1;
    snapshot.module_count = 1;
    return run_history_create(NULL, NULL, &history);
}

static int teardown(void **state)
{
    (void)state;
    run_history_destroy(history);
    return 0;
}

static bool is_wanted(void *arg)
{
    (void)arg;
    return true;
}

/* So many more runs, and of these so many failures. */
static void run(unsigned runs, unsigned failures)
{
    record.runs += runs;
    record.failures += failures;
}

/* The end of the line. */
static void assert_ends(const char *end)
{
    char line[RUN_HISTORY_SIZE];

    run_history_line(history, name, &task, line);
    assert_int_equal(strlen(line), RUN_HISTORY_MINUTES);
    assert_string_equal(line + RUN_HISTORY_MINUTES - strlen(end), end);
    assert_int_equal(strspn(line, "-.roxm"), RUN_HISTORY_MINUTES);
}

static void test_before_the_first_minute_is_over(void **state)
{
    (void)state;

    run_history_start(history, is_wanted, NULL);
    assert_ends("--.");
    run(3, 0);
    assert_ends("--o");
    run(1, 1);
    assert_ends("--m");
}

static void test_minute_by_minute(void **state)
{
    (void)state;

    run(7, 7);
    run_history_sample(history);
    /* Nobody knows in which minutes those were. */
    assert_ends("---.");
    run(2, 0);
    run_history_sample(history);
    run_history_sample(history);
    run(2, 2);
    run_history_sample(history);
    run(2, 1);
    run_history_sample(history);
    record.state = SCOREBOARD_TASK_RUNNING;
    run_history_sample(history);
    record.state = SCOREBOARD_TASK_WAITING;
    assert_ends("-o.xmr.");
    run(1, 0);
    assert_ends("-o.xmro");
}

/* A daemon begins without tasks; a task that comes later has done all in the present minute. */
static void test_what_is_new_is_of_this_minute(void **state)
{
    (void)state;

    module.task_count = 0;
    run_history_start(history, is_wanted, NULL);
    module.task_count = 1;
    run(1, 1);
    assert_ends("--x");
    run_history_sample(history);
    assert_ends("-x.");
}

/* The counters go on over an upgrade, and while there is no page. */
static void test_what_was_before_is_of_no_known_minute(void **state)
{
    (void)state;

    run(2, 1);
    assert_ends("---");
    run_history_start(history, is_wanted, NULL);
    assert_ends("--.");
    run(1, 0);
    assert_ends("--o");
    run_history_sample(history);
    assert_ends("-o.");
}

static void test_an_hour_and_no_more(void **state)
{
    char line[RUN_HISTORY_SIZE];

    (void)state;
    run_history_sample(history);
    run(1, 1);
    run_history_sample(history);
    for (int i = 0; i < RUN_HISTORY_MINUTES - 2; i++) {
        run(1, 0);
        run_history_sample(history);
    }
    run_history_line(history, name, &task, line);
    assert_int_equal(line[0], RUN_HISTORY_FAILED);
    run(1, 0);
    run_history_sample(history);
    run_history_line(history, name, &task, line);
    assert_int_equal(line[0], RUN_HISTORY_GOOD);
    assert_null(strchr(line, RUN_HISTORY_FAILED));
}

/* A module that is removed and added again begins with new counters. */
static void test_counters_that_go_back(void **state)
{
    (void)state;

    run(100, 50);
    run_history_sample(history);
    record.runs = 2;
    record.failures = 0;
    run_history_sample(history);
    assert_ends("-o.");
}

static void test_a_task_that_is_gone_is_forgotten(void **state)
{
    (void)state;

    run_history_sample(history);
    run(1, 0);
    run_history_sample(history);
    assert_ends("o.");
    module.task_count = 0;
    run_history_sample(history);
    module.task_count = 1;
    record.runs = 0;
    assert_ends("--.");
}

static void test_at_the_end_of_a_minute(void **state)
{
    int64_t now = clock_realtime(), end;

    (void)state;
    run_history_start(history, is_wanted, NULL);
    end = now + armed;
    assert_true(armed > 0 && armed <= 60 * NSEC_PER_SEC);
    /* To a second, as the clock went on meanwhile. */
    assert_in_range((end + NSEC_PER_SEC / 2) % (60 * NSEC_PER_SEC), 0, NSEC_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_before_the_first_minute_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_minute_by_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_new_is_of_this_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_before_is_of_no_known_minute, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_hour_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counters_that_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_task_that_is_gone_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_at_the_end_of_a_minute, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
