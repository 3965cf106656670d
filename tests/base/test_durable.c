/* SPDX-License-Identifier: MIT */
/*
 * Files that survive a power cut. The calls that write, sync and rename are wrapped by the linker: a
 * test sees their order, and makes each of them fail. What a real cut leaves was measured with virtual
 * machines; here it is the order of the calls that stands for it.
 */
#include "tests/support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "base/fd.h"
#include "base/macro.h"
#include "base/text.h"

/* What is called, and what fails ----------------------------------------------------------------- */

struct fault {
    const char *call;
    int nth; /* from 1; 0: each */
    int error;
};

static struct text calls;
static struct fault faults[4];
static int seen[4];
static _Atomic bool recording;
static const char *other_call; /* before it others do other_does() */
static void (*other_does)(void);

/* Returns the errno that the call is to fail with, or 0. */
static int note(const char *call)
{
    if (other_call && strcmp(call, other_call) == 0)
        other_does();
    if (!atomic_load(&recording))
        return 0;
    text_append_format(&calls, "%s%s", calls.length > 0 ? " " : "", call);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        if (faults[i].call && strcmp(faults[i].call, call) == 0) {
            seen[i]++;
            if (faults[i].nth == 0 || faults[i].nth == seen[i])
                return faults[i].error;
        }
    return 0;
}

#define WRAP(type, name, parameters, arguments) \
    type __real_##name parameters;              \
    type __wrap_##name parameters;              \
    type __wrap_##name parameters               \
    {                                           \
        int error = note(#name);                \
                                                \
        if (error != 0) {                       \
            errno = error;                      \
            return -1;                          \
        }                                       \
        return __real_##name arguments;         \
    }

WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, syncfs, (int fd), (fd))
WRAP(int, flock, (int fd, int operation), (fd, operation))
WRAP(int, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(int, renameat2, (int a, const char *b, int c, const char *d, unsigned e), (a, b, c, d, e))
WRAP(int, linkat, (int a, const char *b, int c, const char *d, int e), (a, b, c, d, e))
WRAP(int, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))

void __real_sync(void);
void __wrap_sync(void);
void __wrap_sync(void)
{
    note("sync");
    __real_sync();
}

static void others(const char *call, void (*fn)(void))
{
    other_call = call;
    other_does = fn;
}

static void record(const struct fault *first, const struct fault *second)
{
    text_free(&calls);
    calls = (struct text){0};
    memset(faults, 0, sizeof(faults));
    memset(seen, 0, sizeof(seen));
    if (first)
        faults[0] = *first;
    if (second)
        faults[1] = *second;
    atomic_store(&recording, true);
}

static const char *recorded(void)
{
    atomic_store(&recording, false);
    return text_string(&calls);
}

/* The folders ------------------------------------------------------------------------------------ */

static char path[64];
static int folder, other;

static int setup(void **state _unused_)
{
    strcpy(path, "/tmp/reeve-durable-XXXXXX");
    if (!mkdtemp(path))
        return -1;
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || mkdirat(folder, "other", 0700) < 0)
        return -1;
    other = openat(folder, "other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return other < 0 ? -1 : 0;
}

static void empty(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fdopendir(copy);
    struct dirent *entry;

    while ((entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(fd, entry->d_name, 0) < 0)
            unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    closedir(directory);
}

static int teardown(void **state _unused_)
{
    recorded();
    other_call = NULL;
    text_free(&calls);
    empty(other);
    empty(folder);
    close(other);
    close(folder);
    return rmdir(path);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The names in a folder, sorted, without the other folder. */
static void expect_names(int fd, const char *expected)
{
    cleanup_text struct text text = {0};
    struct dirent **entries;
    int count = scandirat(fd, ".", &entries, NULL, by_name);

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "other") != 0)
            text_append_format(&text, "%s%s", text.length > 0 ? " " : "", name);
        free(entries[i]);
    }
    free(entries);
    assert_string_equal(text_string(&text), expected);
}

static void expect_content(int fd, const char *name, const char *expected)
{
    char data[64] = "";
    cleanup_close int file = openat(fd, name, O_RDONLY | O_CLOEXEC);

    assert_true(file >= 0);
    assert_true(read(file, data, sizeof(data) - 1) >= 0);
    assert_string_equal(data, expected);
}

static void put(int fd, const char *name, const char *text)
{
    cleanup_close int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write_all(file, text, strlen(text)), 0);
}

static int replace(const char *name, const char *text, bool only_new, const char *keep,
                   enum file_step *ret_step)
{
    struct file_content content = {text, strlen(text), 0644, only_new, keep};

    return file_replace(folder, name, &content, ret_step);
}

/* Replacing -------------------------------------------------------------------------------------- */

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
    char name[NAME_MAX + 1];
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
    assert_int_equal(replace(name, "long", false, NULL, &step), 0);
    expect_content(folder, name, "long");
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
        assert_int_equal(fchown(folder, nobody, (gid_t)-1), 0);
        setfsuid(nobody);
    }
    r = replace("file", "mine", false, NULL, &step);
    setfsuid(geteuid());
    assert_int_equal(r, 0);
    expect_content(folder, "file", "mine");
    expect_names(folder, "file");
}

/* Writers at once -------------------------------------------------------------------------------- */

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

/* Moving ----------------------------------------------------------------------------------------- */

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
    /* What is no file has no content to be synced. */
    assert_int_equal(symlinkat("nowhere", folder, "link"), 0);
    assert_int_equal(file_move(folder, "link", other, "link", true, &step), 0);
    expect_names(other, "link moved moved.1");
}

/* A folder that may be written and not read. */
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        TEST(test_the_order_of_a_move),
        TEST(test_each_step_of_a_move_fails),
        TEST(test_a_move_where_less_is_possible),
        TEST(test_a_folder_without_a_descriptor_for_reading),
    };

    return cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}
