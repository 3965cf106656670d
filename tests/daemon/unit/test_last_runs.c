/* SPDX-License-Identifier: MIT */
/* Last runs: kept over restarts, however long the disk takes, and whatever a module makes up. */
#include "tests/daemon/unit/last_runs_fixture.h"

#include <fcntl.h>

#include "base/clock.h"
#include "tests/support/cmocka.h"

/* The disk, and threads, in our hands ------------------------------------- */

/* fdatasync() waits for a byte of this before it returns. Less than 0: nothing. */
static int disk[2] = {-1, -1};
static _Atomic int syncs; /* that have begun */
static int refused;       /* threads that cannot be had */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    char byte;

    atomic_fetch_add(&syncs, 1);
    if (disk[0] >= 0 && read(disk[0], &byte, 1) != 1)
        return errno = EIO, -1;
    return __real_fdatasync(fd);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg)
{
    if (refused > 0)
        return refused--, EAGAIN;
    return __real_pthread_create(thread, attributes, fn, arg);
}

static void disk_release(void)
{
    assert_int_equal(write(disk[1], "x", 1), 1);
}

static int setup(void **state)
{
    atomic_store(&syncs, 0);
    return last_runs_setup(state);
}

static int teardown(void **state)
{
    if (disk[0] >= 0) {
        close(disk[0]);
        close(disk[1]);
        disk[0] = disk[1] = -1;
    }
    return last_runs_teardown(state);
}

static void test_kept_over_a_restart(void **state)
{
    struct fixture *fixture = *state;
    struct last_runs *last_runs = make(fixture);

    expect_runs(last_runs, "web", "");
    set_task(fixture, 0, "check", 100, true);
    set_task(fixture, 1, "a task with blanks", 200, true);
    set_task(fixture, 2, "tick", 300, false);
    last_runs_read_board(last_runs, "web", fixture->board, 0);
    /* In one life all are known. */
    expect_runs(last_runs, "web", "check=100 a task with blanks=200 tick=300 ");
    last_runs_destroy(last_runs);
    last_runs = make(fixture);
    expect_runs(last_runs, "web", "check=100 a task with blanks=200 ");
    expect_runs(last_runs, "other", "");
    set_task(fixture, 0, "check", 400, true);
    last_runs_read_board(last_runs, "web", fixture->board, 0);
    last_runs_destroy(last_runs);
    last_runs = make(fixture);
    /* The youngest is the last. */
    expect_runs(last_runs, "web", "a task with blanks=200 check=400 ");
    last_runs_destroy(last_runs);
}

static void append_all(const char *task, const struct last_runs_known *known, void *arg)
{
    text_append_format(arg, "%s=%lld,%lld,%d,%u ", task, (long long)known->settled,
                       (long long)known->open, known->passed_until > 0, known->failures);
}

static void expect_all(const struct last_runs *last_runs, const char *expected)
{
    cleanup_text struct text text = {0};

    last_runs_each(last_runs, "web", append_all, &text);
    assert_string_equal(text_string(&text), expected);
}

/* More is known in one life than in the next. */
static void test_what_only_one_life_knows(void **state)
{
    struct fixture *fixture = *state;
    struct last_runs *last_runs = make(fixture);
    struct scoreboard_task *task = &fixture->host->tasks[0];
    struct serialize_error error;
    json_t *saved;

    set_task(fixture, 0, "check", 100, true);
    task->failures_in_row = 3;
    task->passes = 1;
    last_runs_read_board(last_runs, "web", fixture->board, 0);
    expect_all(last_runs, "check=100,101,1,3 ");
    /* A run that ends with its host has failed. */
    task->state = SCOREBOARD_TASK_RUNNING;
    last_runs_close_board(last_runs, "web", fixture->board, 0);
    expect_all(last_runs, "check=100,101,1,4 ");
    last_runs_read_board(last_runs, "web", fixture->board, 0);
    saved = last_runs_save(last_runs);
    last_runs_destroy(last_runs);
    last_runs = make(fixture);
    expect_all(last_runs, "check=100,0,0,0 ");
    /* A live upgrade goes on. */
    assert_int_equal(last_runs_load(last_runs, saved, &error), 0);
    expect_all(last_runs, "check=100,101,1,3 ");
    json_decref(saved);
    /* As an earlier version saved it. */
    saved = json_pack("[{s:s, s:s, s:i, s:b}]", "module", "web", "task", "check", "started", 50,
                      "kept", true);
    assert_int_equal(last_runs_load(last_runs, saved, &error), 0);
    expect_all(last_runs, "check=50,0,0,0 ");
    json_decref(saved);
    last_runs_destroy(last_runs);
}

