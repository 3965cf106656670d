/* SPDX-License-Identifier: MIT */
/* Moving a file for good, and directories that cannot be read. */
#include "tests/base/durable_calls.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "base/fd.h"
#include "base/macro.h"

static void test_the_order_of_a_move(void **state _unused_)
{
    enum file_step step;

    put(folder, "file", "text");
    record(NULL, NULL);
    assert_int_equal(file_move(folder, "file", other, "moved", true, &step), 0);
    assert_string_equal(recorded(), "fdatasync renameat2 fsync fsync");
    put(folder, "file", "newer");
    record(NULL, NULL);
    assert_int_equal(file_move(folder, "file", other, "moved", true, &step), -EEXIST);
    assert_string_equal(recorded(), "fdatasync renameat2");
    expect_content(other, "moved", "text");
    record(NULL, NULL);
    assert_int_equal(file_move(folder, "file", other, "moved", false, &step), 0);
    assert_string_equal(recorded(), "fdatasync renameat fsync fsync");
    expect_content(other, "moved", "newer");
    record(NULL, NULL);
    assert_int_equal(file_move(other, "moved", other, "again", true, &step), 0);
    assert_string_equal(recorded(), "fdatasync renameat2 fsync");
    assert_int_equal(file_move(folder, "nosuch", other, "x", true, &step), -ENOENT);
}

static void test_each_step_of_a_move_fails(void **state _unused_)
{
    static const struct {
        struct fault fault;
        enum file_step step;
        bool moved;
    } cases[] = {
        {{"fdatasync", 1, EIO}, FILE_SYNC, false},
        {{"renameat2", 1, EXDEV}, FILE_RENAME, false},
        {{"fsync", 1, EIO}, FILE_SYNC_FOLDER, true},
        {{"fsync", 2, EIO}, FILE_SYNC_FOLDER, true},
    };
    enum file_step step;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        put(folder, "file", "text");
        record(&cases[i].fault, NULL);
        assert_int_equal(file_move(folder, "file", other, "moved", true, &step),
                         -cases[i].fault.error);
        recorded();
        assert_int_equal(step, cases[i].step);
        expect_names(folder, cases[i].moved ? "" : "file");
        expect_names(other, cases[i].moved ? "moved" : "");
        empty(other);
    }
}

static void test_a_move_where_less_is_possible(void **state _unused_)
{
    const struct fault no_flags = {"renameat2", 0, EINVAL}, no_links = {"linkat", 0, EPERM};
    const struct fault no_sync = {"fsync", 0, EINVAL};
    enum file_step step;

    put(folder, "file", "text");
    record(&no_flags, &no_sync);
    assert_int_equal(file_move(folder, "file", other, "moved", true, &step), 0);
    assert_string_equal(recorded(), "fdatasync renameat2 linkat unlinkat fsync fsync");
    expect_names(folder, "");
    put(folder, "file", "newer");
    record(&no_flags, &no_links);
    assert_int_equal(file_move(folder, "file", other, "moved", true, &step), -EEXIST);
    recorded();
    record(&no_flags, &no_links);
    assert_int_equal(file_move(folder, "file", other, "moved.1", true, &step), 0);
    assert_string_equal(recorded(), "fdatasync renameat2 linkat renameat fsync fsync");
    expect_content(other, "moved", "text");
    expect_content(other, "moved.1", "newer");
    /* A link has no content to be synced. */
    assert_int_equal(symlinkat("nowhere", folder, "link"), 0);
    assert_int_equal(file_move(folder, "link", other, "link", true, &step), 0);
    expect_names(other, "link moved moved.1");
}

static void come_again(void)
{
    put(folder, "new", "newer");
    assert_int_equal(renameat(folder, "new", folder, "file"), 0);
}

static void test_another_file_takes_the_name_meanwhile(void **state _unused_)
{
    const struct fault no_flags = {"renameat2", 0, EINVAL};
    enum file_step step;

    put(folder, "file", "text");
    others("after linkat", come_again);
    record(&no_flags, NULL);
    assert_int_equal(file_move(folder, "file", other, "moved", true, &step), 0);
    recorded();
    expect_content(other, "moved", "text");
    expect_content(folder, "file", "newer");
}

/* A directory that may be written and not read. */
static void test_a_folder_without_a_descriptor_for_reading(void **state _unused_)
{
    cleanup_close int blind = openat(folder, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct file_content content = {"text", 4, 0600, false, NULL};
    enum file_step step;

    record(NULL, NULL);
    assert_int_equal(file_replace(blind, "file", &content, &step), 0);
    assert_string_equal(recorded(), "flock write fdatasync renameat flock fsync syncfs");
    record(NULL, NULL);
    assert_int_equal(file_move(blind, "file", other, "file", true, &step), 0);
    assert_string_equal(recorded(), "fdatasync renameat2 fsync fsync syncfs");
    /* Nothing is open for reading then, so all file systems are synced. */
    assert_int_equal(symlinkat("nowhere", folder, "link"), 0);
    record(NULL, NULL);
    assert_int_equal(file_move(blind, "link", other, "link", true, &step), 0);
    assert_string_equal(recorded(), "renameat2 fsync fsync sync");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, durable_setup, durable_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_order_of_a_move),
        TEST(test_each_step_of_a_move_fails),
        TEST(test_a_move_where_less_is_possible),
        TEST(test_another_file_takes_the_name_meanwhile),
        TEST(test_a_folder_without_a_descriptor_for_reading),
    };

    return cmocka_run_group_tests_name("durable_move", tests, NULL, NULL);
}
