/* SPDX-License-Identifier: MIT */
/* The files of last runs: whatever happens to one of them, the last_runs says what it uses instead.
 */
#include "tests/daemon/unit/last_runs_fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "base/macro.h"

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
        struct last_runs *last_runs;

        write_file(fixture->path, damaged[i]);
        unlink(fixture->old_path);
        last_runs = make(fixture);
        expect_runs(last_runs, "web", "");
        expect_log(fixture, "last-runs, with the times of last runs, is damaged (kept as "
                            "last-runs.damaged), and last-runs.old is missing: tasks start as if");
        last_runs_destroy(last_runs);
        expect_file(fixture->damaged_path, damaged[i]);
        /* The one before serves in its place, and there are two again. */
        write_file(fixture->path, damaged[i]);
        write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
        last_runs = make(fixture);
        expect_runs(last_runs, "web", "check=70 ");
        expect_log(fixture, "is damaged (kept as last-runs.damaged): last-runs.old, written at 2");
        last_runs_destroy(last_runs);
        expect_file(fixture->path, "reeve last runs 1\n70 web check\nend\n");
        expect_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    }
}

static void test_a_file_that_is_missing(void **state)
{
    struct fixture *fixture = *state;
    struct last_runs *last_runs;

    write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    write_file(fixture->new_path, "reeve last runs 1\n80 web check\nend\n");
    last_runs = make(fixture);
    expect_runs(last_runs, "web", "check=70 ");
    expect_log(fixture, "is missing: last-runs.old, written at 2");
    last_runs_destroy(last_runs);
    /* A first start has nothing to tell. */
    unlink(fixture->path);
    unlink(fixture->old_path);
    last_runs_destroy(make(fixture));
    assert_string_equal(text_string(&fixture->log), "");
}

/* A file is read and not read: a directory, and one that is too long. Neither takes the reserve's
 * place. */
static void test_files_that_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;
    struct last_runs *last_runs;

    assert_int_equal(mkdir(fixture->path, 0700), 0);
    write_file(fixture->old_path, "rubbish");
    last_runs_destroy(make(fixture));
    expect_log(fixture,
               "last-runs, with the times of last runs, cannot be read: Is a directory (kept "
               "as last-runs.damaged), and last-runs.old is damaged: ");
    assert_int_equal(rmdir(fixture->damaged_path), 0);
    write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    write_file(fixture->path, "");
    assert_int_equal(truncate(fixture->path, 65 * 1024 * 1024), 0);
    last_runs = make(fixture);
    expect_runs(last_runs, "web", "check=70 ");
    expect_log(fixture,
               "cannot be read: File too large (kept as last-runs.damaged): last-runs.old");
    last_runs_destroy(last_runs);
    expect_file(fixture->path, "reeve last runs 1\n70 web check\nend\n");
    expect_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
}

/* A lack of descriptors says nothing about the files. */
static void test_a_moment_without_descriptors(void **state)
{
    static const char content[] = "reeve last runs 1\n70 web check\nend\n";
    struct fixture *fixture = *state;
    struct rlimit before, some;
    struct last_runs *last_runs;
    int free_fd = dup(0), r = -1;

    close(free_fd);
    write_file(fixture->path, content);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    /* Some are for its timer and the like: one more each time, until there are enough. */
    for (int i = 0; r < 0 && i < 16; i++) {
        some = (struct rlimit){(rlim_t)free_fd + (rlim_t)i, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &some), 0);
        r = last_runs_create(fixture->loop, fixture->folder, &last_runs);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (r < 0)
            assert_int_equal(r, -EMFILE);
    }
    assert_int_equal(r, 0);
    expect_runs(last_runs, "web", "check=70 ");
    last_runs_destroy(last_runs);
    expect_log(fixture, "last-runs, with the times of last runs: Too many open files; without it");
    expect_file(fixture->path, content);
}

/* The damaged file stays where it is, and the reserve survives the next write all the same. */
static void test_a_damaged_file_that_cannot_be_renamed(void **state)
{
    struct fixture *fixture = *state;
    struct last_runs *last_runs;

    assert_int_equal(mkdir(fixture->damaged_path, 0700), 0);
    write_file(fixture->path, "rubbish");
    write_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    last_runs = make(fixture);
    expect_log(fixture, "is damaged (and cannot be renamed to last-runs.damaged: Is a directory): "
                        "last-runs.old");
    set_task(fixture, 0, "check", 80, true);
    last_runs_read_board(last_runs, "web", fixture->board, 0);
    last_runs_destroy(last_runs);
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
    last_runs_destroy(make(fixture));
    expect_file(fixture->path, "rubbish");
    expect_file(fixture->old_path, "reeve last runs 1\n70 web check\nend\n");
    assert_int_equal(rmdir(fixture->damaged_path), 0);
}

/* The file before is the reserve. */
static void test_the_reserve(void **state)
{
    struct fixture *fixture = *state;

    for (int64_t i = 1; i < 4; i++) {
        struct last_runs *last_runs = make(fixture);

        set_task(fixture, 0, "check", i, true);
        last_runs_read_board(last_runs, "web", fixture->board, 0);
        last_runs_destroy(last_runs);
    }
    expect_file(fixture->path, "reeve last runs 1\n3 web check\nend\n");
    expect_file(fixture->old_path, "reeve last runs 1\n2 web check\nend\n");
}

static void test_a_file_that_cannot_be_written(void **state)
{
    struct fixture *fixture = *state;
    struct last_runs *last_runs = make(fixture);

    /* A directory is in the way, as root may write anywhere. */
    assert_int_equal(mkdir(fixture->new_path, 0700), 0);
    set_task(fixture, 0, "check", 100, true);
    last_runs_read_board(last_runs, "web", fixture->board, 0);
    last_runs_destroy(last_runs);
    expect_log(fixture,
               "the times of last runs were not written: cannot create a temporary file beside ");
    last_runs = make(fixture);
    expect_runs(last_runs, "web", "");
    last_runs_destroy(last_runs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, last_runs_setup, last_runs_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_damaged_file),
        TEST(test_a_file_that_is_missing),
        TEST(test_files_that_cannot_be_read),
        TEST(test_a_moment_without_descriptors),
        TEST(test_a_damaged_file_that_cannot_be_renamed),
        TEST(test_a_write_that_fails_after_a_damaged_file),
        TEST(test_the_reserve),
        TEST(test_a_file_that_cannot_be_written),
    };

    return cmocka_run_group_tests_name("ledger_file", tests, NULL, NULL);
}
