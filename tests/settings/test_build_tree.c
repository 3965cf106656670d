/* SPDX-License-Identifier: MIT */
/* The programs beside this one: found where they were built, and not where others may put some. */
#include "settings/build_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/support/cmocka.h"

static char top[] = "/tmp/reeve-tree-XXXXXX";

static char *in_tree(const char *name)
{
    char *path = format_new("%s/%s", top, name);

    assert_non_null(path);
    return path;
}

static void make(const char *directory, const char *program)
{
    cleanup_free char *path = in_tree(directory), *file = in_tree(program);
    int fd;

    assert_int_equal(mkdir(path, 0755), 0);
    fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    close(fd);
}

static int find(struct build_tree *tree)
{
    cleanup_free char *program = in_tree("daemon/reeved");

    return build_tree_find(program, tree);
}

static void set_mode(const char *name, mode_t mode)
{
    cleanup_free char *path = in_tree(name);

    assert_int_equal(chmod(path, mode), 0);
}

static void test_the_tree(void **state)
{
    cleanup_free char *host = in_tree("host/reeve-host"), *daemon = in_tree("daemon/reeved");
    struct build_tree tree;
    (void)state;

    assert_int_equal(find(&tree), 0);
    assert_string_equal(tree.host, host);
    assert_string_equal(tree.daemon, daemon);
}

static void test_no_tree(void **state)
{
    struct build_tree tree;
    (void)state;

    assert_int_equal(build_tree_find("/usr/bin/env", &tree), -ENOENT);
    assert_int_equal(build_tree_find("env", &tree), -ENOENT);
}

/* As in a directory of everybody's, such as /tmp. */
static void test_where_others_may_write(void **state)
{
    static const char *const names[] = {".", "host", "host/reeve-host", "daemon/reeved"};
    struct build_tree tree;
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        set_mode(names[i], 01777);
        assert_int_equal(find(&tree), -EPERM);
        set_mode(names[i], 0775);
        assert_int_equal(find(&tree), -EPERM);
        set_mode(names[i], 0755);
    }
    assert_int_equal(find(&tree), 0);
    /* A group that may replace this program, too. */
    set_mode("daemon", 0775);
    set_mode("host", 0775);
    assert_int_equal(find(&tree), 0);
    set_mode("daemon", 0755);
    set_mode("host", 0755);
}

static void test_of_another_user(void **state)
{
    cleanup_free char *host = in_tree("host");
    struct build_tree tree;
    (void)state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(host, 65534, 65534), 0);
    assert_int_equal(find(&tree), -EPERM);
    assert_int_equal(chown(host, 0, 0), 0);
}

static int setup(void **state)
{
    (void)state;
    umask(022);
    assert_non_null(mkdtemp(top));
    set_mode(".", 0755);
    make("host", "host/reeve-host");
    make("daemon", "daemon/reeved");
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"host/reeve-host", "host", "daemon/reeved", "daemon"};
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_free char *path = in_tree(names[i]);

        if (remove(path) < 0)
            return -1;
    }
    return rmdir(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_tree),
        cmocka_unit_test(test_no_tree),
        cmocka_unit_test(test_where_others_may_write),
        cmocka_unit_test(test_of_another_user),
    };

    return cmocka_run_group_tests_name("build_tree", tests, setup, teardown);
}
