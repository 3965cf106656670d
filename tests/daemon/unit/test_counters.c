/* SPDX-License-Identifier: MIT */
/* The books over several incarnations, and what is made of jobs that a dead host left. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "daemon/unit/counters.h"

struct fixture {
    const struct scoreboard *board;
    struct scoreboard *host;
};

static int make_board(void **state)
{
    static struct fixture fixture;
    int fd;

    if (scoreboard_create("test", &fd, &fixture.board) < 0 || scoreboard_map(fd, &fixture.host) < 0)
        return -1;
    close(fd);
    /* The host has begun books for each of its modules. */
    for (unsigned i = 0; i < SCOREBOARD_MODULES; i++)
        fixture.host->modules[i].books = 1;
    *state = &fixture;
    return 0;
}

static int drop_board(void **state)
{
    struct fixture *fixture = *state;

    munmap(fixture->host, sizeof(*fixture->host));
    scoreboard_unmap(fixture->board);
    return 0;
}

static void set_task(struct scoreboard *host, unsigned i, uint32_t slot, const char *name,
                     uint64_t runs)
{
    struct scoreboard_task *task = &host->tasks[i];

    scoreboard_write_begin(task);
    task->head.used = 1;
    task->module = slot;
    task->runs = runs;
    task->ended_at = 1000 + (int64_t)runs;
    task->run_duration = (struct histogram){.sum = (int64_t)runs, .counts = {[1] = runs}};
    string_copy(task->name, sizeof(task->name), name);
    scoreboard_write_end(task);
}

static void test_counters_add_up(void **state)
{
    struct fixture *fixture = *state;
    struct counters counters = {0}, copy;

    set_task(fixture->host, 0, 0, "check", 3);
    set_task(fixture->host, 1, 1, "other", 50);
    set_task(fixture->host, 2, 0, "sweep", 1);
    assert_int_equal(counters_close(&counters, fixture->board, 0, "killed by SIGKILL"), 0);
    assert_int_equal(counters.task_count, 2);
    /* Closed books stay closed: nothing counts twice. */
    assert_int_equal(counters_close(&counters, fixture->board, 0, "killed by SIGKILL"), 0);
    assert_int_equal(counters_copy(&counters, fixture->board, 0, &copy), 0);
    assert_int_equal(copy.tasks[0].runs, 3);
    counters_free(&copy);
    /* The next life in the same host begins at zero; the sum does not. */
    fixture->host->modules[0].books = 2;
    set_task(fixture->host, 0, 0, "check", 4);
    assert_int_equal(counters_copy(&counters, fixture->board, 0, &copy), 0);
    assert_string_equal(copy.tasks[0].name, "check");
    assert_int_equal(copy.tasks[0].runs, 7);
    assert_int_equal(copy.tasks[0].run_duration.counts[1], 7);
    assert_int_equal(copy.tasks[0].run_duration.sum, 7);
    counters_free(&copy);
    /* Without a host it stays as it was. */
    assert_int_equal(counters_copy(&counters, NULL, 0, &copy), 0);
    assert_int_equal(copy.tasks[0].runs, 3);
    counters_free(&copy);
    counters_free(&counters);
}

/* It is a failure like others, until the next run ends: also of a task whose next host begins at
 * zero. */
