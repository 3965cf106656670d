/* SPDX-License-Identifier: MIT */
/* Replacing a file for good: steps, failures, what lies in the way, several writers. */
#include "tests/base/durable_calls.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/macro.h"

static int replace(const char *name, const char *text, bool only_new, const char *keep,
                   enum file_step *ret_step)
{
    struct file_content content = {text, strlen(text), 0644, only_new, keep};

    return file_replace(folder, name, &content, ret_step);
}

/* Replacing --------------------------------------------------------------- */

static void test_the_order_of_a_replacement(void **state _unused_)
{
    enum file_step step;
    struct stat status;

    umask(0022);
    record(NULL, NULL);
    assert_int_equal(replace("file", "one", false, NULL, &step), 0);
    assert_string_equal(recorded(), "flock write fdatasync renameat flock fsync");
    expect_content(folder, "file", "one");
    assert_int_equal(fstatat(folder, "file", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
    record(NULL, NULL);
    assert_int_equal(replace("file", "two", false, NULL, &step), 0);
    assert_string_equal(recorded(), "flock write fdatasync renameat flock fsync");
    expect_content(folder, "file", "two");
    record(NULL, NULL);
    assert_int_equal(replace("new", "", true, NULL, &step), 0);
    assert_string_equal(recorded(), "flock fdatasync renameat2 flock fsync");
    expect_names(folder, "file new");
}

static void test_each_step_fails(void **state _unused_)
{
    static const struct {
        struct fault fault;
        enum file_step step;
        bool in_place;
    } cases[] = {
        {{"write", 1, ENOSPC}, FILE_WRITE, false},
        {{"fdatasync", 1, EIO}, FILE_SYNC, false},
        {{"renameat", 1, EROFS}, FILE_RENAME, false},
        {{"fsync", 1, EIO}, FILE_SYNC_FOLDER, true},
    };
    enum file_step step;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        put(folder, "file", "old");
        record(&cases[i].fault, NULL);
        assert_int_equal(replace("file", "new", false, NULL, &step), -cases[i].fault.error);
        recorded();
        assert_int_equal(step, cases[i].step);
        assert_true(strlen(file_step_text(step)) > 0);
        expect_names(folder, "file");
        expect_content(folder, "file", cases[i].in_place ? "new" : "old");
    }
    assert_int_equal(mkdirat(folder, ".file.new", 0700), 0);
    assert_int_equal(replace("file", "x", false, NULL, &step), -EISDIR);
    assert_int_equal(step, FILE_CREATE);
    assert_int_equal(replace("no/folder", "x", false, NULL, &step), -ENOENT);
    assert_int_equal(step, FILE_CREATE);
}

static void test_a_new_file_is_there_or_not(void **state _unused_)
{
    static const struct fault each[] = {
        {"write", 1, ENOSPC}, {"fdatasync", 1, EIO}, {"renameat2", 1, EROFS}, {"fsync", 1, EIO}};
    enum file_step step;

    for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
        record(&each[i], NULL);
        assert_int_equal(replace("file", "new", true, NULL, &step), -each[i].error);
        recorded();
        expect_names(folder, "");
    }
    put(folder, "file", "old");
    assert_int_equal(replace("file", "new", true, NULL, &step), -EEXIST);
    assert_int_equal(step, FILE_RENAME);
    expect_names(folder, "file");
    expect_content(folder, "file", "old");
}

static void take_place(void)
{
    put(folder, "theirs", "theirs");
    assert_int_equal(renameat(folder, "theirs", folder, "file"), 0);
}

static void test_only_what_is_new_is_taken_away(void **state _unused_)
{
    enum file_step step;

    record(&(struct fault){"fsync", 1, EIO}, NULL);
    others("fsync", take_place);
    assert_int_equal(replace("file", "mine", true, NULL, &step), -EIO);
    recorded();
    expect_content(folder, "file", "theirs");
}

static void test_interrupted_calls_go_on(void **state _unused_)
{
    const struct fault sync = {"fdatasync", 1, EINTR}, sync_folder = {"fsync", 1, EINTR};
    enum file_step step;

    record(&sync, &sync_folder);
    assert_int_equal(replace("file", "one", false, NULL, &step), 0);
    assert_string_equal(recorded(), "flock write fdatasync fdatasync renameat flock fsync fsync");
    record(&(struct fault){"write", 1, EINTR}, &(struct fault){"flock", 1, EINTR});
    assert_int_equal(replace("file", "two", false, NULL, &step), 0);
    assert_string_equal(recorded(), "flock flock write write fdatasync renameat flock fsync");
    expect_content(folder, "file", "two");
}

