/* SPDX-License-Identifier: MIT */
/*
 * The configuration from files in a temporary directory: every trap of inih, every kind of error
 * with its file and line, and all errors of a file at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "settings/compare.h"
#include "settings/config.h"
#include "tests/settings/files.h"

static void test_whole(void **state)
{
    struct config_errors errors = {0};
    struct config *config = load("; a comment\n"
                                 "# another\n"
                                 "\n"
                                 "   \n"
                                 "[daemon]\n"
                                 "listen = 127.0.0.1:0\n"
                                 "listen=[::1]:0\r\n"
                                 "shutdown-timeout = 1min 30s\n"
                                 "[module:web]\n"
                                 "load = one\n"
                                 "url = https://example.org/;x=1\n"
                                 "url = b\n"
                                 "check.every = 30s\n"
                                 "restart = always\n"
                                 "requires = db\n"
                                 "[module:db]\n"
                                 "load = two\n"
                                 "essential = no\n",
                                 &errors);
    struct config_module *web;
    (void)state;

    if (errors.texts.count > 0)
        fail_msg("%s", errors.texts.items[0]);
    assert_non_null(config);
    assert_int_equal(config->listen.count, 2);
    assert_string_equal(config->listen.items[1], "[::1]:0");
    assert_int_equal(config->shutdown_timeout, 90 * NSEC_PER_SEC);
    assert_string_equal(config->control, "/run/x/control");
    web = config_find(config, "web");
    assert_non_null(web);
    assert_int_equal(web->restart, CONFIG_RESTART_ALWAYS);
    assert_true(web->essential);
    assert_int_equal(web->option_count, 3);
    assert_string_equal(web->options[0].value, "https://example.org/;x=1");
    assert_int_equal(web->options[1].line, 12);
    assert_string_equal(web->host, "web");
    assert_int_equal(web->line, 9);
    assert_false(config_find(config, "db")->essential);
    config_free(config);
}

/* However many sections a file has, each is found, and one that appears twice is told with the line
 * of the first. */
static void test_many_sections(void **state)
{
    struct config_errors errors = {0};
    cleanup_text struct text text = {0};
    struct config *config;
    char name[16];
    (void)state;

    for (unsigned i = 0; i < 2000; i++)
        text_append_format(&text, "[module:m%u]\nload = one\n", i);
    config = load(text_string(&text), &errors);
    assert_int_equal(errors.texts.count, 0);
    assert_non_null(config);
    assert_int_equal(config->module_count, 2000);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "m%u", i);
        assert_int_equal(config_find(config, name)->index, i);
    }
    assert_null(config_find(config, "m2000"));
    config_free(config);
    text_append(&text, "[module:m1999]\n");
    REFUSE(text_string(&text), "section [module:m1999] appears twice, first in line 3999");
}

static void test_traps_of_inih(void **state)
{
    char text[12000], name[80];
    (void)state;

    REFUSE("[module:a]\nload = one\n  more = x\n",
           "reeve.ini:3: a line may not begin with a blank");
    REFUSE("[module:a]\nload = one\n  ; indented\n", "reeve.ini:3: a line may not begin");
    REFUSE("[module:a]\nload = one\ncommand = sh -c \"a ; b\"\n",
           "reeve.ini:3: a blank before ';'");
    REFUSE("[module:a]\nload = one\nevery = 5s\t; note\n", "reeve.ini:3: a blank before ';'");
    REFUSE("[module:a]\nload: one\n", "reeve.ini:2: expected KEY = VALUE",
           "the key \"load\" is missing");
    REFUSE("[module:a] x\nload = one\n", "reeve.ini:1: nothing may follow");
    REFUSE("[module:a\nload = one\n", "reeve.ini:1: a section needs a closing ']'");
    REFUSE("load = one\n", "reeve.ini:1: the key \"load\" stands before the first");
    REFUSE("[module:a]\nload = one\nnonsense\n", "reeve.ini:3: expected KEY = VALUE");
    REFUSE("[module:a]\nload = one\n= x\n", "reeve.ini:3: a key has 1 to 49");
    REFUSE("[]\n", "reeve.ini:1: a section's name has 1 to 49");
    REFUSE("[module:a]\nload = one\n[module:a]\n", "reeve.ini:3: section [module:a] appears twice");
    REFUSE("[module:a]\nload = one\nx = \x01\n", "reeve.ini:3: control character 0x01");
    REFUSE("", "reeve.ini: there is no section in it");
    REFUSE("# nothing\n\n", "reeve.ini: there is no section in it");
    /* An empty section is a module without its keys, not nothing. */
    REFUSE("[module:a]\n", "reeve.ini:1: [module:a] the key \"load\" is missing");
    /* Long lines, comments too, and long names. */
    memset(text, 'x', sizeof(text));
    memcpy(text, "[module:a]\nload = one\n;", 23);
    strcpy(text + 23 + 10000, "\nbad\n");
    REFUSE(text, "reeve.ini:3: the line has 1000", "reeve.ini:4: expected KEY = VALUE");
    memset(name, 'k', sizeof(name));
    name[50] = '\0';
    snprintf(text, sizeof(text), "[module:a]\nload = one\n%s = 1\n", name);
    REFUSE(text, "reeve.ini:3: a key has 1 to 49 characters, this one 50");
}