static void take_known(const char *task, const struct last_runs_known *known, void *arg)
{
    (void)task;
    *(struct last_runs_known *)arg = *known;
}

/* An interval is at home on the monotonic clock, also before the machine was started. */
static void test_intervals(void **state)
{
    struct fixture *fixture = *state;
    struct last_runs *last_runs = make(fixture);
    struct scoreboard_task *task = &fixture->host->tasks[0];
    struct last_runs_known known;
    int64_t hour = 3600 * NSEC_PER_SEC, ago, before;

    set_task(fixture, 0, "check", 0, true);
    task->open_realtime = 0;
    task->interval = 87000 * hour;
    task->open = clock_monotonic() + hour;
    last_runs_read_board(last_runs, "web", fixture->board, 0);
    before = clock_realtime();
    last_runs_each(last_runs, "web", take_known, &known);
    ago = before - known.settled;
    assert_between(ago, 86999 * hour - 60 * NSEC_PER_SEC, 86999 * hour + 60 * NSEC_PER_SEC);
    assert_int_equal(known.open - known.settled, 87000 * hour);
    last_runs_destroy(last_runs);
    last_runs = make(fixture);
    last_runs_each(last_runs, "web", take_known, &known);
    ago = before - known.settled;
    assert_between(ago, 86999 * hour - 60 * NSEC_PER_SEC, 86999 * hour + 60 * NSEC_PER_SEC);
    assert_int_equal(known.open, 0);
    last_runs_destroy(last_runs);
}

/* A slow disk ------------------------------------------------------------- */

static void run_until_stopped(struct fixture *fixture, void (*look)(void *arg))
{
    if (!fixture->timer)
        assert_int_equal(loop_timer_create(fixture->loop, look, fixture, &fixture->timer), 0);
    loop_timer_arm(fixture->timer, 0);
    assert_int_equal(loop_run(fixture->loop), 0);
}

/* Comes again in the loop's next turns until the disk hangs; then more happens, and the disk goes
 * on. */
static void look_at_hanging(void *arg)
{
    struct fixture *fixture = arg;

    if (atomic_load(&syncs) == 1) {
        assert_true(last_runs_is_writing(fixture->last_runs));
        set_task(fixture, 0, "check", 200, true);
        last_runs_read_board(fixture->last_runs, "web", fixture->board, 0);
        disk_release();
        disk_release();
        loop_stop(fixture->loop);
    } else {
        loop_timer_arm(fixture->timer, NSEC_PER_MSEC);
    }
}

static void look_for_the_second(void *arg)
{
    struct fixture *fixture = arg;

    if (atomic_load(&syncs) == 2 && !last_runs_is_writing(fixture->last_runs))
        loop_stop(fixture->loop);
    else
        loop_timer_arm(fixture->timer, NSEC_PER_MSEC);
}

static void test_the_loop_turns_while_the_disk_hangs(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(pipe2(disk, O_CLOEXEC), 0);
    fixture->last_runs = make(fixture);
    set_task(fixture, 0, "check", 100, true);
    last_runs_read_board(fixture->last_runs, "web", fixture->board, 0);
    assert_false(last_runs_is_writing(fixture->last_runs));
    run_until_stopped(fixture, look_at_hanging);
    loop_timer_destroy(fixture->timer);
    fixture->timer = NULL;
    /* A change that came meanwhile is written by itself. */
    run_until_stopped(fixture, look_for_the_second);
    expect_file(fixture->path, "reeve last runs 1\n200 web check\nend\n");
    expect_file(fixture->old_path, "reeve last runs 1\n100 web check\nend\n");
    last_runs_destroy(fixture->last_runs);
    assert_int_equal(atomic_load(&syncs), 2);
}

static void test_the_end_waits_for_the_disk(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(pipe2(disk, O_CLOEXEC), 0);
    fixture->last_runs = make(fixture);
    set_task(fixture, 0, "check", 100, true);
    last_runs_read_board(fixture->last_runs, "web", fixture->board, 0);
    run_until_stopped(fixture, look_at_hanging);
    last_runs_destroy(fixture->last_runs);
    assert_int_equal(atomic_load(&syncs), 2);
    expect_file(fixture->path, "reeve last runs 1\n200 web check\nend\n");
}

static void look_for_the_first(void *arg)
{
    struct fixture *fixture = arg;

    if (atomic_load(&syncs) == 1 && !last_runs_is_writing(fixture->last_runs))
        loop_stop(fixture->loop);
    else
        loop_timer_arm(fixture->timer, NSEC_PER_MSEC);
}

