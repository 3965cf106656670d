/* SPDX-License-Identifier: MIT */
/* Files and tables of modules: what is refused, and with which words. */
#include "host/load/loader.h"
#include "tests/support/test.h"

#include <sys/stat.h>

static const char *object(const char *name)
{
    static char path[4096];

    snprintf(path, sizeof(path), "%s/%s", getenv("REEVE_TEST_OBJECTS"), name);
    return path;
}

static void refuse(const char *path, int code, const char *part)
{
    struct loaded_module loaded;

    rv_error_clear();
    assert_int_equal(loader_load(path, 0, &loaded), code);
    if (!strstr(rv_error_text(code), part))
        fail_msg("\"%s\" does not contain \"%s\"", rv_error_text(code), part);
    assert_null(loaded.tasks);
}

static void older_tables_are_filled_with_zero(void **state)
{
    struct loaded_module loaded;

    (void)state;
    assert_int_equal(loader_load(object("older.so"), 0, &loaded), 0);
    assert_string_equal(loaded.module.name, "older");
    assert_null(loaded.module.fini);
    assert_int_equal(loaded.task_count, 2);
    assert_string_equal(loaded.tasks[1].name, "second");
    assert_non_null(loaded.tasks[1].run);
    assert_null(loaded.tasks[0].every);
    assert_null(loaded.tasks[1].help);
    loader_free(&loaded);
}

static void newer_tables_are_refused(void **state)
{
    (void)state;
    refuse(object("newer.so"), -EINVAL, "table of tasks is newer than this reeve-host");
}

static void another_abi_is_refused(void **state)
{
    (void)state;
    refuse(
        object("former.so"), -EPROTO,
        "former.so is built for module ABI 1, and this reeve-host has module ABI 2: build it anew; ");
    refuse(object("former.so"), -EPROTO, "/module-abi-2.md says what to change before");
    refuse(object("mismatched.so"), -EINVAL, "its table does not match its note");
}

static void tables_that_lie_are_refused(void **state)
{
    (void)state;
    refuse(object("misplaced.so"), -EINVAL,
           "option 0 has no name, type, size or place in the state");
    refuse(object("unnamed.so"), -EINVAL, "task 1 has no name or function");
    refuse(
        object("reserved.so"), -EINVAL,
        "reserved.so: its option \"drain-stall\" has the name of reeve's own key \"drain-stall\" "
        "of a section [module:NAME] of reeve.ini (work that does not move");
    refuse(object("twice.so"), -EINVAL, "two of its tasks and pools are named \"work\"");
    refuse(object("choiceless.so"), -EINVAL, "its option \"colour\" has no choices");
}

static void files_that_are_no_objects(void **state)
{
    char folder[] = "/tmp/reeve-test-XXXXXX", path[64];
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(folder));
    refuse(folder, -EACCES, "is not a regular file");
    snprintf(path, sizeof(path), "%s/fifo.so", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse(path, -EACCES, "is not a regular file"); /* and opening it does not block */
    unlink(path);
    refuse(path, -ENOENT, path);
    snprintf(path, sizeof(path), "%s/cut.so", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    fwrite("\177ELF\2\1\1", 1, 7, file);
    fclose(file);
    refuse(path, -ENOEXEC, "is not a shared object");
    assert_int_equal(truncate(path, 0), 0);
    refuse(path, -ENOEXEC, "is not a shared object");
    assert_int_equal(chmod(path, 0620), 0);
    refuse(path, -EACCES, "can be written by others: chmod go-w");
    unlink(path);
    rmdir(folder);
}

/* A copy that is not complete. Section headers, at the end, are not needed. */
static void a_cut_object(void **state)
{
    char folder[] = "/tmp/reeve-test-XXXXXX", path[64];
    static char bytes[262144];
    struct loaded_module loaded;
    FILE *file = fopen(object("older.so"), "re");
    size_t size;

    (void)state;
    assert_non_null(file);
    size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/cut.so", folder);
    for (size_t length = 0; length < size / 2; length += length < 1024 ? 7 : 997) {
        file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, length, file), length);
        fclose(file);
        rv_error_clear();
        assert_int_equal(loader_load(path, 0, &loaded), -ENOEXEC);
        assert_true(strstr(rv_error_text(-ENOEXEC), "is cut short") ||
                    strstr(rv_error_text(-ENOEXEC), "is not a shared object"));
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_tables_are_filled_with_zero),
        cmocka_unit_test(newer_tables_are_refused),
        cmocka_unit_test(another_abi_is_refused),
        cmocka_unit_test(tables_that_lie_are_refused),
        cmocka_unit_test(files_that_are_no_objects),
        cmocka_unit_test(a_cut_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
