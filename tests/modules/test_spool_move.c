/* SPDX-License-Identifier: MIT */
/*
 * Moving a file of the spool with its output. The two calls that commit are wrapped. Each is durable by
 * itself, so what is in the folders between the two is what a power cut may leave.
 */
#include "tests/modules/spool_folders.h"

static int create_error, move_error; /* to fail with; move_error > 0: after the move */
static bool comes_again;             /* after the move there is a file of its name */
static bool fails_back;              /* nothing can be moved into the folder */
static void (*meanwhile)(void);      /* comes between the last look at the file and its move */

/* Commits ------------------------------------------------------------------------------------------ */

/* Files that were moved before their output was there. */
static _Atomic int naked;

int __real_rv_file_create(int dir, const char *path, const void *data, size_t size, mode_t mode);
int __wrap_rv_file_create(int dir, const char *path, const void *data, size_t size, mode_t mode);
int __wrap_rv_file_create(int dir, const char *path, const void *data, size_t size, mode_t mode)
{
    return create_error < 0 ? rv_fail(create_error, "write %s", path)
                            : __real_rv_file_create(dir, path, data, size, mode);
}

int __real_rv_file_move(int dir, const char *path, int new_dir, const char *new_path,
                        unsigned flags);
int __wrap_rv_file_move(int dir, const char *path, int new_dir, const char *new_path,
                        unsigned flags);
int __wrap_rv_file_move(int dir, const char *path, int new_dir, const char *new_path,
                        unsigned flags)
{
    struct stat status;
    char output[300];
    int r;

    /* Back to where it was. */
    if (new_dir == spool.directory_fd)
        return fails_back ? rv_fail(-EACCES, "rename %s to %s", path, new_path)
                          : __real_rv_file_move(dir, path, new_dir, new_path, flags);
    snprintf(output, sizeof(output), "%.255s.output", new_path);
    if (fstatat(new_dir, output, &status, AT_SYMLINK_NOFOLLOW) < 0)
        atomic_fetch_add(&naked, 1);
    if (move_error < 0)
        return rv_fail(move_error, "rename %s to %s", path, new_path);
    if (meanwhile)
        meanwhile();
    r = __real_rv_file_move(dir, path, new_dir, new_path, flags);
    if (comes_again)
        put(dir, path, "newer");
    return r == 0 && move_error > 0 ? rv_fail(-move_error, "sync the folder of %s", new_path) : r;
}

static int setup(void **state)
{
    (void)state;
    create_error = move_error = 0;
    comes_again = fails_back = false;
    meanwhile = NULL;
    return make_folders();
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(atomic_load(&naked), 0);
    return remove_folders();
}

static struct claim claim_of(const char *name, char *output)
{
    struct claim claim = {.output = output, .output_size = strlen(output)};

    snprintf(claim.name, sizeof(claim.name), "%s", name);
    (void)file_stat(spool.directory_fd, name, &claim.file);
    return claim;
}

static int move(const char *name, const char *output)
{
    char text[64];
    struct claim claim;

    snprintf(text, sizeof(text), "%s", output);
    claim = claim_of(name, text);
    return spool_move(rv_context_background(), &spool, &claim);
}

static void test_suffixes(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        put(spool.directory_fd, "file", "x");
        assert_int_equal(move("file", "output"), 0);
    }
    assert_true(has(spool.done_fd, "file.2", "x"));
    assert_true(has(spool.done_fd, "file.2.output", "output"));
    assert_int_equal(count(spool.done_fd), 6);
    /* Its output alone is there, of a life that was cut off. */
    put(spool.done_fd, "other.output", "left");
    put(spool.directory_fd, "other", "y");
    assert_int_equal(move("other", "new"), 0);
    assert_true(has(spool.done_fd, "other.output", "left"));
    assert_true(has(spool.done_fd, "other.1.output", "new"));
    assert_true(has(spool.done_fd, "other.1", "y"));
}

static void test_failures_leave_the_file(void **state)
{
    (void)state;
    put(spool.directory_fd, "file", "x");
    create_error = -ENOSPC;
    assert_int_equal(move("file", "output"), -ENOSPC);
    create_error = 0;
    move_error = -EXDEV;
    assert_int_equal(move("file", "output"), -EXDEV);
    assert_string_equal(rv_error_text(), "rename file to file: Invalid cross-device link");
    /* Nothing is left to take the name from the next attempt. */
    assert_int_equal(count(spool.done_fd), 0);
    assert_true(has(spool.directory_fd, "file", "x"));
    /* Moved, and only that is not certain to be on the disk: that is no reason to run it again. */
    move_error = EIO;
    assert_int_equal(move("file", "output"), 0);
    assert_true(has(spool.done_fd, "file", "x"));
    assert_true(has(spool.done_fd, "file.output", "output"));
    /* So it is when the next file of that name has come already, which is not to get this output. */
    put(spool.directory_fd, "file", "y");
    comes_again = true;
    assert_int_equal(move("file", "another"), 0);
    assert_true(has(spool.done_fd, "file.1", "y"));
    assert_true(has(spool.done_fd, "file.1.output", "another"));
    assert_true(has(spool.directory_fd, "file", "newer"));
}