/* Refused, with the expected first, and without the secret in any error. */
static void refuse_without(const char *text, const char *expected, const char *secret)
{
    struct config_errors errors = {0};

    config_free(load(text, &errors));
    assert_int_not_equal(errors.texts.count, 0);
    for (size_t i = 0; i < errors.texts.count; i++)
        assert_null(strstr(errors.texts.items[i], secret));
    assert_non_null(strstr(errors.texts.items[0], expected));
    config_errors_free(&errors);
}

/* A secret may be cut in lines by an editor, or lack its key. */
static void test_lines_that_may_be_secrets(void **state)
{
    static const char *const lines[] = {"hunter two", "hunter:two",    "hunter2: x",
                                        "Hunter: x",  "hunter",        "[hunter",
                                        "hunter=",    "hunter2Xx/+==", "hunter=="};
    char text[200];
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        snprintf(text, sizeof(text), "[daemon]\n%s\n", lines[i]);
        refuse_without(text, "reeve.ini:2: ", "unter");
        refuse_without(text + strlen("[daemon]\n"), "reeve.ini:1: ", "unter");
    }
    refuse_without("[daemon]\nhunter==\n",
                   "reeve.ini:2: [daemon] unknown key, not shown as it may be the end of a secret",
                   "unter");
    refuse_without("hunter=\n",
                   "reeve.ini:1: a key, not shown as it may be the end of a secret, stands before "
                   "the first [SECTION]",
                   "unter");
    /* YAML, and a URL. */
    refuse_without("[daemon]\nfoo: hunter\n",
                   "reeve.ini:2: expected KEY = VALUE, [SECTION] or a comment: \"foo ...\"",
                   "unter");
    refuse_without("[daemon]\nhttps://hunter/\n", "comment: \"https ...\"", "unter");
}

static void test_all_errors_at_once(void **state)
{
    (void)state;
    REFUSE(
        "[daemon]\n"
        "lisen = 127.0.0.1:0\n"
        "shutdown-timeout = 30\n"
        "listen = localhost:80\n"
        "[nonsense]\n"
        "ignored = 1\n"
        "[module:web]\n"
        "load = nothere\n"
        "restart = sometimes\n"
        "essential = perhaps\n"
        "restart-limit = 5\n"
        "grace = 1s\n"
        "grace = 2s\n"
        "after = wep\n"
        "[module:we b]\n",
        "reeve.ini:2: [daemon] unknown key \"lisen\"; did you mean \"listen\"?",
        "reeve.ini:3: [daemon] shutdown-timeout = 30: expected a duration",
        "reeve.ini:5: unknown section [nonsense]", "reeve.ini:9: [module:web] restart = sometimes",
        "reeve.ini:10: [module:web] essential = perhaps: expected yes or no",
        "reeve.ini:11: [module:web] restart-limit = 5",
        "reeve.ini:13: [module:web] grace is given twice, first in line 12",
        "reeve.ini:15: [module:we b]: a module's name",
        "reeve.ini:8: [module:web] load = nothere: there is no such module; looked for /tmp/",
        "reeve.ini:14: [module:web] after = wep: there is no [module:wep]; did you mean \"web\"?",
        "[daemon] listen = localhost:80: expected ADDRESS:PORT");
}