static void test_no_thread_to_write(void **state)
{
    struct fixture *fixture = *state;

    refused = 1;
    fixture->last_runs = make(fixture);
    set_task(fixture, 0, "check", 100, true);
    last_runs_read_board(fixture->last_runs, "web", fixture->board, 0);
    run_until_stopped(fixture, look_for_the_first);
    assert_int_equal(refused, 0);
    assert_non_null(strstr(text_string(&fixture->log), "cannot get a thread to write"));
    expect_log(fixture, "the times of last runs are kept again in ");
    expect_file(fixture->path, "reeve last runs 1\n100 web check\nend\n");
    last_runs_destroy(fixture->last_runs);
}

static void note_flushed(void *arg)
{
    ++*(int *)arg;
}

static void test_no_thread_at_the_end(void **state)
{
    struct fixture *fixture = *state;
    int flushed = 0;

    fixture->last_runs = make(fixture);
    set_task(fixture, 0, "check", 100, true);
    last_runs_read_board(fixture->last_runs, "web", fixture->board, 0);
    refused = 1;
    last_runs_flush(fixture->last_runs, note_flushed, &flushed);
    assert_int_equal(flushed, 1);
    expect_file(fixture->path, "reeve last runs 1\n100 web check\nend\n");
    last_runs_destroy(fixture->last_runs);
}

/* A host that renames its tasks pushes out its own, and nobody else's. */
static void test_a_module_that_makes_up_tasks(void **state)
{
    struct fixture *fixture = *state;
    struct last_runs *last_runs = make(fixture);
    cleanup_text struct text text = {0};
    char name[32];

    set_task(fixture, 0, "honest", 1, true);
    last_runs_read_board(last_runs, "web", fixture->board, 0);
    for (int64_t i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "x%lld\n", (long long)i);
        set_task(fixture, 0, name, i + 1, true);
        last_runs_read_board(last_runs, "evil", fixture->board, 0);
    }
    expect_runs(last_runs, "web", "honest=1 ");
    last_runs_each(last_runs, "evil", append_run, &text);
    assert_true(text.length < (size_t)SCOREBOARD_TASKS * 16);
    assert_null(strstr(text_string(&text), "\n"));
    assert_non_null(strstr(text_string(&text), "x1999?=2000 "));
    last_runs_destroy(last_runs);
    last_runs = make(fixture);
    expect_runs(last_runs, "web", "honest=1 ");
    last_runs_destroy(last_runs);
}

static bool is_web(const char *module, void *arg)
{
    (void)arg;
    return strcmp(module, "web") == 0;
}

/* Renamed again and again. */
static void test_modules_that_are_not_configured(void **state)
{
    struct fixture *fixture = *state;
    struct last_runs *last_runs = make(fixture);
    char name[32];

    set_task(fixture, 0, "check", 100, true);
    last_runs_read_board(last_runs, "web", fixture->board, 0);
    for (int i = 0; i < LAST_RUNS_STRANGERS_MAX; i++) {
        snprintf(name, sizeof(name), "old%d", i);
        last_runs_read_board(last_runs, name, fixture->board, 0);
    }
    /* An entry that changes is young, wherever it stands, and stays so in the file. */
    set_task(fixture, 0, "check", 200, true);
    last_runs_read_board(last_runs, "old0", fixture->board, 0);
    last_runs_forget(last_runs, is_web, NULL);
    expect_runs(last_runs, "old1", "check=100 ");
    last_runs_destroy(last_runs);
    last_runs = make(fixture);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "new%d", i);
        last_runs_read_board(last_runs, name, fixture->board, 0);
    }
    last_runs_forget(last_runs, is_web, NULL);
    for (int life = 0; life < 2; life++) {
        expect_runs(last_runs, "web", "check=100 ");
        expect_runs(last_runs, "old0", "check=200 ");
        expect_runs(last_runs, "old1", "");
        expect_runs(last_runs, "old2", "");
        expect_runs(last_runs, "old3", "check=100 ");
        expect_runs(last_runs, "new1", "check=200 ");
        last_runs_destroy(last_runs);
        last_runs = make(fixture);
    }
    last_runs_destroy(last_runs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kept_over_a_restart),
        TEST(test_the_loop_turns_while_the_disk_hangs),
        TEST(test_the_end_waits_for_the_disk),
        TEST(test_no_thread_to_write),
        TEST(test_no_thread_at_the_end),
        TEST(test_a_module_that_makes_up_tasks),
        TEST(test_what_only_one_life_knows),
        TEST(test_intervals),
        TEST(test_modules_that_are_not_configured),
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