/* FUSE, NFS and 9p answer so, each to some of them. */
static void test_file_systems_that_can_less(void **state _unused_)
{
    const struct fault no_lock = {"flock", 0, ENOLCK}, no_folder_sync = {"fsync", 0, EINVAL};
    const struct fault no_flags = {"renameat2", 0, EINVAL}, no_links = {"linkat", 0, EPERM};
    enum file_step step;

    record(&no_lock, &no_folder_sync);
    assert_int_equal(replace("file", "one", false, NULL, &step), 0);
    assert_string_equal(recorded(), "flock write fdatasync renameat flock fsync");
    record(&no_flags, NULL);
    assert_int_equal(replace("file", "two", true, NULL, &step), -EEXIST);
    assert_string_equal(recorded(), "flock write fdatasync renameat2 linkat unlinkat");
    record(&no_flags, NULL);
    assert_int_equal(replace("new", "two", true, NULL, &step), 0);
    assert_string_equal(recorded(), "flock write fdatasync renameat2 linkat unlinkat flock fsync");
    record(&no_flags, &no_links);
    assert_int_equal(replace("new", "three", true, NULL, &step), -EEXIST);
    recorded();
    expect_content(folder, "new", "two");
    record(&no_flags, &no_links);
    assert_int_equal(replace("newer", "three", true, NULL, &step), 0);
    assert_string_equal(recorded(), "flock write fdatasync renameat2 linkat renameat flock fsync");
    /* Linked, and its first name stays: it is as if nothing had been done. */
    record(&no_flags, &(struct fault){"unlinkat", 1, EIO});
    assert_int_equal(replace("newest", "four", true, NULL, &step), -EIO);
    recorded();
    expect_names(folder, "file new newer");
    expect_content(folder, "newer", "three");
}

static void test_what_was_there_before_is_kept(void **state _unused_)
{
    const struct fault no_links = {"linkat", 0, EPERM};
    enum file_step step;

    record(NULL, NULL);
    assert_int_equal(replace("file", "one", false, "old", &step), 0);
    recorded();
    expect_names(folder, "file");
    record(NULL, NULL);
    assert_int_equal(replace("file", "two", false, "old", &step), 0);
    assert_string_equal(recorded(), "flock write fdatasync linkat renameat flock fsync");
    expect_content(folder, "old", "one");
    record(NULL, NULL);
    assert_int_equal(replace("file", "two", false, "old", &step), 0);
    /* At no time is there no file. */
    assert_string_equal(recorded(),
                        "flock write fdatasync linkat unlinkat linkat renameat flock fsync");
    expect_content(folder, "old", "two");
    record(&no_links, NULL);
    assert_int_equal(replace("file", "three", false, "old", &step), 0);
    recorded();
    expect_content(folder, "old", "two");
    /* One that fails takes nothing away. */
    record(&(struct fault){"fdatasync", 1, EIO}, NULL);
    assert_int_equal(replace("file", "four", false, "old", &step), -EIO);
    recorded();
    expect_content(folder, "old", "two");
    expect_content(folder, "file", "three");
    /* Neither does one without a file to be kept. */
    assert_int_equal(unlinkat(folder, "file", 0), 0);
    assert_int_equal(replace("file", "five", false, "old", &step), 0);
    expect_content(folder, "old", "two");
    expect_names(folder, "file old");
}

static void test_what_lies_in_the_way(void **state _unused_)
{
    char name[NAME_MAX + 1], temporary[NAME_MAX + 1];
    enum file_step step;

    /* Of a writer that was killed: longer than what comes, with another mode. */
    put(folder, ".file.new", "left by somebody else");
    assert_int_equal(replace("file", "one", false, NULL, &step), 0);
    expect_content(folder, "file", "one");
    /* Nobody is led elsewhere. */
    put(folder, "target", "mine");
    assert_int_equal(symlinkat("target", folder, ".file.new"), 0);
    assert_int_equal(replace("file", "two", false, NULL, &step), 0);
    assert_int_equal(mkfifoat(folder, ".file.new", 0600), 0);
    assert_int_equal(replace("file", "three", false, NULL, &step), 0);
    expect_content(folder, "target", "mine");
    expect_content(folder, "file", "three");
    expect_names(folder, "file target");
    memset(name, 'x', NAME_MAX);
    name[NAME_MAX] = '\0';
    /* The temporary name of a long one is shorter: there may be room for no more. */
    snprintf(temporary, sizeof(temporary), ".%.100s-%016" PRIx64 ".new", name, hash_text(name));
    put(folder, temporary, "left by somebody else");
    assert_int_equal(replace(name, "long", false, NULL, &step), 0);
    expect_content(folder, name, "long");
    assert_int_equal(faccessat(folder, temporary, F_OK, 0), -1);
    /* It is that name's alone, however others begin. */
    put(folder, temporary, "of another writer");
    name[NAME_MAX - 1] = 'y';
    assert_int_equal(replace(name, "other", false, NULL, &step), 0);
    expect_content(folder, temporary, "of another writer");
}

