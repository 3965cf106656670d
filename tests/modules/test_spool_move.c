/* SPDX-License-Identifier: MIT */
/*
 * Moving a file of the spool with its output. The two calls that commit are wrapped. Each is durable by
 * itself, so what is in the folders between the two is what a power cut may leave.
 */
#include "tests/support/test.h"

#include <dirent.h>
#include <fcntl.h>

#include "modules/spool/spool.h"

static char folder[64];
static struct spool spool;
static int create_error, move_error; /* to fail with; move_error > 0: after the move */
static bool comes_again;             /* after the move there is a file of its name */

static void put(int fd, const char *name, const char *text)
{
    int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
}

static bool has(int fd, const char *name, const char *text)
{
    char data[64] = "";
    int file = openat(fd, name, O_RDONLY | O_CLOEXEC);
    bool same = file >= 0 && read(file, data, sizeof(data) - 1) >= 0 && strcmp(data, text) == 0;

    if (file >= 0)
        close(file);
    return same;
}

static unsigned count(int fd)
{
    DIR *directory = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;
    unsigned names = 0;

    while ((entry = readdir(directory)))
        names += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return names;
}

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

    snprintf(output, sizeof(output), "%.255s.output", new_path);
    if (fstatat(new_dir, output, &status, AT_SYMLINK_NOFOLLOW) < 0)
        atomic_fetch_add(&naked, 1);
    if (move_error < 0)
        return rv_fail(move_error, "rename %s to %s", path, new_path);
    r = __real_rv_file_move(dir, path, new_dir, new_path, flags);
    if (comes_again)
        put(dir, path, "newer");
    return r == 0 && move_error > 0 ? rv_fail(-move_error, "sync the folder of %s", new_path) : r;
}

static int setup(void **state)
{
    (void)state;
    create_error = move_error = 0;
    comes_again = false;
    strcpy(folder, "/tmp/reeve-spool-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    spool.directory_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mkdirat(spool.directory_fd, "done", 0700);
    mkdirat(spool.directory_fd, "failed", 0700);
    spool.done_fd = openat(spool.directory_fd, "done", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    spool.failed_fd = openat(spool.directory_fd, "failed", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return spool.done_fd < 0 || spool.failed_fd < 0 ? -1 : 0;
}

static void empty(int fd)
{
    DIR *directory = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;

    while ((entry = readdir(directory)))
        unlinkat(fd, entry->d_name, 0);
    closedir(directory);
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(atomic_load(&naked), 0);
    empty(spool.done_fd);
    empty(spool.failed_fd);
    unlinkat(spool.directory_fd, "done", AT_REMOVEDIR);
    unlinkat(spool.directory_fd, "failed", AT_REMOVEDIR);
    empty(spool.directory_fd);
    close(spool.done_fd);
    close(spool.failed_fd);
    close(spool.directory_fd);
    return rmdir(folder);
}

static struct claim claim_of(const char *name, char *output)
{
    struct claim claim = {.output = output, .output_size = strlen(output)};

    snprintf(claim.name, sizeof(claim.name), "%s", name);
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
        TEST(test_names_in_each_others_way),
    };

    return cmocka_run_group_tests_name("spool_move", tests, NULL, NULL);
}
