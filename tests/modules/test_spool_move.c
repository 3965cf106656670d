/* SPDX-License-Identifier: MIT */
/*
 * Moving a file of the spool with its output. The two calls that commit are wrapped. Each is
 * durable by itself, so what is in the directories between the two is what a power cut may leave.
 */
#include <sys/statvfs.h>

#include "tests/modules/spool_folders.h"

static int create_error, move_error; /* to fail with; move_error > 0: after the move */
static bool comes_again;             /* after the move there is a file of its name */
static bool fails_back;              /* nothing can be moved into the directory */
static void (*meanwhile)(void);      /* comes between the last look at the file and its move */
static void (*afterwards)(void);     /* comes right after the move */
static bool no_events;               /* inotify cannot be had */

/* The bounds that a file system sets for its names. */
static int name_max;
static bool is_said; /* rather than that of the real one */

/* As the call for large files is called. */
int __real_fstatvfs64(int fd, struct statvfs *status);
int __wrap_fstatvfs64(int fd, struct statvfs *status);
int __wrap_fstatvfs64(int fd, struct statvfs *status)
{
    int r = __real_fstatvfs64(fd, status);

    if (is_said)
        status->f_namemax = (unsigned long)name_max;
    return r;
}

/* Commits ----------------------------------------------------------------- */

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
    int most, r;

    /* Back to where it was. */
    if (new_dir == spool.directory_fd)
        return fails_back ? rv_fail(-EACCES, "rename %s to %s", path, new_path)
                          : __real_rv_file_move(dir, path, new_dir, new_path, flags);
    for (most = (name_max > 0 ? name_max : 255) - 7;
         (int)strlen(new_path) > most && (new_path[most] & 0xC0) == 0x80; most--)
        ;
    snprintf(output, sizeof(output), "%.*s.output", most, new_path);
    if (fstatat(new_dir, output, &status, AT_SYMLINK_NOFOLLOW) < 0)
        atomic_fetch_add(&naked, 1);
    if (move_error < 0)
        return rv_fail(move_error, "rename %s to %s", path, new_path);
    if (meanwhile)
        meanwhile();
    r = __real_rv_file_move(dir, path, new_dir, new_path, flags);
    if (afterwards)
        afterwards();
    if (comes_again)
        put(dir, path, "newer");
    return r == 0 && move_error > 0 ? rv_fail(-move_error, "sync the directory of %s", new_path)
                                    : r;
}

int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);
int __wrap_inotify_init1(int flags)
{
    if (!no_events)
        return __real_inotify_init1(flags);
    errno = EMFILE;
    return -1;
}