static void test_order_and_hosts(void **state)
{
    (void)state;
    REFUSE("[module:a]\nload = one\nafter = b\n[module:b]\nload = two\nrequires = a\n",
           "[module:a] waits for itself: a -> b -> a");
    REFUSE("[module:a]\nload = one\nafter = a\n", "[module:a] waits for itself: a -> a");
}

/* Of what shows only when all has been read. */
static void test_lines_of_keys(void **state)
{
    (void)state;
    REFUSE("[daemon]\nlisten = 127.0.0.1:0\npage = no\nlisten = 8080\n",
           "reeve.ini:4: [daemon] listen = 8080");
    REFUSE("[daemon]\ninclude = none*.ini\ninclude = none.ini\n",
           "reeve.ini:3: [daemon] include = /");
    REFUSE("[module:a]\nessential = no\nload = mien\n",
           "reeve.ini:3: [module:a] load = mien: there is no such");
    REFUSE("[module:a]\nessential = no\nload = /none.so\n",
           "reeve.ini:3: [module:a] load = /none.so: No such file");
    REFUSE(
        "[module:b]\nload = two\n[module:a]\nload = one\nafter = b\nafter = b nobody\nrequires = b\n"
        "requires = none\n",
        "reeve.ini:6: [module:a] after = nobody", "reeve.ini:8: [module:a] requires = none");
    REFUSE(
        "[module:a]\nload = one\n[module:b]\nload = two\nrequires = a\n[module:c]\nafter = b\nload = one\n"
        "[module:d]\nload = two\nrequires = d\n",
        "reeve.ini:11: [module:d] waits for itself");
    REFUSE("[module:a]\nhost = h\nload = one\nnofile = 64\n[module:b]\nhost = h\nload = two\n",
           "reeve.ini:4: [module:b] and [module:a] share the host");
    /* A section that is refused for its name lends its lines to none. */
    write_file("a.ini", "\n\n[module:a]\nload = nothere\n");
    REFUSE("[daemon]\ninclude = a.ini\n[module:a]\nload = neither\n",
           "a.ini:3: [module:a] stands already at", "reeve.ini:4: [module:a] load = neither");
}

static void test_files(void **state)
{
    struct config_errors errors = {0};
    struct config *config;
    char path[256];
    (void)state;

    snprintf(path, sizeof(path), "%s/none.ini", config_folder);
    assert_null(config_load(path, &places, &errors));
    assert_non_null(strstr(errors.texts.items[0], "none.ini: cannot read the file: No such file"));
    config_errors_free(&errors);
    assert_null(config_load(config_folder, &places, &errors));
    assert_non_null(strstr(errors.texts.items[0], "cannot read the file: Is a directory"));
    config_errors_free(&errors);
    REFUSE("[daemon]\ninclude = nothere.ini\n", "include = ");
    /* A pattern that matches nothing is an empty directory; what it matches is read in order. */
    config = load("[daemon]\ninclude = conf.d/*.ini\n", &errors);
    assert_non_null(config);
    config_free(config);
    snprintf(path, sizeof(path), "%s/conf.d", config_folder);
    assert_int_equal(mkdir(path, 0755), 0);
    write_file("conf.d/b.ini", "[module:b]\nload = one\n");
    write_file("conf.d/a.ini", "[module:a]\nload = two\n");
    config = load("[daemon]\ninclude = conf.d/*.ini\n", &errors);
    assert_non_null(config);
    assert_string_equal(config->modules[0]->name, "a");
    config_free(config);
    write_file("conf.d/a.ini", "[daemon]\nlisten = 127.0.0.1:1\n[module:b]\nload = two\n");
    REFUSE("[daemon]\ninclude = conf.d/*.ini\n", "a.ini:1: [daemon] belongs into the main file",
           "b.ini:1: [module:b] stands already at ");
}

