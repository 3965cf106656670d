/* SPDX-License-Identifier: MIT */
/* Last runs: kept over restarts, whatever happens to the file, and however long the disk takes. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_record.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/ledger.h"

/* The disk, and threads, in our hands ------------------------------------------------------------ */

/* What fdatasync() waits for before it returns: a byte each. Less than 0: nothing. */
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

/* ------------------------------------------------------------------------------------------------ */

struct fixture {
    char folder[64];
    char path[96], old_path[96], new_path[96], damaged_path[96];
    struct text log;
    struct loop *loop;
    struct ledger *ledger;
    struct loop_timer *timer;
    const struct scoreboard *board;
    struct scoreboard *host;
};

static void note_line(const struct log_record *record, void *arg)
{
    text_append_format(arg, "%s\n", record->text);
}

static int setup(void **state)
{
    static struct fixture fixture;
    int fd;

    fixture = (struct fixture){0};
    atomic_store(&syncs, 0);
    log_set_observer(note_line, &fixture.log);
    strcpy(fixture.folder, "/tmp/reeve-ledger-XXXXXX");
    if (!mkdtemp(fixture.folder) || loop_create(&fixture.loop) < 0 ||
        scoreboard_create("test", &fd, &fixture.board) < 0 || scoreboard_map(fd, &fixture.host) < 0)
        return -1;
    close(fd);
    snprintf(fixture.path, sizeof(fixture.path), "%s/last-runs", fixture.folder);
    snprintf(fixture.old_path, sizeof(fixture.old_path), "%s/last-runs.old", fixture.folder);
    snprintf(fixture.new_path, sizeof(fixture.new_path), "%s/.last-runs.new", fixture.folder);
    snprintf(fixture.damaged_path, sizeof(fixture.damaged_path), "%s/last-runs.damaged",
             fixture.folder);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    munmap(fixture->host, sizeof(*fixture->host));
    scoreboard_unmap(fixture->board);
    loop_timer_destroy(fixture->timer);
    loop_destroy(fixture->loop);
    log_set_observer(NULL, NULL);
    text_free(&fixture->log);
    if (disk[0] >= 0) {
        close(disk[0]);
        close(disk[1]);
        disk[0] = disk[1] = -1;
    }
    unlink(fixture->damaged_path);
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

static void expect_log(struct fixture *fixture, const char *expected)
{
    if (!strstr(text_string(&fixture->log), expected))
        fail_msg("no \"%s\" in:\n%s", expected, text_string(&fixture->log));
    text_free(&fixture->log);
    fixture->log = (struct text){0};
}

static void expect_file(const char *path, const char *expected)
{
    cleanup_free char *data = NULL;
    size_t size;

    assert_int_equal(file_read(path, 4096, &data, &size), 0);
    assert_string_equal(data, expected);
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
        expect_log(fixture, "last-runs, with the times of last runs, is damaged (kept as "
                            "last-runs.damaged), and last-runs.old is missing: tasks start as if");
        ledger_destroy(ledger);
        expect_file(fixture->damaged_path, damaged[i]);
        /* The one before serves in its place, and there are two again. */
        write_file(fixture->path, damaged[i]);
        write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
        ledger = make(fixture);
        expect(ledger, "web", "check=70 ");
        expect_log(fixture, "is damaged (kept as last-runs.damaged): last-runs.old, written at 2");
        ledger_destroy(ledger);
        expect_file(fixture->path, "reeve last runs 1\n70 web check\nend\n");
        expect_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    }
}

static void test_a_file_that_is_missing(void **state)
{
    struct fixture *fixture = *state;
    struct ledger *ledger;

    write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    write_file(fixture->new_path, "reeve last runs 1\n80 web check\nend\n");
    ledger = make(fixture);
    expect(ledger, "web", "check=70 ");
    expect_log(fixture, "is missing: last-runs.old, written at 2");
    ledger_destroy(ledger);
    /* A first start has nothing to tell. */
    unlink(fixture->path);
    unlink(fixture->old_path);
    ledger_destroy(make(fixture));
    assert_string_equal(text_string(&fixture->log), "");
}