static int setup(void **state)
{
    (void)state;
    create_error = move_error = 0;
    is_said = false;
    name_max = 0;
    comes_again = fails_back = no_events = false;
    meanwhile = afterwards = NULL;
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

static void test_long_names(void **state)
{
    /* The last one says nothing of itself. */
    static const int longest[] = {255, 143, 255}, said[] = {255, 143, 0};
    char name[256], file[256], output[256];
    (void)state;

    for (int i = 0; i < 3; i++) {
        name_max = said[i];
        is_said = true;
        memset(name, 'a' + i, sizeof(name));
        name[longest[i]] = '\0';
        put(spool.directory_fd, name, "x");
        assert_int_equal(move(name, "output"), 0);
        snprintf(output, sizeof(output), "%.*s.output", longest[i] - 7, name);
        assert_true(has(spool.done_fd, name, "x"));
        assert_true(has(spool.done_fd, output, "output"));
        put(spool.directory_fd, name, "y");
        assert_int_equal(move(name, "another"), 0);
        snprintf(file, sizeof(file), "%.*s.1", longest[i] - 14, name);
        snprintf(output, sizeof(output), "%.*s.1.output", longest[i] - 14, name);
        assert_true(has(spool.done_fd, file, "y"));
        assert_true(has(spool.done_fd, output, "another"));
        assert_true((int)strlen(output) <= longest[i]);
    }
}

/* No character is cut: some file systems take nothing else. */
static void test_long_names_of_long_characters(void **state)
{
    char name[256], output[256];
    (void)state;

    for (int i = 0; i < 85; i++)
        memcpy(name + 3 * i, "\u4e00", 3);
    name[255] = '\0';
    put(spool.directory_fd, name, "x");
    assert_int_equal(move(name, "output"), 0);
    snprintf(output, sizeof(output), "%.246s.output", name);
    assert_true(has(spool.done_fd, output, "output"));
    put(spool.directory_fd, name, "y");
    assert_int_equal(move(name, "another"), 0);
    snprintf(output, sizeof(output), "%.240s.1.output", name);
    assert_true(has(spool.done_fd, output, "another"));
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
    /* However many there are. */
    for (int i = 3; i < 20; i++) {
        char name[32];

        snprintf(name, sizeof(name), "file.%d%s", i, i % 2 ? ".output" : "");
        put(spool.done_fd, name, "old");
    }
    for (int i = 20; i < 22; i++) {
        char name[32];

        put(spool.directory_fd, "file", "z");
        assert_int_equal(move("file", "output"), 0);
        snprintf(name, sizeof(name), "file.%d", i);
        assert_true(has(spool.done_fd, name, "z"));
    }
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
    assert_string_equal(rv_error_text(-EXDEV), "rename file to file: Invalid cross-device link");
    /* Nothing is left to take the name from the next attempt. */
    assert_int_equal(count(spool.done_fd), 0);
    assert_true(has(spool.directory_fd, "file", "x"));
    /* Moved, and only that is not certain to be on the disk: that is no reason to run it again. */
    move_error = EIO;
    assert_int_equal(move("file", "output"), 0);
    assert_true(has(spool.done_fd, "file", "x"));
    assert_true(has(spool.done_fd, "file.output", "output"));
    /* So it is when the next file of that name has come already, which is not to get this output.
     */
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

/* Files that change at the last moment ------------------------------------ */

static void come_new(void)
{
    replace(spool.directory_fd, "file", "second");
}

static void come_longer(void)
{
    append(spool.directory_fd, "file", "more");
}

static int writer = -1;

static void close_writer(void)
{
    if (writer >= 0)
        close(writer);
    writer = -1;
}

static void open_writer(void)
{
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
        close_writer();
        /* It takes the place of nobody. */
        comes_again = true;
        assert_int_equal(move("file", "output"), SPOOL_CHANGED);
        comes_again = false;
        assert_true(has(spool.directory_fd, "file", "newer"));
        assert_int_equal(count(spool.directory_fd), 4);
        assert_int_equal(count(spool.done_fd), 0);
        unlinkat(spool.directory_fd, "file.1", 0);
        close_writer();
    }
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

/* Consumers of done/ ------------------------------------------------------ */

static void rename_away(void)
{
    assert_int_equal(renameat(spool.done_fd, "file", spool.done_fd, "taken"), 0);
}

static void remove_it(void)
{
    assert_int_equal(unlinkat(spool.done_fd, "file", 0), 0);
}

static void append_to_it(void)
{
    append(spool.done_fd, "file", "more");
}

static void edit_it(void)
{
    replace(spool.done_fd, "file", "edited");
}

static void touch_it(void)
{
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    assert_int_equal(utimensat(spool.done_fd, "file", times, 0), 0);
}

static void open_it(void)
{
    writer = openat(spool.done_fd, "file", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(writer >= 0);
}

static void write_to_it(void)
{
    open_it();
    assert_int_equal(write(writer, "more", 4), 4);
}

static void test_what_stands_in_done_is_its_consumers(void **state)
{
    static const struct {
        void (*does)(void);
        const char *name; /* of the file then */
        const char *content;
    } ways[] = {
        {rename_away, "taken", "first"},     {remove_it, NULL, NULL},
        {append_to_it, "file", "firstmore"}, {edit_it, "file", "edited"},
        {touch_it, "file", "first"},         {open_it, "file", "first"},
        {write_to_it, "file", "firstmore"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        put(spool.directory_fd, "file", "first");
        afterwards = ways[i].does;
        assert_int_equal(move("file", "output"), 0);
        assert_true(has(spool.done_fd, "file.output", "output"));
        if (ways[i].name)
            assert_true(has(spool.done_fd, ways[i].name, ways[i].content));
        assert_true(file_is_gone(spool.directory_fd, "file"));
        empty(spool.done_fd);
        close_writer();
    }
}

/* It is moved, and only that is not certain to be on the disk. */
static void test_a_consumer_while_the_disk_fails(void **state)
{
    (void)state;
    put(spool.directory_fd, "file", "first");
    move_error = EIO;
    afterwards = rename_away;
    assert_int_equal(move("file", "output"), 0);
    assert_true(has(spool.done_fd, "file.output", "output"));
}

/* A file that no command has seen is gone with its consumer: the output of the one before stays. */
static void test_a_change_that_is_taken_at_once(void **state)
{
    (void)state;
    put(spool.directory_fd, "file", "first");
    meanwhile = come_longer;
    afterwards = rename_away;
    assert_int_equal(move("file", "output"), 0);
    assert_true(has(spool.done_fd, "taken", "firstmore"));
    assert_true(has(spool.done_fd, "file.output", "output"));
}

/* Then all that can be told is what the file is. */
static void test_without_events(void **state)
{
    (void)state;
    trace_close_spares(&spool);
    no_events = true;
    put(spool.directory_fd, "file", "first");
    afterwards = rename_away;
    assert_int_equal(move("file", "output"), 0);
    assert_true(has(spool.done_fd, "file.output", "output"));
    empty(spool.done_fd);
    put(spool.directory_fd, "file", "first");
    afterwards = NULL;
    meanwhile = come_longer;
    assert_int_equal(move("file", "output"), SPOOL_CHANGED);
    assert_true(has(spool.directory_fd, "file", "firstmore"));
    assert_int_equal(count(spool.done_fd), 0);
}

/* Before its move nothing is done yet. */
static void test_a_change_before_the_move(void **state)
{
    char output[] = "output";
    struct claim claim;

    (void)state;
    put(spool.directory_fd, "file", "first");
    claim = claim_of("file", output);
    open_writer();
    assert_int_equal(spool_move(rv_context_background(), &spool, &claim), SPOOL_CHANGED);
    assert_true(has(spool.directory_fd, "file", "first"));
    assert_int_equal(count(spool.done_fd), 0);
    close_writer();
}

/* Names that get into each other's way, moved at once --------------------- */

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
        TEST(test_long_names),
        TEST(test_long_names_of_long_characters),
        TEST(test_failures_leave_the_file),
        TEST(test_a_file_that_is_gone),
        TEST(test_what_no_command_has_seen_goes_back),
        TEST(test_what_cannot_go_back_is_no_new_job),
        TEST(test_there_is_an_end_to_changes),
        TEST(test_what_stands_in_done_is_its_consumers),
        TEST(test_a_consumer_while_the_disk_fails),
        TEST(test_a_change_that_is_taken_at_once),
        TEST(test_without_events),
        TEST(test_a_change_before_the_move),
        TEST(test_names_in_each_others_way),
    };

    return cmocka_run_group_tests_name("spool_move", tests, NULL, NULL);
}
