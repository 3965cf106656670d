/* SPDX-License-Identifier: MIT */
/* The parts that the public functions add to base/durable.h, which tests/base tests: paths, flags
 * and texts.
 */
#include <fcntl.h>
#include <reeve/error.h>
#include <reeve/file.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/support/test.h"

static char folder[64];
static int fd;

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/reeve-file-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return mkdirat(fd, "sub", 0700);
}

static int teardown(void **state)
{
    (void)state;
    unlinkat(fd, "file", 0);
    unlinkat(fd, "moved", 0);
    unlinkat(fd, "sub/file", 0);
    unlinkat(fd, "sub", AT_REMOVEDIR);
    close(fd);
    return rmdir(folder);
}

static void expect(const char *path, const char *expected)
{
    char data[64] = "";
    int file = openat(fd, path, O_RDONLY | O_CLOEXEC);

    assert_true(file >= 0);
    assert_true(read(file, data, sizeof(data) - 1) >= 0);
    close(file);
    assert_string_equal(data, expected);
}

static void test_paths(void **state)
{
    char absolute[96];
    struct stat status;

    (void)state;
    umask(022); /* not the one of whoever runs the tests */
    snprintf(absolute, sizeof(absolute), "%s/file", folder);
    assert_int_equal(rv_file_replace(AT_FDCWD, absolute, "one", 3, 0600), 0);
    expect("file", "one");
    assert_int_equal(rv_file_replace(fd, "file", "two", 3, 0640), 0);
    expect("file", "two");
    assert_int_equal(fstatat(fd, "file", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(rv_file_replace(fd, "sub//file", NULL, 0, 0600), 0);
    expect("sub/file", "");
    assert_int_equal(rv_file_move(fd, "./file", fd, "sub/file", RV_FILE_REPLACE), 0);
    expect("sub/file", "two");
    assert_int_equal(rv_file_move(fd, "sub/file", AT_FDCWD, absolute, 0), 0);
    expect("file", "two");
}

static void test_nothing_is_overwritten(void **state)
{
    (void)state;
    assert_int_equal(rv_file_create(fd, "file", "one", 3, 0600), 0);
    assert_int_equal(rv_file_create(fd, "file", "two", 3, 0600), -EEXIST);
    assert_string_equal(rv_error_text(-EEXIST), "rename file: File exists");
    assert_int_equal(rv_file_create(fd, "moved", "two", 3, 0600), 0);
    assert_int_equal(rv_file_move(fd, "file", fd, "moved", 0), -EEXIST);
    assert_string_equal(rv_error_text(-EEXIST), "rename file to moved: File exists");
    expect("file", "one");
    expect("moved", "two");
    assert_int_equal(rv_file_move(fd, "file", fd, "moved", 2), -EINVAL);
    assert_int_equal(rv_file_move(fd, "file", fd, "moved", RV_FILE_REPLACE), 0);
    expect("moved", "one");
}

static void test_errors_name_path_and_step(void **state)
{
    struct rlimit limit, small;
    char large[4096] = {0};

    (void)state;
    assert_int_equal(rv_file_replace(fd, "nosuch/file", "x", 1, 0600), -ENOENT);
    assert_string_equal(rv_error_text(-ENOENT),
                        "open the directory of nosuch/file: No such file or directory");
    assert_int_equal(rv_file_replace(fd, "sub/", "x", 1, 0600), -EINVAL);
    assert_string_equal(rv_error_text(-EINVAL), "\"sub/\" is not the path of a file");
    assert_int_equal(rv_file_replace(fd, "", "x", 1, 0600), -EINVAL);
    assert_int_equal(rv_file_replace(fd, "sub", "x", 1, 0600), -EISDIR);
    assert_string_equal(rv_error_text(-EISDIR), "rename sub: Is a directory");
    assert_int_equal(rv_file_move(fd, "nosuch", fd, "moved", 0), -ENOENT);
    assert_string_equal(rv_error_text(-ENOENT), "sync nosuch: No such file or directory");
    /* A content that does not fit leaves the old file, and nothing else. */
    assert_int_equal(rv_file_replace(fd, "file", "old", 3, 0600), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 1024;
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(rv_file_replace(fd, "file", large, sizeof(large), 0600), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_string_equal(rv_error_text(-EFBIG), "write file: File too large");
    expect("file", "old");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_paths),
        TEST(test_nothing_is_overwritten),
        TEST(test_errors_name_path_and_step),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
