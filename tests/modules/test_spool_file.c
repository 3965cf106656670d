/* SPDX-License-Identifier: MIT */
/* The job for a file. Its command is a function of the test, which does to the file what it wants.
 */
#include "tests/modules/spool_folders.h"

static int (*command)(void); /* returns as rv_command_run() */
static unsigned runs;
static char seen[16][32]; /* what each run has found in the file */

int __wrap_rv_command_run(struct rv_context *ctx, char *const *argv,
                          const struct rv_command_options *options,
                          struct rv_command_result *ret_result);
int __wrap_rv_command_run(struct rv_context *ctx, char *const *argv,
                          const struct rv_command_options *options,
                          struct rv_command_result *ret_result)
{
    int fd = open(argv[4], O_RDONLY | O_CLOEXEC), r;

    (void)ctx;
    (void)options;
    memset(ret_result, 0, sizeof(*ret_result));
    assert_true(runs < 16);
    memset(seen[runs], 0, sizeof(seen[runs]));
    if (fd >= 0) {
        assert_true(read(fd, seen[runs], sizeof(seen[runs]) - 1) >= 0);
        close(fd);
    }
    runs++;
    r = command();
    if (r == -EAGAIN)
        return rv_fail(r, "cannot run %s", argv[0]);
    ret_result->output = strdup("output");
    ret_result->output_size = 6;
    return r == 0 ? 0 : rv_fail_text(r, "exit code 1");
}

static int setup(void **state)
{
    (void)state;
    runs = 0;
    return make_folders();
}

static int teardown(void **state)
{
    (void)state;
    return remove_folders();
}

static bool is_woken(void)
{
    uint64_t number;

    return read(spool.wake_fd, &number, sizeof(number)) == (ssize_t)sizeof(number);
}

/* One attempt of the watch's job. */
static int attempt(uint64_t id, unsigned number, unsigned of)
{
    struct rv_job job = {.id = id,
                         .attempt = number,
                         .attempts = of,
                         .data = "file",
                         .size = strlen("file"),
                         .own = 1};
    bool arrived = false;
    int r;

    if (number == 1)
        assert_int_equal(claim_queue(&spool, "file", &arrived), 0);
    r = spool_process(rv_context_background(), &job, &spool);
    if (r == 0 || number == of)
        spool_ended(&job, r, &spool);
    return r;
}

/* Submits jobs as the watch does when it is woken, until it is not. Returns what the last one did.
 */
static int work_off(void)
{
    static uint64_t id = 1000;
    int r;

    do
        r = attempt(++id, 1, 1);
    while (r == 0 && is_woken() && !file_is_gone(spool.directory_fd, "file"));
    return r;
}

static int exit_0(void)
{
    return 0;
}

static int exit_1(void)
{
    return -ECHILD;
}

static int cannot_start(void)
{
    return -EAGAIN;
}

/* Another file, or more of it, comes while the first command runs --------- */

static int is_replaced(void)
{
    if (runs == 1)
        replace(spool.directory_fd, "file", "second");
    return 0;
}

static int is_appended_to(void)
{
    if (runs == 1)
        append(spool.directory_fd, "file", " second");
    return 0;
}

/* The same size, and maybe the same number. */
static int is_made_anew(void)
{
    if (runs == 1) {
        unlinkat(spool.directory_fd, "file", 0);
        put(spool.directory_fd, "file", "again");
    }
    return 0;
}

static void test_what_came_meanwhile_is_processed(void **state)
{
    static const struct {
        int (*command)(void);
        const char *content;
    } cases[] = {
        {is_replaced, "second"}, {is_appended_to, "first second"}, {is_made_anew, "again"}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        runs = 0;
        command = cases[i].command;
        put(spool.directory_fd, "file", "first");
        assert_int_equal(attempt(10 + i, 1, 3), 0);
        /* The output is not kept beside the wrong file. */
        assert_int_equal(count(spool.done_fd), 0);
        assert_true(is_woken());
        assert_int_equal(attempt(20 + i, 1, 3), 0);
        assert_int_equal(runs, 2);
        assert_string_equal(seen[0], "first");
        assert_string_equal(seen[1], cases[i].content);
        assert_true(has(spool.done_fd, "file", cases[i].content));
        assert_true(has(spool.done_fd, "file.output", "output"));
        assert_int_equal(count(spool.done_fd), 2);
        assert_null(spool.claims);
        empty(spool.done_fd);
    }
}