/* As another user left it: it cannot be opened, and so not be locked either. */
static void test_what_lies_in_the_way_and_cannot_be_read(void **state _unused_)
{
    const uid_t nobody = 65534;
    enum file_step step;
    int r;

    put(folder, ".file.new", "left by another");
    assert_int_equal(fchmodat(folder, ".file.new", 0, 0), 0);
    if (geteuid() == 0) {
        /* In a namespace with one user there is nobody else. */
        if (fchown(folder, nobody, (gid_t)-1) < 0)
            skip();
        setfsuid(nobody);
    }
    r = replace("file", "mine", false, NULL, &step);
    setfsuid(geteuid());
    assert_int_equal(r, 0);
    expect_content(folder, "file", "mine");
    expect_names(folder, "file");
}

/* Writers at once --------------------------------------------------------- */

#define WRITERS 4
#define ROUNDS  50
#define LENGTH  (16 * 1024)

static int write_rounds(void *arg)
{
    char letter = *(char *)arg, *data = malloc(LENGTH);
    struct file_content content = {data, LENGTH, 0600, false, NULL};
    enum file_step step;
    int r = data ? 0 : -ENOMEM;

    if (data)
        memset(data, letter, LENGTH);
    for (int i = 0; i < ROUNDS && r == 0; i++)
        r = file_replace(folder, "file", &content, &step);
    free(data);
    return r;
}

static void test_writers_do_not_mix(void **state _unused_)
{
    struct caller callers[WRITERS];
    char letters[WRITERS] = {'a', 'b', 'c', 'd'}, data[LENGTH];

    put(folder, "file", "old");
    for (int i = 0; i < WRITERS; i++)
        caller_start(&callers[i], write_rounds, &letters[i]);
    for (int i = 0; i < ROUNDS; i++) {
        cleanup_close int file = openat(folder, "file", O_RDONLY | O_CLOEXEC);
        ssize_t size = read(file, data, sizeof(data));

        if (size == 3 && memcmp(data, "old", 3) == 0)
            continue;
        assert_int_equal(size, LENGTH);
        for (int j = 1; j < LENGTH; j++)
            assert_int_equal(data[j], data[0]);
    }
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(caller_join(&callers[i]), 0);
    expect_names(folder, "file");
}

static int overtaken;

static void overtake(void)
{
    if (overtaken-- > 0)
        assert_int_equal(renameat(folder, ".file.new", folder, "of another"), 0);
}

/* Four writers that each do 50 rounds may be 150 ahead of one. */
static void test_a_writer_that_is_overtaken_goes_on(void **state _unused_)
{
    enum file_step step;

    overtaken = 1000;
    others("flock", overtake);
    assert_int_equal(replace("file", "mine", false, NULL, &step), 0);
    expect_content(folder, "file", "mine");
    /* There is an end to it: somebody must be removing what we make. */
    overtaken = INT_MAX;
    assert_int_equal(replace("file", "never", false, NULL, &step), -EBUSY);
    assert_int_equal(step, FILE_CREATE);
    expect_content(folder, "file", "mine");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, durable_setup, durable_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_order_of_a_replacement),
        TEST(test_each_step_fails),
        TEST(test_a_new_file_is_there_or_not),
        TEST(test_only_what_is_new_is_taken_away),
        TEST(test_interrupted_calls_go_on),
        TEST(test_file_systems_that_can_less),
        TEST(test_what_was_there_before_is_kept),
        TEST(test_what_lies_in_the_way),
        TEST(test_what_lies_in_the_way_and_cannot_be_read),
        TEST(test_writers_do_not_mix),
        TEST(test_a_writer_that_is_overtaken_goes_on),
    };

    return cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}