static void test_a_run_that_is_lost_has_failed(void **state)
{
    struct fixture *fixture = *state;
    struct scoreboard_task *task = &fixture->host->tasks[0];
    struct counters counters = {0}, copy;

    set_task(fixture->host, 0, 0, "check", 3);
    task->failures = task->failures_in_row = 3;
    task->last_code = -EIO;
    task->state = SCOREBOARD_TASK_RUNNING;
    counters_close(&counters, fixture->board, 0, "killed by SIGKILL");
    fixture->host->modules[0].books = 2;
    *task = (struct scoreboard_task){.head = {.used = 1}};
    string_copy(task->name, sizeof(task->name), "check");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(counters_copy(&counters, fixture->board, 0, &copy), 0);
        assert_int_equal(copy.tasks[0].failures, 4);
        assert_int_equal(copy.tasks[0].failures_in_row, 4);
        assert_int_equal(copy.tasks[0].last_code, -EPIPE);
        assert_string_equal(copy.tasks[0].last_text, "lost with its host: killed by SIGKILL");
        counters_free(&copy);
        task->state = SCOREBOARD_TASK_RUNNING;
    }
    scoreboard_write_begin(task);
    task->ended_at = 1;
    task->failures = task->failures_in_row = 1;
    task->last_code = -EIO;
    scoreboard_write_end(task);
    assert_int_equal(counters_copy(&counters, fixture->board, 0, &copy), 0);
    assert_int_equal(copy.tasks[0].failures_in_row, 5);
    assert_int_equal(copy.tasks[0].last_code, -EIO);
    counters_free(&copy);
    scoreboard_write_begin(task);
    task->succeeded_at = 2;
    task->last_code = task->failures_in_row = 0;
    scoreboard_write_end(task);
    assert_int_equal(counters_copy(&counters, fixture->board, 0, &copy), 0);
    assert_int_equal(copy.tasks[0].failures_in_row, 0);
    counters_free(&copy);
    counters_free(&counters);
}

static void test_jobs_are_accounted_for(void **state)
{
    struct fixture *fixture = *state;
    struct scoreboard_pool *pool = &fixture->host->pools[0];
    struct counters counters = {0};

    scoreboard_write_begin(pool);
    pool->head.used = 1;
    string_copy(pool->name, sizeof(pool->name), "convert");
    pool->accepted = 10;
    pool->finished = 4;
    pool->failed = 1;
    pool->lost = 1;
    pool->queued = 2;
    pool->active = 2;
    pool->workers = 2;
    pool->capacity = 8;
    /* The host dies inside: the record stays torn, and still counts. */
    assert_int_equal(counters_close(&counters, fixture->board, 0, "killed by SIGKILL"), 4);
    assert_int_equal(counters.pools[0].lost, 5);
    assert_int_equal(counters.pools[0].last_code, -EPIPE);
    assert_string_equal(counters.pools[0].last_text, "lost with its host: killed by SIGKILL");
    assert_true(counters.pools[0].last_failure_at > 0);
    assert_int_equal(counters.pools[0].queued, 0);
    assert_int_equal(counters.pools[0].accepted, counters.pools[0].finished +
                                                     counters.pools[0].failed +
                                                     counters.pools[0].lost);
    scoreboard_write_end(pool);
    counters_free(&counters);
}

/* A host has written nonsense in place of a count: no more is lost than a pool can hold, and no sum
 * wraps. */
static void test_counts_that_are_made_up(void **state)
{
    struct fixture *fixture = *state;
    struct scoreboard_pool *pool = &fixture->host->pools[0];
    struct counters counters = {0};

    set_task(fixture->host, 0, 0, "check", UINT64_MAX);
    pool->head.used = 1;
    string_copy(pool->name, sizeof(pool->name), "convert");
    pool->workers = 2;
    pool->capacity = 8;
    for (uint32_t i = 0; i < 3; i++) {
        fixture->host->modules[0].books = i + 1;
        pool->accepted = UINT64_MAX;
        pool->finished = pool->rejected = i == 1 ? UINT64_MAX - 5 : 5;
        assert_int_equal(counters_close(&counters, fixture->board, 0, "killed by SIGKILL"),
                         i == 1 ? 0 : 10);
    }
    assert_int_equal(counters.pools[0].lost, 20);
    assert_int_equal(counters.pools[0].accepted, SCOREBOARD_COUNT_MAX);
    assert_int_equal(counters.pools[0].rejected, SCOREBOARD_COUNT_MAX);
    assert_int_equal(counters.tasks[0].runs, SCOREBOARD_COUNT_MAX);
    counters_free(&counters);
}

