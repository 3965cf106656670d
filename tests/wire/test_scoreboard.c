/* SPDX-License-Identifier: MIT */
/* The scoreboard: consistent copies under a writer, torn records, seals, foreign memory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/scoreboard.h"

static void test_write_and_read(void **state)
{
    const struct scoreboard *board;
    struct scoreboard *host;
    struct scoreboard_task task;
    int fd;
    (void)state;

    assert_int_equal(scoreboard_create("test", &fd, &board), 0);
    assert_int_equal(scoreboard_map(fd, &host), 0);
    scoreboard_write_begin(&host->tasks[0]);
    assert_false(scoreboard_read_task(board, 0, &task));
    host->tasks[0].head.used = 1;
    host->tasks[0].runs = 5;
    memset(host->tasks[0].name, 'x', sizeof(host->tasks[0].name));
    scoreboard_write_end(&host->tasks[0]);
    assert_true(scoreboard_read_task(board, 0, &task));
    assert_int_equal(task.runs, 5);
    /* A name without end is ended in the copy. */
    assert_int_equal(strlen(task.name), SCOREBOARD_NAME_SIZE - 1);
    /* Neither end can change the size, nor can the seals be lifted. */
    assert_int_equal(ftruncate(fd, 1), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    munmap(host, sizeof(*host));
    close(fd);
    scoreboard_unmap(board);
}

static void test_foreign_memory(void **state)
{
    struct scoreboard *host;
    int fd = memfd_create("foreign", MFD_CLOEXEC);
    (void)state;

    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(scoreboard_map(fd, &host), -EPROTO);
    assert_int_equal(ftruncate(fd, sizeof(struct scoreboard)), 0);
    assert_int_equal(scoreboard_map(fd, &host), -EPROTO);
    close(fd);
}

/* Those of one module among those of others; a record that is being written counts until it is
 * read. */
static void test_next(void **state)
{
    struct scoreboard *board = calloc(1, sizeof(*board));
    unsigned i = 0;
    (void)state;

    assert_false(scoreboard_next_task(board, SCOREBOARD_ANY, &i));
    for (unsigned task = 0; task < 4; task++) {
        board->tasks[task].head.used = 1;
        board->tasks[task].module = task % 2;
    }
    board->tasks[5].head.used = 1;
    i = 0;
    assert_true(scoreboard_next_task(board, 1, &i));
    assert_int_equal(i, 1);
    i++;
    assert_true(scoreboard_next_task(board, 1, &i));
    assert_int_equal(i, 3);
    i++;
    /* Past the first unused one nothing is in use. */
    assert_false(scoreboard_next_task(board, 1, &i));
    assert_int_equal(i, 4);
    assert_false(scoreboard_next_task(board, SCOREBOARD_ANY, &i));
    scoreboard_write_begin(&board->tasks[4]);
    assert_true(scoreboard_next_task(board, 1, &i));
    i = SCOREBOARD_TASKS;
    assert_false(scoreboard_next_task(board, SCOREBOARD_ANY, &i));
    i = 0;
    assert_false(scoreboard_next_pool(board, SCOREBOARD_ANY, &i));
    board->threads[0].head.used = 1;
    assert_true(scoreboard_next_thread(board, SCOREBOARD_ANY, &i));
    assert_false(scoreboard_next_thread(board, 7, &i));
    free(board);
}

/* A writer that never stops, in a process of its own; what is read must be of one piece. */
static void write_for_ever(int fd)
{
    struct scoreboard *host;

    if (scoreboard_map(fd, &host) < 0)
        _exit(1);
    for (uint64_t i = 1;; i++) {
        struct scoreboard_task *task = &host->tasks[0];

        scoreboard_write_begin(task);
        task->head.used = 1;
        task->runs = i;
        memset(task->last_text, (int)(i % 26 + 'a'), 100);
        task->failures = i;
        scoreboard_write_end(task);
    }
}

static void test_readers_see_whole_records(void **state)
{
    const struct scoreboard *board;
    struct scoreboard_task task;
    unsigned whole = 0;
    pid_t pid;
    int fd;
    (void)state;

    assert_int_equal(scoreboard_create("test", &fd, &board), 0);
    pid = fork();
    if (pid == 0)
        write_for_ever(fd);
    while (whole < 20000) {
        if (!scoreboard_read_task(board, 0, &task) || !task.head.used)
            continue;
        whole++;
        assert_int_equal(task.runs, task.failures);
        for (int i = 0; i < 100; i++)
            assert_int_equal(task.last_text[i], task.runs % 26 + 'a');
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    /* However it died, reading comes back, with or without a whole record. */
    (void)scoreboard_read_task(board, 0, &task);
    close(fd);
    scoreboard_unmap(board);
}

static void test_garbage_is_bounded(void **state)
{
    const struct scoreboard *board;
    struct scoreboard *host;
    struct scoreboard_stack crash;
    struct scoreboard_object object;
    struct scoreboard_module module;
    struct scoreboard_pool pool;
    struct scoreboard_task task;
    struct scoreboard_thread thread;
    int fd;
    (void)state;

    assert_int_equal(scoreboard_create("test", &fd, &board), 0);
    assert_int_equal(scoreboard_map(fd, &host), 0);
    memset(host, 0xFF, sizeof(*host));
    assert_false(scoreboard_read_stack(&board->crash, &crash));
    assert_true(crash.frame_count <= SCOREBOARD_FRAMES);
    scoreboard_read_object(board, crash.frames[0].object, &object);
    assert_string_equal(object.path, "");
    scoreboard_read_object(board, 0, &object);
    assert_true(strlen(object.path) < SCOREBOARD_PATH_SIZE);
    scoreboard_read_module(board, 0, &module);
    assert_true(strlen(module.health_text) < SCOREBOARD_TEXT_SIZE);
    scoreboard_read_pool(board, 0, &pool);
    assert_true(strlen(pool.last_text) < SCOREBOARD_TEXT_SIZE);
    assert_int_equal(pool.job_wait.counts[0], HISTOGRAM_COUNT_MAX);
    assert_int_equal(pool.job_duration.sum, 0);
    scoreboard_read_task(board, 0, &task);
    assert_int_equal(task.lateness.counts[HISTOGRAM_BOUNDS], HISTOGRAM_COUNT_MAX);
    assert_int_equal(task.run_duration.sum, 0);
    scoreboard_read_thread(board, 0, &thread);
    assert_true(strlen(thread.what) < SCOREBOARD_NAME_SIZE);
    munmap(host, sizeof(*host));
    close(fd);
    scoreboard_unmap(board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_foreign_memory),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_readers_see_whole_records),
        cmocka_unit_test(test_garbage_is_bounded),
    };

    return cmocka_run_group_tests_name("scoreboard", tests, NULL, NULL);
}
