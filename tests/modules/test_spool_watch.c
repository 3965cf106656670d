/* SPDX-License-Identifier: MIT */
/* The task that takes files in, with a pool that the test stands for. */
#include "tests/modules/spool_folders.h"

#include <reeve/host.h>
#include <reeve/log.h>
#include <sys/inotify.h>
#include <sys/resource.h>

static struct rv_context *ctx; /* of the watch */
static struct rv_cancel *cancel;
static int (*pool)(const char *name);
static unsigned submitted;
static unsigned warnings;

int __wrap_rv_submit(struct rv_context *context, const char *name, const void *data, size_t size);
int __wrap_rv_submit(struct rv_context *context, const char *name, const void *data, size_t size)
{
    (void)context;
    (void)name;
    (void)size;
    submitted++;
    return pool(data);
}

static struct rlimit limit;

/* After a warning there are descriptors again. */
static void count_warnings(const struct rv_log_record *record, void *arg)
{
    (void)arg;
    if (record->level != RV_LOG_WARNING)
        return;
    warnings++;
    setrlimit(RLIMIT_NOFILE, &limit);
    claim_wake_watch(&spool);
}

static int setup(void **state)
{
    (void)state;
    submitted = 0;
    warnings = 0;
    rv_host_set_log_sink(count_warnings, NULL);
    if (make_folders() < 0)
        return -1;
    spool.inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    spool.mounts_fd = -1;
    return rv_context_with_cancel(rv_context_background(), &ctx, &cancel);
}

static int teardown(void **state)
{
    (void)state;
    rv_host_set_log_sink(NULL, NULL);
    rv_context_unref(ctx);
    close(spool.inotify_fd);
    return remove_folders();
}

/* The queue has room for the third try. */
static int have_room_later(const char *name)
{
    assert_string_equal(name, "file");
    if (submitted < 3)
        return -ETIMEDOUT;
    rv_context_cancel(cancel, -ECANCELED, NULL);
    return 0;
}

static void test_a_queue_that_stays_full(void **state)
{
    (void)state;
    put(spool.directory_fd, "file", "text");
    pool = have_room_later;
    assert_int_equal(spool_watch(ctx, &spool), -ECANCELED);
    assert_int_equal(submitted, 3);
}

static int lose_folder(const char *name)
{
    (void)name;
    renameat(spool.directory_fd, "done", spool.directory_fd, ".done");
    return -ETIMEDOUT;
}

/* Nobody else would notice. */
static void test_a_folder_that_goes_while_the_queue_is_full(void **state)
{
    (void)state;
    put(spool.directory_fd, "file", "text");
    pool = lose_folder;
    assert_int_equal(spool_watch(ctx, &spool), -ENOENT);
    assert_non_null(strstr(rv_error_text(-ENOENT), "/done is gone"));
    assert_int_equal(submitted, 1);
    renameat(spool.directory_fd, ".done", spool.directory_fd, "done");
}

static int end_watch(const char *name)
{
    (void)name;
    rv_context_cancel(cancel, -ECANCELED, NULL);
    return 0;
}

static void test_without_descriptors(void **state)
{
    struct rlimit none;
    int next = fcntl(spool.directory_fd, F_DUPFD_CLOEXEC, 0);

    (void)state;
    put(spool.directory_fd, "file", "text");
    pool = end_watch;
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){(rlim_t)next, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    /* That is no reason to restart. */
    assert_int_equal(spool_watch(ctx, &spool), -ECANCELED);
    assert_int_equal(warnings, 1);
    assert_int_equal(submitted, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_queue_that_stays_full),
        TEST(test_a_folder_that_goes_while_the_queue_is_full),
        TEST(test_without_descriptors),
    };

    return cmocka_run_group_tests_name("spool_watch", tests, NULL, NULL);
}