static int writer = -1;

static int is_opened(void)
{
    if (runs == 1)
        writer = openat(spool.directory_fd, "file", O_WRONLY | O_APPEND | O_CLOEXEC);
    return 0;
}

static void test_a_writer_at_the_end(void **state)
{
    int error;

    (void)state;
    command = is_opened;
    put(spool.directory_fd, "file", "first");
    assert_int_equal(attempt(1, 1, 1), 0);
    assert_int_equal(count(spool.done_fd), 0);
    assert_true(is_woken());
    assert_int_equal(file_look(spool.directory_fd, "file", &error), FILE_GROWING);
    assert_int_equal(write(writer, " second", 7), 7);
    close(writer);
    assert_int_equal(file_look(spool.directory_fd, "file", &error), FILE_COMPLETE);
    assert_int_equal(attempt(2, 1, 1), 0);
    assert_string_equal(seen[1], "first second");
    assert_true(has(spool.done_fd, "file", "first second"));
}

static void open_again(void)
{
    writer = openat(spool.directory_fd, "file", O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(writer, "half", 4), 4);
}

static void finish_it(void)
{
    assert_int_equal(write(writer, " whole", 6), 6);
    close(writer);
}

static void test_a_writer_while_it_is_queued(void **state)
{
    bool arrived = false;

    (void)state;
    command = exit_0;
    put(spool.directory_fd, "file", "first");
    open_again();
    assert_int_equal(attempt(1, 1, 3), 0);
    assert_int_equal(runs, 0);
    /* As the watch does. */
    assert_true(is_woken());
    assert_int_equal(claim_queue(&spool, "file", &arrived), 0);
    claim_unqueue(&spool, "file");
    assert_null(spool.claims);
    finish_it();
    assert_int_equal(attempt(2, 1, 3), 0);
    assert_int_equal(runs, 1);
    assert_string_equal(seen[0], "half whole");
    assert_true(has(spool.done_fd, "file", "half whole"));
}

