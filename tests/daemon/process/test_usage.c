/* SPDX-License-Identifier: MIT */
/* The files of /proc about processes and control groups. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/macro.h"
#include "daemon/process/cgroup.h"
#include "daemon/process/usage.h"

static void test_stat(void **state)
{
    struct usage usage = {.cpu = 7, .started = 8};
    static const char *const bad[] = {
        "",
        "1 (reeve-host",
        "1 (reeve-host) S",
        "1 (reeve-host) S 1 1 1 0 -1 4194560 300 0 0 0 x 50 7 3 20 0 3 0 1000 1 2",
        "1 (reeve-host) S 1 1 1 0 -1 4194560 300 0 0 0 100 50 7 3 20 0 3 0",
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(usage_parse_stat(bad[i], 100, &usage), -EINVAL);
    assert_int_equal(usage.cpu, 7);
    assert_int_equal(usage.started, 8);
    /* A name may look like what follows it. */
    assert_int_equal(
        usage_parse_stat("1 (a) S 9 9 (b) R) S 1 1 1 0 -1 4194560 300 0 0 0 100 50 7 3 20 "
                         "0 3 0 1000 1 2\n",
                         100, &usage),
        0);
    assert_int_equal(usage.cpu, 1600 * NSEC_PER_MSEC);
    assert_int_equal(usage.started, 10 * NSEC_PER_SEC);
}

static void test_status(void **state)
{
    struct usage usage = {0};
    (void)state;

    assert_int_equal(
        usage_parse_status("Name:\tThreads: 9\nVmRSS:\t    5120 kB\nRssAnon:\t 1024 kB\n"
                           "Threads:\t3\n",
                           &usage),
        0);
    assert_int_equal(usage.threads, 3);
    assert_int_equal(usage.resident, 5120 * 1024);
    assert_int_equal(usage.private_bytes, 1024 * 1024);
    /* A zombie. */
    assert_int_equal(usage_parse_status("Name:\ta\nThreads:\t1\n", &usage), -EINVAL);
    assert_int_equal(usage_parse_status("", &usage), -EINVAL);
    assert_int_equal(usage.threads, 3);
}

static void test_own(void **state)
{
    struct usage usage;
    (void)state;

    assert_int_equal(usage_read(getpid(), &usage), 0);
    assert_int_equal(usage.threads, 1);
    assert_true(usage.resident >= usage.private_bytes);
    assert_true(usage.private_bytes > 0);
    assert_true(usage.open_fds >= fd_count());
    assert_true(usage.started > 0);
    assert_true(usage.started <= clock_read(CLOCK_BOOTTIME));
    /* No process has that id. */
    assert_true(usage_read(1 << 30, &usage) < 0);
}

static const char mounts[] =
    "24 1 0:22 / /proc rw - proc proc rw\n"
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory\n";

static void expect_path(const char *mountinfo, const char *membership, const char *expected)
{
    char path[64] = "";
    int r = cgroup_find(mountinfo, membership, path, sizeof(path));

    if (!expected) {
        assert_int_equal(r, -ENOENT);
        return;
    }
    assert_int_equal(r, 0);
    assert_string_equal(path, expected);
}

static void test_cgroup_find(void **state)
{
    char text[1024], path[16];
    static const char unified[] =
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
    static const char part[] = "41 31 0:38 /part /mnt\\040x rw - cgroup2 none rw";
    (void)state;

    expect_path(mounts, "4:memory:/x\n0::/a/b\n", NULL);
    expect_path("", "0::/a\n", NULL);
    snprintf(text, sizeof(text), "%s%s", mounts, unified);
    expect_path(text, "4:memory:/x\n0::/a/b\n", "/sys/fs/cgroup/unified/a/b");
    expect_path(text, "4:memory:/x\n", NULL);
    expect_path(text, "", NULL);
    expect_path(text, "0::/", "/sys/fs/cgroup/unified/");
    assert_int_equal(cgroup_find(text, "0::/a\n", path, sizeof(path)), -ENAMETOOLONG);
    /* A mount of a part of the tree: only what lies in it is in reach. */
    snprintf(text, sizeof(text), "%s%s", mounts, part);
    expect_path(text, "0::/part/b\n", "/mnt x/b");
    expect_path(text, "0::/part\n", "/mnt x");
    expect_path(text, "0::/party\n", NULL);
    expect_path(text, "0::/a\n", NULL);
}

static void test_cgroup_events(void **state)
{
    static const char text[] = "low 0\nhigh 3\nmax 9\noom 2\noom_kill 5\noom_group_kill 1\n";
    (void)state;

    assert_int_equal(cgroup_read_count(text, "oom_kill"), 5);
    assert_int_equal(cgroup_read_count(text, "oom"), 2);
    assert_int_equal(cgroup_read_count(text, "low"), 0);
    assert_int_equal(cgroup_read_count(text, "kill"), 0);
    assert_int_equal(cgroup_read_count("oom_kill 7", "oom_kill"), 7);
    assert_int_equal(cgroup_read_count("", "oom_kill"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stat),          cmocka_unit_test(test_status),
        cmocka_unit_test(test_own),           cmocka_unit_test(test_cgroup_find),
        cmocka_unit_test(test_cgroup_events),
    };

    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