/* A file is read and not read: a folder, and one that is too long. Neither takes the reserve's place. */
static void test_files_that_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;
    struct ledger *ledger;

    assert_int_equal(mkdir(fixture->path, 0700), 0);
    write_file(fixture->old_path, "rubbish");
    ledger_destroy(make(fixture));
    expect_log(fixture,
               "last-runs, with the times of last runs, cannot be read: Is a directory (kept "
               "as last-runs.damaged), and last-runs.old is damaged: ");
    assert_int_equal(rmdir(fixture->damaged_path), 0);
    write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    write_file(fixture->path, "");
    assert_int_equal(truncate(fixture->path, 65 * 1024 * 1024), 0);
    ledger = make(fixture);
    expect(ledger, "web", "check=70 ");
    expect_log(fixture,
               "cannot be read: File too large (kept as last-runs.damaged): last-runs.old");
    ledger_destroy(ledger);
    expect_file(fixture->path, "reeve last runs 1\n70 web check\nend\n");
    expect_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
}

/* A lack of descriptors says nothing about the files. */
static void test_a_moment_without_descriptors(void **state)
{
    static const char content[] = "reeve last runs 1\n70 web check\nend\n";
    struct fixture *fixture = *state;
    struct rlimit before, some;
    struct ledger *ledger;
    int free_fd = dup(0), r = -1;

    close(free_fd);
    write_file(fixture->path, content);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    /* Some are for its timer and the like: one more each time, until there are enough. */
    for (int i = 0; r < 0 && i < 16; i++) {
        some = (struct rlimit){(rlim_t)free_fd + (rlim_t)i, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &some), 0);
        r = ledger_create(fixture->loop, fixture->folder, &ledger);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (r < 0)
            assert_int_equal(r, -EMFILE);
    }
    assert_int_equal(r, 0);
    expect(ledger, "web", "check=70 ");
    ledger_destroy(ledger);
    expect_log(fixture, "last-runs, with the times of last runs: Too many open files; without it");
    expect_file(fixture->path, content);
}

/* The damaged file stays where it is, and the reserve survives the next write all the same. */
static void test_a_damaged_file_that_cannot_be_renamed(void **state)
{
    struct fixture *fixture = *state;
    struct ledger *ledger;

    assert_int_equal(mkdir(fixture->damaged_path, 0700), 0);
    write_file(fixture->path, "rubbish");
    write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    ledger = make(fixture);
    expect_log(fixture, "is damaged (and cannot be renamed to last-runs.damaged: Is a directory): "
                        "last-runs.old");
    set_task(fixture, 0, "check", 80, true);
    ledger_read_board(ledger, "web", fixture->board, 0);
    ledger_destroy(ledger);
    expect_file(fixture->path, "reeve last runs 1\n80 web check\nend\n");
    expect_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    assert_int_equal(rmdir(fixture->damaged_path), 0);
}

/* A write that fails at its beginning does not make a bad file a good one. */
static void test_a_write_that_fails_after_a_damaged_file(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(mkdir(fixture->damaged_path, 0700), 0);
    assert_int_equal(mkdir(fixture->new_path, 0700), 0);
    write_file(fixture->path, "rubbish");
    write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    ledger_destroy(make(fixture));
    expect_file(fixture->path, "rubbish");
    expect_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    assert_int_equal(rmdir(fixture->damaged_path), 0);
}

/* The file before is the reserve. */
static void test_the_reserve(void **state)
{
    struct fixture *fixture = *state;

    for (int64_t i = 1; i < 4; i++) {
        struct ledger *ledger = make(fixture);

        set_task(fixture, 0, "check", i, true);
        ledger_read_board(ledger, "web", fixture->board, 0);
        ledger_destroy(ledger);
    }
    expect_file(fixture->path, "reeve last runs 1\n3 web check\nend\n");
    expect_file(fixture->old_path, "reeve last runs 1\n2 web check\nend\n");
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
    expect_log(fixture,
               "cannot keep the times of last runs: cannot create a temporary file beside ");
    ledger = make(fixture);
    expect(ledger, "web", "");
    ledger_destroy(ledger);
}