static void test_a_writer_between_attempts(void **state)
{
    (void)state;
    command = exit_1;
    put(spool.directory_fd, "file", "first");
    assert_int_equal(attempt(1, 1, 3), -ECHILD);
    writer = openat(spool.directory_fd, "file", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(attempt(1, 2, 3), 0);
    assert_int_equal(runs, 1);
    finish_it();
    assert_int_equal(attempt(2, 1, 1), -ECHILD);
    assert_string_equal(seen[1], "first whole");
    assert_true(has(spool.failed_fd, "file", "first whole"));
}

/* Without memory for its context, say: the watch finds the file again. */
static void test_a_job_that_never_begins(void **state)
{
    struct rv_job job = {.id = 1, .attempts = 3, .data = "file", .size = strlen("file")};
    bool arrived = false;

    (void)state;
    put(spool.directory_fd, "file", "first");
    assert_int_equal(claim_queue(&spool, "file", &arrived), 0);
    /* Somebody else's leaves the claim alone. */
    spool_ended(&job, -ENOMEM, &spool);
    assert_int_equal(claim_queue(&spool, "file", &arrived), -EALREADY);
    job.own = 1;
    spool_ended(&job, -ENOMEM, &spool);
    assert_int_equal(claim_queue(&spool, "file", &arrived), 0);
    claim_unqueue(&spool, "file");
}

/* The caller who has asked for a file by its name gets to know. */
static void test_a_written_file_that_is_asked_for(void **state)
{
    const struct rv_job job = {.id = 1, .attempt = 1, .attempts = 1, .data = "file", .size = 4};

    (void)state;
    command = exit_0;
    put(spool.directory_fd, "file", "first");
    open_again();
    assert_int_equal(spool_process(rv_context_background(), &job, &spool), -ETXTBSY);
    spool_ended(&job, -ETXTBSY, &spool);
    assert_int_equal(runs, 0);
    assert_null(spool.claims);
    finish_it();
    assert_int_equal(spool_process(rv_context_background(), &job, &spool), 0);
    assert_string_equal(seen[0], "half whole");
}

/* Attempts ---------------------------------------------------------------- */

static void test_attempts_are_for_one_file(void **state)
{
    (void)state;
    command = exit_1;
    put(spool.directory_fd, "file", "first");
    assert_int_equal(attempt(1, 1, 2), -ECHILD);
    replace(spool.directory_fd, "file", "second");
    /* That is for a new job, with all its attempts. */
    assert_int_equal(attempt(1, 2, 2), 0);
    assert_int_equal(runs, 1);
    assert_true(is_woken());
    assert_int_equal(attempt(2, 1, 2), -ECHILD);
    assert_int_equal(attempt(2, 2, 2), -ECHILD);
    assert_string_equal(rv_error_text(-ECHILD), "moved to failed/: file: exit code 1");
    assert_int_equal(runs, 3);
    assert_true(has(spool.failed_fd, "file", "second"));
    assert_int_equal(count(spool.failed_fd), 2);
}

static int fail_once_replaced(void)
{
    replace(spool.directory_fd, "file", "second");
    return -ECHILD;
}

static void test_a_failure_whose_file_is_replaced(void **state)
{
    (void)state;
    command = fail_once_replaced;
    put(spool.directory_fd, "file", "first");
    /* Also in the last attempt. */
    assert_int_equal(attempt(1, 1, 1), 0);
    assert_int_equal(count(spool.failed_fd), 0);
    command = exit_0;
    assert_int_equal(work_off(), 0);
    assert_true(has(spool.done_fd, "file", "second"));
}

static int fail_and_remove(void)
{
    unlinkat(spool.directory_fd, "file", 0);
    return -ECHILD;
}

static void test_a_failure_that_removes_its_file(void **state)
{
    (void)state;
    command = fail_and_remove;
    put(spool.directory_fd, "file", "first");
    assert_int_equal(attempt(1, 1, 2), -ECHILD);
    assert_int_equal(attempt(1, 2, 2), -ECHILD);
    assert_string_equal(rv_error_text(-ECHILD), "file: exit code 1");
    assert_int_equal(runs, 1);
    assert_null(spool.claims);
    put(spool.directory_fd, "file", "first");
    assert_int_equal(attempt(2, 1, 1), -ECHILD);
    assert_string_equal(rv_error_text(-ECHILD), "file: exit code 1");
    assert_int_equal(count(spool.failed_fd), 0);
    assert_null(spool.claims);
}

static void test_what_no_command_has_seen_stays(void **state)
{
    (void)state;
    command = cannot_start;
    put(spool.directory_fd, "file", "first");
    assert_int_equal(attempt(1, 1, 2), -EAGAIN);
    assert_int_equal(attempt(1, 2, 2), -EAGAIN);
    assert_non_null(strstr(rv_error_text(-EAGAIN), "file: cannot run /bin/sh: "));
    assert_non_null(strstr(rv_error_text(-EAGAIN), "; it stays where it is"));
    assert_true(has(spool.directory_fd, "file", "first"));
    assert_int_equal(count(spool.failed_fd), 0);
    /* For the next scan. */
    assert_null(spool.claims);
}

/* Commands that change their files ---------------------------------------- */

static int edit(void)
{
    append(spool.directory_fd, "file", ".");
    return 0;
}

static int edit_anew(void)
{
    replace(spool.directory_fd, "file", "edited");
    return 0;
}

static void test_edits_are_not_for_ever(void **state)
{
    static int (*const ways[])(void) = {edit, edit_anew};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        runs = 0;
        spool.edits = false;
        command = ways[i];
        put(spool.directory_fd, "file", "first");
        assert_int_equal(work_off(), 0);
        assert_int_equal(runs, SPOOL_RUNS_MAX);
        assert_true(has(spool.done_fd, "file", i == 0 ? "first....." : "edited"));
        /* Such a command has one run. */
        runs = 0;
        spool.edits = true;
        put(spool.directory_fd, "file", "first");
        assert_int_equal(work_off(), 0);
        assert_int_equal(runs, 1);
        assert_true(has(spool.done_fd, "file.1", i == 0 ? "first." : "edited"));
        assert_null(spool.claims);
        empty(spool.done_fd);
    }
}