static void test_a_file_that_is_gone(void **state)
{
    (void)state;
    assert_int_equal(move("file", "output"), 0);
    assert_int_equal(count(spool.done_fd), 0);
}

/* Files that change at the last moment -------------------------------------------------------------- */

static void come_new(void)
{
    replace(spool.directory_fd, "file", "second");
}

static void come_longer(void)
{
    append(spool.directory_fd, "file", "more");
}

static int writer = -1;

static void open_writer(void)
{
    if (writer >= 0)
        close(writer);
    writer = openat(spool.directory_fd, "file", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(writer >= 0);
}

static void test_what_no_command_has_seen_goes_back(void **state)
{
    static void (*const ways[])(void) = {come_new, come_longer, open_writer};
    static const char *const contents[] = {"second", "firstmore", "first"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        put(spool.directory_fd, "file", "first");
        meanwhile = ways[i];
        assert_int_equal(move("file", "output"), SPOOL_CHANGED);
        assert_true(has(spool.directory_fd, "file", contents[i]));
        assert_int_equal(count(spool.done_fd), 0);
        /* It takes the place of nobody. */
        comes_again = true;
        assert_int_equal(move("file", "output"), SPOOL_CHANGED);
        comes_again = false;
        assert_true(has(spool.directory_fd, "file", "newer"));
        assert_int_equal(count(spool.directory_fd), 4);
        assert_int_equal(count(spool.done_fd), 0);
        unlinkat(spool.directory_fd, "file.1", 0);
    }
    close(writer);
}

static void test_what_cannot_go_back_is_no_new_job(void **state)
{
    (void)state;
    put(spool.directory_fd, "file", "first");
    meanwhile = come_new;
    fails_back = true;
    assert_int_equal(move("file", "output"), 0);
    assert_true(has(spool.done_fd, "file", "second"));
    assert_true(has(spool.done_fd, "file.output", "output"));
}

static void test_there_is_an_end_to_changes(void **state)
{
    char output[] = "output";
    struct claim claim;

    (void)state;
    put(spool.directory_fd, "file", "first");
    meanwhile = come_new;
    claim = claim_of("file", output);
    claim.changes = SPOOL_RUNS_MAX;
    assert_int_equal(spool_move(rv_context_background(), &spool, &claim), 0);
    assert_true(has(spool.done_fd, "file", "second"));
}

/* Names that get into each other's way, moved at once -------------------------------------------- */

struct mover {
    struct caller caller;
    const char *name;
};

static int move_one(void *arg)
{
    const char *name = ((struct mover *)arg)->name;

    return move(name, name);
}

static void test_names_in_each_others_way(void **state)
{
    static const char *const names[] = {"file", "file.output", "file.1", "file.output.output"};
    struct mover movers[4];
    char output[300];

    (void)state;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 4; i++)
            put(spool.directory_fd, names[i], names[i]);
        for (size_t i = 0; i < 4; i++) {
            movers[i].name = names[i];
            caller_start(&movers[i].caller, move_one, &movers[i]);
        }
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(caller_join(&movers[i].caller), 0);
        /* Every file and every output is there, and no output is another's. */
        assert_int_equal(count(spool.done_fd), 8);
        for (size_t i = 0; i < 4; i++) {
            unsigned found = 0;

            for (int suffix = 0; suffix < 8; suffix++) {
                char name[280];

                if (suffix == 0)
                    snprintf(name, sizeof(name), "%s", names[i]);
                else
                    snprintf(name, sizeof(name), "%s.%d", names[i], suffix);
                snprintf(output, sizeof(output), "%s.output", name);
                found += has(spool.done_fd, name, names[i]) && has(spool.done_fd, output, names[i]);
            }
            assert_true(found >= 1);
        }
        empty(spool.done_fd);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_suffixes),
        TEST(test_failures_leave_the_file),
        TEST(test_a_file_that_is_gone),
        TEST(test_what_no_command_has_seen_goes_back),
        TEST(test_what_cannot_go_back_is_no_new_job),
        TEST(test_there_is_an_end_to_changes),
        TEST(test_names_in_each_others_way),
    };

    return cmocka_run_group_tests_name("spool_move", tests, NULL, NULL);
}
