/* SPDX-License-Identifier: MIT */
/* Keys of the configuration: their values and bounds, names and tables, and keys that nobody may
 * have. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "settings/address.h"
#include "settings/compare.h"
#include "settings/config.h"
#include "settings/keys.h"
#include "settings/section_reader.h"
#include "tests/settings/files.h"

static void test_limits(void **state)
{
    struct config_errors errors = {0};
    struct config *config = load("[module:a]\n"
                                 "load = one\n"
                                 "memory-max = 64M\n"
                                 "cpu-max = 150%\n"
                                 "nofile = 64\n"
                                 "nice = -3\n"
                                 "user = nobody\n"
                                 "read-only = /usr  /etc\n"
                                 "read-only = .\n"
                                 "read-write = /tmp\n"
                                 "network = no\n"
                                 "sandbox = strict\n"
                                 "[module:b]\n"
                                 "load = two\n",
                                 &errors);
    const struct config_limits *limits;
    struct config_limits copy;
    (void)state;

    if (errors.texts.count > 0)
        fail_msg("%s", errors.texts.items[0]);
    limits = &config_find(config, "a")->limits;
    assert_int_equal(limits->memory_max, 64 << 20);
    assert_int_equal(limits->cpu_max, 150);
    assert_int_equal(limits->nofile, 64);
    assert_true(limits->nice.given);
    assert_int_equal(limits->nice.value, -3);
    assert_string_equal(limits->user, "nobody");
    assert_int_equal(limits->read_only.count, 3);
    assert_string_equal(limits->read_only.items[1], "/etc");
    assert_string_equal(limits->read_only.items[2], "/var/x/.");
    assert_string_equal(limits->read_write.items[0], "/tmp");
    assert_false(limits->network);
    assert_int_equal(limits->sandbox, CONFIG_SANDBOX_STRICT);
    assert_int_equal(config_limits_copy(limits, &copy), 0);
    assert_null(config_limits_differ(limits, &copy));
    copy.nice.value = 4;
    assert_string_equal(config_limits_differ(limits, &copy), "nice");
    config_limits_free(&copy);
    limits = &config_find(config, "b")->limits;
    assert_int_equal(limits->memory_max, 0);
    assert_false(limits->nice.given);
    assert_true(limits->network);
    assert_int_equal(limits->sandbox, CONFIG_SANDBOX_WARN);
    config_free(config);
}

static void test_limits_refused(void **state)
{
    (void)state;
    REFUSE("[module:a]\nload = one\nmemory-max = 64\n", "reeve.ini:3: [module:a] memory-max = 64: "
                                                        "expected a size of at least 4M");
    REFUSE("[module:a]\nload = one\ncpu-max = 50\n", "expected a percentage of one processor");
    REFUSE("[module:a]\nload = one\ncpu-max = 0%\n", "expected a percentage of one processor");
    REFUSE("[module:a]\nload = one\ncpu-max = 5%%\n", "expected a percentage of one processor");
    REFUSE("[module:a]\nload = one\nnofile = 3\n", "expected a whole number of at least 16");
    REFUSE("[module:a]\nload = one\nnice = 20\n", "expected a whole number from -20 to 19");
    REFUSE("[module:a]\nload = one\nnetwork = some\n", "expected yes or no");
    REFUSE("[module:a]\nload = one\nsandbox = lax\n", "expected warn or strict");
    REFUSE("[module:a]\nload = one\nread-only = /usr\nread-only = /usr /nowhere\n",
           "reeve.ini:4: [module:a] read-only = /nowhere: No such file or directory");
    /* The state directory of this test is the one that holds the files. */
    places.state = config_folder;
    REFUSE("[module:a]\nload = one\nread-write = . nowhere\n",
           "reeve.ini:3: [module:a] read-write = nowhere: No such file or directory (in the state "
           "directory)");
    places.state = "/var/x";
    REFUSE("[module:a]\nload = one\nhost = h\nnice = 3\n[module:b]\nload = two\nhost = h\n",
           "reeve.ini:4: [module:b] and [module:a] share the host \"h\" and differ in \"nice\"");
}

/* People write a module's name as that of its file, and name a file of theirs without the way to
 * it. */