static enum config_change change(const char *before, const char *after)
{
    struct config_errors errors = {0};
    struct config *a = load(before, &errors), *b = load(after, &errors);
    enum config_change result;

    assert_non_null(a);
    assert_non_null(b);
    result = config_compare(a->modules[0], b->modules[0]);
    config_free(a);
    config_free(b);
    return result;
}

static void test_compare(void **state)
{
    static const char base[] = "[module:a]\nload = one\nx = 1\n";
    (void)state;

    assert_int_equal(change(base, base), CONFIG_SAME);
    assert_int_equal(change(base, "\n\n[module:a]\nx = 1\nload = one\n"), CONFIG_SAME);
    assert_int_equal(change(base, "[module:a]\nload = one\nx = 1\ngrace = 9s\n"), CONFIG_POLICY);
    assert_int_equal(change(base, "[module:a]\nload = one\nx = 2\n"), CONFIG_RELOAD);
    assert_int_equal(change(base, "[module:a]\nload = one\n"), CONFIG_RELOAD);
    assert_int_equal(change(base, "[module:a]\nload = two\nx = 1\n"), CONFIG_RESTART);
    assert_int_equal(change(base, "[module:a]\nload = one\nx = 1\nhost = h\n"), CONFIG_RESTART);
    assert_int_equal(change(base, "[module:a]\nload = one\nx = 1\nnice = 0\n"), CONFIG_RESTART);
    assert_int_equal(change(base, "[module:a]\nload = one\nx = 1\nread-write = /\n"),
                     CONFIG_RESTART);
    assert_int_equal(change(base, "[module:a]\nload = one\nx = 1\nsandbox = strict\n"),
                     CONFIG_RESTART);
}

/* The configuration in force can be made again, even if the files are gone. */
static void test_rebuild(void **state)
{
    struct config_errors errors = {0};
    struct config *config, *again;

    (void)state;
    write_file("gone.so", "");
    config = load("[daemon]\ndrain-delay = 3s\nallowed-host = x\nallowed-host = y\n"
                  "[module:m]\nload = ./gone.so\nown = 1\nown = 2\n"
                  "[module:empty]\nload = one\n",
                  &errors);
    assert_non_null(config);
    remove_file("gone.so");
    remove_file("reeve.ini");
    again = config_rebuild(&config->files, config->entries, config->entry_count, &places, &errors);
    assert_false(config_errors_any(&errors));
    assert_non_null(again);
    assert_int_equal(again->drain_delay, config->drain_delay);
    assert_int_equal(again->allowed_hosts.count, 2);
    assert_string_equal(again->control, config->control);
    assert_int_equal(again->module_count, config->module_count);
    for (size_t i = 0; i < config->module_count; i++) {
        struct config_module *before = config->modules[i], *after = again->modules[i];

        assert_null(after->path);
        after->path = strdup(before->path);
        after->file_id = before->file_id;
        assert_int_equal(config_compare(before, after), CONFIG_SAME);
        assert_string_equal(after->file, before->file);
        assert_int_equal(after->line, before->line);
    }
    config_free(again);
    /* A key that this version does not know is an error with its place. */
    free(config->entries[1].key);
    config->entries[1].key = strdup("from-the-future");
    again = config_rebuild(&config->files, config->entries, config->entry_count, &places, &errors);
    assert_null(again);
    assert_int_equal(errors.texts.count, 1);
    assert_non_null(strstr(errors.texts.items[0], "reeve.ini:2: [daemon] unknown key"));
    config_errors_free(&errors);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_that_may_be_secrets),
        cmocka_unit_test(test_rebuild),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_many_sections),
        cmocka_unit_test(test_traps_of_inih),
        cmocka_unit_test(test_all_errors_at_once),
        cmocka_unit_test(test_order_and_hosts),
        cmocka_unit_test(test_lines_of_keys),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_compare),
    };

    return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