/* A slow disk ------------------------------------------------------------------------------------ */

static void run_until_stopped(struct fixture *fixture, void (*look)(void *arg))
{
    if (!fixture->timer)
        assert_int_equal(loop_timer_create(fixture->loop, look, fixture, &fixture->timer), 0);
    loop_timer_arm(fixture->timer, 0);
    assert_int_equal(loop_run(fixture->loop), 0);
}

/* Comes again in the loop's next turns until the disk hangs; then more happens, and the disk goes on. */
static void look_at_hanging(void *arg)
{
    struct fixture *fixture = arg;

    if (atomic_load(&syncs) == 1) {
        assert_true(ledger_is_writing(fixture->ledger));
        set_task(fixture, 0, "check", 200, true);
        ledger_read_board(fixture->ledger, "web", fixture->board, 0);
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

    if (atomic_load(&syncs) == 2 && !ledger_is_writing(fixture->ledger))
        loop_stop(fixture->loop);
    else
        loop_timer_arm(fixture->timer, NSEC_PER_MSEC);
}

static void test_the_loop_turns_while_the_disk_hangs(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(pipe2(disk, O_CLOEXEC), 0);
    fixture->ledger = make(fixture);
    set_task(fixture, 0, "check", 100, true);
    ledger_read_board(fixture->ledger, "web", fixture->board, 0);
    assert_false(ledger_is_writing(fixture->ledger));
    run_until_stopped(fixture, look_at_hanging);
    loop_timer_destroy(fixture->timer);
    fixture->timer = NULL;
    /* What came meanwhile is written by itself. */
    run_until_stopped(fixture, look_for_the_second);
    expect_file(fixture->path, "reeve last runs 1\n200 web check\nend\n");
    expect_file(fixture->old_path, "reeve last runs 1\n100 web check\nend\n");
    ledger_destroy(fixture->ledger);
    assert_int_equal(atomic_load(&syncs), 2);
}

static void test_the_end_waits_for_the_disk(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(pipe2(disk, O_CLOEXEC), 0);
    fixture->ledger = make(fixture);
    set_task(fixture, 0, "check", 100, true);
    ledger_read_board(fixture->ledger, "web", fixture->board, 0);
    run_until_stopped(fixture, look_at_hanging);
    ledger_destroy(fixture->ledger);
    assert_int_equal(atomic_load(&syncs), 2);
    expect_file(fixture->path, "reeve last runs 1\n200 web check\nend\n");
}

static void look_for_the_first(void *arg)
{
    struct fixture *fixture = arg;

    if (atomic_load(&syncs) == 1 && !ledger_is_writing(fixture->ledger))
        loop_stop(fixture->loop);
    else
        loop_timer_arm(fixture->timer, NSEC_PER_MSEC);
}

static void test_no_thread_to_write(void **state)
{
    struct fixture *fixture = *state;

    refused = 1;
    fixture->ledger = make(fixture);
    set_task(fixture, 0, "check", 100, true);
    ledger_read_board(fixture->ledger, "web", fixture->board, 0);
    run_until_stopped(fixture, look_for_the_first);
    assert_int_equal(refused, 0);
    assert_non_null(strstr(text_string(&fixture->log), "cannot get a thread to write"));
    expect_log(fixture, "the times of last runs are kept again in ");
    expect_file(fixture->path, "reeve last runs 1\n100 web check\nend\n");
    ledger_destroy(fixture->ledger);
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
        TEST(test_kept_over_a_restart),
        TEST(test_a_damaged_file),
        TEST(test_a_file_that_is_missing),
        TEST(test_files_that_cannot_be_read),
        TEST(test_a_moment_without_descriptors),
        TEST(test_a_damaged_file_that_cannot_be_renamed),
        TEST(test_a_write_that_fails_after_a_damaged_file),
        TEST(test_the_reserve),
        TEST(test_a_file_that_cannot_be_written),
        TEST(test_the_loop_turns_while_the_disk_hangs),
        TEST(test_the_end_waits_for_the_disk),
        TEST(test_no_thread_to_write),
        TEST(test_a_module_that_makes_up_tasks),
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
