/* SPDX-License-Identifier: MIT */
/* Last runs: kept over restarts, and whatever happens to the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/ledger.h"

struct fixture {
    char folder[64];
    char path[96], old_path[96], new_path[96];
    struct loop *loop;
    const struct scoreboard *board;
    struct scoreboard *host;
};

static int setup(void **state)
{
    static struct fixture fixture;
    int fd;

    strcpy(fixture.folder, "/tmp/reeve-ledger-XXXXXX");
    if (!mkdtemp(fixture.folder) || loop_create(&fixture.loop) < 0 ||
        scoreboard_create("test", &fd, &fixture.board) < 0 || scoreboard_map(fd, &fixture.host) < 0)
        return -1;
    close(fd);
    snprintf(fixture.path, sizeof(fixture.path), "%s/last-runs", fixture.folder);
    snprintf(fixture.old_path, sizeof(fixture.old_path), "%s/last-runs.old", fixture.folder);
    snprintf(fixture.new_path, sizeof(fixture.new_path), "%s/last-runs.new", fixture.folder);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    munmap(fixture->host, sizeof(*fixture->host));
    scoreboard_unmap(fixture->board);
    loop_destroy(fixture->loop);
    unlink(fixture->path);
    unlink(fixture->old_path);
    unlink(fixture->new_path);
    rmdir(fixture->new_path);
    return rmdir(fixture->folder);
}

static void set_task(struct fixture *fixture, unsigned i, const char *name, int64_t started,
                     bool kept)
{
    struct scoreboard_task *task = &fixture->host->tasks[i];

    scoreboard_write_begin(task);
    task->head.used = 1;
    task->module = 0;
    task->started_realtime = started;
    task->kept = kept;
    string_copy(task->name, sizeof(task->name), name);
    scoreboard_write_end(task);
}

static struct ledger *make(struct fixture *fixture)
{
    struct ledger *ledger;

    assert_int_equal(ledger_create(fixture->loop, fixture->folder, &ledger), 0);
    return ledger;
}

static void append(const char *task, int64_t started, void *arg)
{
    text_append_format(arg, "%s=%lld ", task, (long long)started);
}

static void expect(const struct ledger *ledger, const char *module, const char *expected)
{
    cleanup_text struct text text = {0};

    ledger_each(ledger, module, append, &text);
    assert_string_equal(text_string(&text), expected);
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void test_kept_over_a_restart(void **state)
{
    struct fixture *fixture = *state;
    struct ledger *ledger = make(fixture);

    expect(ledger, "web", "");
    set_task(fixture, 0, "check", 100, true);
    set_task(fixture, 1, "a task with blanks", 200, true);
    set_task(fixture, 2, "tick", 300, false);
    ledger_read_board(ledger, "web", fixture->board, 0);
    /* In one life all are known. */
    expect(ledger, "web", "check=100 a task with blanks=200 tick=300 ");
    ledger_destroy(ledger);
    ledger = make(fixture);
    expect(ledger, "web", "check=100 a task with blanks=200 ");
    expect(ledger, "other", "");
    set_task(fixture, 0, "check", 400, true);
    ledger_read_board(ledger, "web", fixture->board, 0);
    ledger_destroy(ledger);
    ledger = make(fixture);
    expect(ledger, "web", "check=400 a task with blanks=200 ");
    ledger_destroy(ledger);
}

static void test_a_damaged_file(void **state)
{
    static const char *const damaged[] = {
        "",
        "reeve last runs 1\n",
        "reeve last runs 1\n100 web check\n",
        "reeve last runs 1\n100 web check\nen",
        "reeve last runs 2\n100 web check\nend\n",
        "reeve last runs 1\nsoon web check\nend\n",
        "reeve last runs 1\n-5 web check\nend\n",
        "reeve last runs 1\n99999999999999999999 web check\nend\n",
        "reeve last runs 1\n100 web\nend\n",
        "reeve last runs 1\n100\nend\n",
        "reeve last runs 1\n100  check\nend\n",
        "reeve last runs 1\n100 web \nend\n",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
        struct ledger *ledger;

        write_file(fixture->path, damaged[i]);
        unlink(fixture->old_path);
        ledger = make(fixture);
        expect(ledger, "web", "");
        ledger_destroy(ledger);
        /* The one before serves in its place. */
        write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
        ledger = make(fixture);
        expect(ledger, "web", "check=70 ");
        ledger_destroy(ledger);
    }
}

static void test_between_the_two_renames(void **state)
{
    struct fixture *fixture = *state;
    struct ledger *ledger;

    write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    write_file(fixture->new_path, "reeve last runs 1\n80 web check\nend\n");
    ledger = make(fixture);
    expect(ledger, "web", "check=70 ");
    ledger_destroy(ledger);
}

static void test_a_file_that_cannot_be_written(void **state)
{
    struct fixture *fixture = *state;
    struct ledger *ledger = make(fixture);

    /* A folder is in the way, as root may write anywhere. */
    assert_int_equal(mkdir(fixture->new_path, 0700), 0);
    set_task(fixture, 0, "check", 100, true);
    ledger_read_board(ledger, "web", fixture->board, 0);
    ledger_destroy(ledger);
    ledger = make(fixture);
    expect(ledger, "web", "");
    ledger_destroy(ledger);
}

/* A host that renames its tasks pushes out its own, and nobody else's. */
static void test_a_module_that_makes_up_tasks(void **state)
{
    struct fixture *fixture = *state;
    struct ledger *ledger = make(fixture);
    cleanup_text struct text text = {0};
    char name[32];

    set_task(fixture, 0, "honest", 1, true);
    ledger_read_board(ledger, "web", fixture->board, 0);
    for (int64_t i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "x%lld\n", (long long)i);
        set_task(fixture, 0, name, i + 1, true);
        ledger_read_board(ledger, "evil", fixture->board, 0);
    }
    expect(ledger, "web", "honest=1 ");
    ledger_each(ledger, "evil", append, &text);
    assert_true(text.length < (size_t)SCOREBOARD_TASKS * 16);
    assert_null(strstr(text_string(&text), "\n"));
    assert_non_null(strstr(text_string(&text), "x1999?=2000 "));
    ledger_destroy(ledger);
    ledger = make(fixture);
    expect(ledger, "web", "honest=1 ");
    ledger_destroy(ledger);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kept_over_a_restart),          TEST(test_a_damaged_file),
        TEST(test_between_the_two_renames),      TEST(test_a_file_that_cannot_be_written),
        TEST(test_a_module_that_makes_up_tasks),
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
