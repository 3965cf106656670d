/* SPDX-License-Identifier: MIT */
/* Options that name a credential: what they stand for, and everything that a credential can be
 * wrong by. */
#include <string.h>

#include "settings/compare.h"
#include "tests/settings/files.h"

#define MODULE_ONE "[module:one]\nload = one\n"

/* The option's credential when the file has these bytes. */
static void expect_secret(const char *bytes, const char *secret)
{
    struct config_errors errors = {0};
    struct config *config;

    write_file("db", bytes);
    config = load(MODULE_ONE "url = x\npassword = credential:db\n", &errors);
    assert_non_null(config);
    assert_string_equal(config->modules[0]->options[1].value, "credential:db");
    assert_string_equal(config->modules[0]->options[1].secret, secret);
    assert_false(config->modules[0]->options[1].unchecked);
    assert_null(config->modules[0]->options[0].secret);
    config_free(config);
}

static void test_credential(void **state)
{
    (void)state;
    places.credentials = config_folder;
    expect_secret("s3cret", "s3cret");
    expect_secret("s3cret\n", "s3cret");
    expect_secret("s3cret\n\n", "s3cret\n");
    expect_secret("two\nlines\r\n", "two\nlines\r");
    expect_secret(" \t", " \t");
    places.credentials = NULL;
}

static void test_credential_size(void **state)
{
    static char most[64 * 1024 + 2];

    (void)state;
    places.credentials = config_folder;
    memset(most, 'x', sizeof(most));
    most[64 * 1024] = '\0';
    expect_secret(most, most);
    most[64 * 1024] = '\n';
    write_bytes("long", most, 64 * 1024 + 1);
    most[64 * 1024] = 'x';
    write_bytes("longer", most, 64 * 1024 + 1);
    write_bytes("longest", most, sizeof(most));
    REFUSE(MODULE_ONE "a = credential:longer\nb = credential:longest\nc = credential:long\n",
           "reeve.ini:3: [module:one] a = credential:longer: it is larger than 64K",
           "reeve.ini:4: [module:one] b = credential:longest: it is larger than 64K");
    places.credentials = NULL;
}

static void test_credential_refused(void **state)
{
    (void)state;
    places.credentials = config_folder;
    write_file("empty", "");
    write_file("line", "\n");
    write_bytes("nul", "s3c\0ret", 7);
    REFUSE(MODULE_ONE "a = credential:missing\n"
                      "b = credential:empty\n"
                      "c = credential:line\n"
                      "d = credential:nul\n"
                      "e = credential:\n"
                      "f = credential:../reeve.ini\n"
                      "g = credential:..\n"
                      "h = credential:a b\n",
           "reeve.ini:3: [module:one] a = credential:missing: the service has no such credential",
           "reeve.ini:4: [module:one] b = credential:empty: it is empty",
           "reeve.ini:5: [module:one] c = credential:line: it is empty",
           "reeve.ini:6: [module:one] d = credential:nul: it has a NUL byte",
           "reeve.ini:7: [module:one] e = credential:: expected the name of a credential",
           "reeve.ini:8: [module:one] f = credential:../reeve.ini: expected the name",
           "reeve.ini:9: [module:one] g = credential:..: expected the name",
           "reeve.ini:10: [module:one] h = credential:a b: expected the name");
    places.credentials = "/nonexistent";
    REFUSE(MODULE_ONE "a = credential:db\n", "reeve.ini:3: [module:one] a = credential:db: ");
    places.credentials = NULL;
    REFUSE(MODULE_ONE "a = credential:db\n",
           "reeve.ini:3: [module:one] a = credential:db: credentials are systemd's to give, and "
           "there is no CREDENTIALS_DIRECTORY");
}

/* A check gets a placeholder, and knows that it is one. A bad name is bad everywhere. */
static void test_credential_unchecked(void **state)
{
    struct config_errors errors = {0};
    struct config *config;

    (void)state;
    places.credentials_optional = true;
    config = load(MODULE_ONE "a = credential:db\nb = c\n", &errors);
    assert_non_null(config);
    assert_true(config->modules[0]->options[0].unchecked);
    assert_non_null(config->modules[0]->options[0].secret);
    assert_false(config->modules[0]->options[1].unchecked);
    config_free(config);
    REFUSE(MODULE_ONE "a = credential:/db\n", "expected the name of a credential");
    places.credentials = config_folder;
    REFUSE(MODULE_ONE "a = credential:missing\n", "the service has no such credential");
    places.credentials = NULL;
    places.credentials_optional = false;
}

static void test_credential_changes(void **state)
{
    struct config_errors errors = {0};
    struct config *configs[3];

    (void)state;
    places.credentials = config_folder;
    for (int i = 0; i < 3; i++) {
        write_file("db", i < 2 ? "same\n" : "other\n");
        configs[i] = load(MODULE_ONE "a = credential:db\n", &errors);
        assert_non_null(configs[i]);
    }
    assert_int_equal(config_compare(configs[0]->modules[0], configs[1]->modules[0]), CONFIG_SAME);
    assert_int_equal(config_compare(configs[1]->modules[0], configs[2]->modules[0]), CONFIG_RELOAD);
    for (int i = 0; i < 3; i++)
        config_free(configs[i]);
    places.credentials = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credential),         cmocka_unit_test(test_credential_size),
        cmocka_unit_test(test_credential_refused), cmocka_unit_test(test_credential_unchecked),
        cmocka_unit_test(test_credential_changes),
    };

    return cmocka_run_group_tests_name("credentials", tests, make_folder, remove_folder);
}