/* A file that changes between the runs has been changed by somebody else. */
static void test_changes_between_runs_begin_the_count_anew(void **state)
{
    (void)state;
    command = edit;
    put(spool.directory_fd, "file", "first");
    for (uint64_t i = 0; i < 2 * SPOOL_RUNS_MAX; i++) {
        assert_int_equal(attempt(i + 1, 1, 1), 0);
        assert_int_equal(count(spool.done_fd), 0);
        append(spool.directory_fd, "file", "!");
    }
    assert_int_equal(runs, 2 * SPOOL_RUNS_MAX);
    command = exit_0;
    assert_int_equal(work_off(), 0);
    assert_int_equal(count(spool.done_fd), 2);
}

/* The directory ----------------------------------------------------------- */

static int move_folder(void)
{
    char other[80];

    snprintf(other, sizeof(other), "%s.other", folder);
    assert_int_equal(rename(folder, other), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    return -ECHILD;
}

static void move_folder_back(void)
{
    char other[80];

    snprintf(other, sizeof(other), "%s.other", folder);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(rename(other, folder), 0);
}

static void assert_left_alone(uint64_t id, int error, const char *text)
{
    assert_int_equal(attempt(id, 1, 1), error);
    assert_non_null(strstr(rv_error_text(error), text));
    assert_non_null(strstr(rv_error_text(error), "file stays where it is"));
    /* The watch looks, and ends. */
    assert_true(is_woken());
    assert_true(has(spool.directory_fd, "file", "first"));
    assert_int_equal(count(spool.done_fd) + count(spool.failed_fd), 0);
    assert_null(spool.claims);
}

static void test_a_folder_that_is_another_one(void **state)
{
    (void)state;
    put(spool.directory_fd, "file", "first");
    command = move_folder;
    /* The command may have seen another file than this. */
    assert_left_alone(1, -ESTALE, "leads to another directory now");
    assert_int_equal(runs, 1);
    assert_left_alone(2, -ESTALE, "leads to another directory now");
    assert_int_equal(runs, 1);
    move_folder_back();
    renameat(spool.directory_fd, "done", spool.directory_fd, ".done");
    assert_left_alone(3, -ENOENT, "/done is gone");
    mkdirat(spool.directory_fd, "done", 0700);
    assert_left_alone(4, -ESTALE, "/done leads to another directory now");
    unlinkat(spool.directory_fd, "done", AT_REMOVEDIR);
    renameat(spool.directory_fd, ".done", spool.directory_fd, "done");
    command = exit_0;
    assert_int_equal(attempt(5, 1, 1), 0);
    assert_int_equal(count(spool.done_fd), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_came_meanwhile_is_processed),
        TEST(test_a_writer_at_the_end),
        TEST(test_a_writer_while_it_is_queued),
        TEST(test_a_writer_between_attempts),
        TEST(test_a_job_that_never_begins),
        TEST(test_a_written_file_that_is_asked_for),
        TEST(test_attempts_are_for_one_file),
        TEST(test_a_failure_whose_file_is_replaced),
        TEST(test_a_failure_that_removes_its_file),
        TEST(test_what_no_command_has_seen_stays),
        TEST(test_edits_are_not_for_ever),
        TEST(test_changes_between_runs_begin_the_count_anew),
        TEST(test_a_folder_that_is_another_one),
    };

    return cmocka_run_group_tests_name("spool_file", tests, NULL, NULL);
}