/* A host that is preempted or stopped in the middle of a write is alive, and so are its records. */
static void test_a_torn_record_shows_how_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct scoreboard_task *task = &fixture->host->tasks[0];
    struct counters counters = {0}, copy;

    /* Never seen whole: no time of it may be judged by. */
    set_task(fixture->host, 0, 0, "check", 3);
    scoreboard_write_begin(task);
    task->next_due = 1;
    assert_int_equal(counters_copy(&counters, fixture->board, 0, &copy), 0);
    assert_int_equal(copy.task_count, 1);
    assert_string_equal(copy.tasks[0].name, "check");
    assert_int_equal(copy.tasks[0].next_due, 0);
    counters_free(&copy);
    scoreboard_write_end(task);
    assert_int_equal(counters_copy(&counters, fixture->board, 0, &copy), 0);
    assert_int_equal(copy.tasks[0].runs, 3);
    assert_int_equal(copy.tasks[0].next_due, 1);
    counters_free(&copy);
    /* Half of the next write. */
    scoreboard_write_begin(task);
    task->runs = 4;
    assert_int_equal(counters_copy(&counters, fixture->board, 0, &copy), 0);
    assert_int_equal(copy.task_count, 1);
    assert_int_equal(copy.tasks[0].runs, 3);
    counters_free(&copy);
    scoreboard_write_end(task);
    counters_free(&counters);
}

static void set_pool(struct scoreboard *host, unsigned i, uint32_t slot, const char *name,
                     uint64_t finished)
{
    struct scoreboard_pool *pool = &host->pools[i];

    scoreboard_write_begin(pool);
    pool->head.used = 1;
    pool->module = slot;
    pool->accepted = pool->finished = finished;
    string_copy(pool->name, sizeof(pool->name), name);
    scoreboard_write_end(pool);
}

/* A count that was seen is taken where nothing was written since; and only there. */
static void test_what_is_written_is_seen(void **state)
{
    static const char *const names[] = {"a", "other", "b"};
    static const uint32_t slots[] = {5, 7, 5};
    struct fixture *fixture = *state;
    struct counters counters = {0}, copy;

    for (unsigned round = 1; round <= 6; round++) {
        /* Each is written in turn, or none. */
        for (unsigned i = 0; i < 3; i++)
            if (round == 1 || round == i + 2) {
                set_task(fixture->host, i, slots[i], names[i], 10 * round + i);
                set_pool(fixture->host, i, slots[i], names[i], 10 * round + i);
            }
        assert_int_equal(counters_copy(&counters, fixture->board, 5, &copy), 0);
        assert_int_equal(copy.task_count, 2);
        assert_int_equal(copy.tasks[0].runs, round >= 2 ? 20 : 10);
        assert_int_equal(copy.tasks[1].runs, round >= 4 ? 42 : 12);
        assert_int_equal(copy.pool_count, 2);
        assert_int_equal(copy.pools[0].finished, round >= 2 ? 20 : 10);
        assert_int_equal(copy.pools[1].finished, round >= 4 ? 42 : 12);
        counters_free(&copy);
    }
    counters_free(&counters);
}

static void test_foreign_texts_are_printable(void **state)
{
    struct fixture *fixture = *state;
    struct counters counters = {0};

    set_task(fixture->host, 0, 0, "evil\x1b[2J\n", 1);
    counters_close(&counters, fixture->board, 0, "killed by SIGKILL");
    assert_string_equal(counters.tasks[0].name, "evil?[2J?");
    counters_free(&counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counters_add_up, make_board, drop_board),
        cmocka_unit_test_setup_teardown(test_a_run_that_is_lost_has_failed, make_board, drop_board),
        cmocka_unit_test_setup_teardown(test_jobs_are_accounted_for, make_board, drop_board),
        cmocka_unit_test_setup_teardown(test_counts_that_are_made_up, make_board, drop_board),
        cmocka_unit_test_setup_teardown(test_foreign_texts_are_printable, make_board, drop_board),
        cmocka_unit_test_setup_teardown(test_what_is_written_is_seen, make_board, drop_board),
        cmocka_unit_test_setup_teardown(test_a_torn_record_shows_how_it_was, make_board,
                                        drop_board),
    };

    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