static void test_names_with_so(void **state)
{
    struct config_errors errors = {0};
    struct config *config = load("[module:a]\nload = one.so\n", &errors);
    char path[256];

    (void)state;
    snprintf(path, sizeof(path), "%s/one.so", config_folder);
    assert_non_null(config);
    assert_string_equal(config_find(config, "a")->path, path);
    config_free(config);
    REFUSE("[daemon]\nmodules = sub\n[module:a]\nload = one.so\n",
           "/sub/one.so; the file in the directory of reeve.ini is ./one.so");
    REFUSE("[daemon]\nmodules = sub\n[module:a]\nload = one\n",
           "/sub/one.so; the file in the directory of reeve.ini is ./one.so");
    REFUSE("[module:a]\nload = one.so.so\n", "/one.so.so");
    assert_null(load("[daemon]\nmodules = sub\n[module:a]\nload = three.so\n", &errors));
    assert_non_null(strstr(errors.texts.items[0], "/sub/three.so"));
    assert_null(strstr(errors.texts.items[0], "./three.so"));
    config_errors_free(&errors);
}

static void test_addresses(void **state)
{
    static const char *const good[] = {"127.0.0.1:0", "[::1]:8080", "0.0.0.0:65535"};
    static const char *const bad[] = {
        "",       ":80",   "127.0.0.1",    "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "::1:80", "[]:80", "localhost:80", "[::1]",      "1.2.3:80",        "127.0.0.1:80x",
    };
    struct address address;
    char text[ADDRESS_TEXT_SIZE];
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(address_parse(good[i], &address), 0);
        assert_string_equal(address_format(&address, text, sizeof(text)), good[i]);
    }
    assert_int_equal(address_parse("*:80", &address), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(address_parse(bad[i], &address), -EINVAL);
}

/* A wrong key or choice gets the nearest, and a key of another section is told of. */
static void test_wrong_keys(void **state)
{
    (void)state;
    REFUSE("[daemon]\ndrain-dely = 1s\n",
           "reeve.ini:2: [daemon] unknown key \"drain-dely\"; did you mean \"drain-delay\"?");
    REFUSE(
        "[daemon]\nlog-level = inof\n",
        "[daemon] log-level = inof: expected error, warning, notice, info or debug; did you mean "
        "\"info\"?");
    REFUSE("[daemon]\ngrace = 1s\n",
           "[daemon] unknown key \"grace\"; it is a key of [module:NAME]");
    REFUSE("[daemon]\nevery = 1s\n", "[daemon] unknown key \"every\"; it is a key of "
                                     "each task, as in TASK.every");
    REFUSE("[module:a]\nload = one\nsandbox = strct\n",
           "[module:a] sandbox = strct: expected warn or strict; did you mean \"strict\"?");
    REFUSE("[module:a]\nload = one\ngrace = 3651d\n",
           "[module:a] grace = 3651d: expected a duration of at most 3650d");
    REFUSE("[module:a]\nload = \n", "[module:a] load: expected a value: name of a module");
}

/* Every setting has a help text, a member of its kind's size, and the default that the table shows
 * is what is in force when nothing is given. */
static void test_tables(void **state)
{
    const struct setting *tables[] = {daemon_keys, module_keys};
    struct config_errors errors = {0};
    struct config *config = load("[daemon]\n[module:m]\nload = one\n", &errors);
    (void)state;

    assert_non_null(config);
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
        for (const struct setting *s = tables[t]; s->key; s++) {
            void *base = t == 0 ? (void *)config : config->modules[0];
            size_t size = setting_kind_size(s->kind);
            char text[128];

            assert_true(s - tables[t] < SECTION_SETTINGS_MAX);
            assert_non_null(s->help);
            assert_true(size == 0 || size == s->size);
            setting_format(s, setting_member(s, base), text, sizeof(text));
            if (s->fallback)
                assert_string_equal(text, s->fallback);
            else
                assert_non_null(s->example);
        }
    config_free(config);
}

static void test_reserved_keys(void **state)
{
    (void)state;
    assert_true(settings_reserve("drain"));
    assert_true(settings_reserve("sandbox"));
    assert_true(settings_reserve("reeve-anything"));
    assert_false(settings_reserve("command"));
    /* A key of [daemon] is no key of a module. */
    assert_false(settings_reserve("listen"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_limits_refused),
        cmocka_unit_test(test_names_with_so), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_wrong_keys),    cmocka_unit_test(test_tables),
        cmocka_unit_test(test_reserved_keys),
    };

    return cmocka_run_group_tests_name("config_keys", tests, make_folder, remove_folder);
}
