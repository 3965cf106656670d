/* SPDX-License-Identifier: MIT */
/* The last words of a process: the lines that it printed just before its end. */
#include "tests/support/test.h"

#include "daemon/process/last_words.h"

#define BEGIN (1000 * NSEC_PER_SEC)

static char told[400];

static const char *tell(const struct last_words *words, int64_t ended_at)
{
    last_words_format(words, ended_at, told, sizeof(told));
    return told;
}

static void test_nothing(void **state)
{
    struct last_words *words = NULL;

    (void)state;
    assert_string_equal(tell(words, BEGIN), "");
    last_words_note(&words, " \t", BEGIN);
    assert_string_equal(tell(words, BEGIN), "");
    free(words);
}

static void test_few_lines_and_many(void **state)
{
    static const struct {
        unsigned lines;
        const char *told;
    } rows[] = {
        {1, "line 0"},
        {2, "line 0; line 1"},
        {3, "line 0; line 1; line 2"},
        {4, "line 0; line 1; line 2; line 3"},
        {5, "line 0; line 1; ...; line 3; line 4"},
        {50, "line 0; line 1; ...; line 48; line 49"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct last_words *words = NULL;

        for (unsigned line = 0; line < rows[i].lines; line++) {
            char text[20];

            snprintf(text, sizeof(text), "line %u", line);
            last_words_note(&words, text, BEGIN);
        }
        assert_string_equal(tell(words, BEGIN + NSEC_PER_SEC), rows[i].told);
        free(words);
    }
}

static void test_a_pause_parts_them(void **state)
{
    struct last_words *words = NULL;

    (void)state;
    last_words_note(&words, "init", BEGIN);
    last_words_note(&words, "boom", BEGIN + NSEC_PER_SEC);
    last_words_note(&words, "now", BEGIN + NSEC_PER_SEC);
    assert_string_equal(tell(words, BEGIN + NSEC_PER_SEC), "boom; now");
    free(words);
}

static void test_old_lines_say_nothing(void **state)
{
    struct last_words *words = NULL;

    (void)state;
    last_words_note(&words, "init", BEGIN);
    assert_string_equal(tell(words, BEGIN + LAST_WORDS_MAX_AGE), "init");
    assert_string_equal(tell(words, BEGIN + LAST_WORDS_MAX_AGE + 1), "");
    assert_string_equal(tell(words, BEGIN + 3600 * NSEC_PER_SEC), "");
    last_words_note(&words, "boom", BEGIN + 3600 * NSEC_PER_SEC);
    assert_string_equal(tell(words, BEGIN + 3600 * NSEC_PER_SEC), "boom");
    free(words);
}

/* One that prints all the time has begun long ago. */
static void test_old_lines_before_young_ones(void **state)
{
    struct last_words *words = NULL;
    int64_t at = BEGIN;

    (void)state;
    for (unsigned line = 0; line < 1000; line++, at += 100 * NSEC_PER_MSEC) {
        char text[20];

        snprintf(text, sizeof(text), "line %u", line);
        last_words_note(&words, text, at);
    }
    assert_string_equal(tell(words, at), "line 998; line 999");
    assert_string_equal(tell(words, at + LAST_WORDS_MAX_AGE - 150 * NSEC_PER_MSEC), "line 999");
    assert_string_equal(tell(words, at + LAST_WORDS_MAX_AGE), "");
    free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_few_lines_and_many),
        cmocka_unit_test(test_a_pause_parts_them),
        cmocka_unit_test(test_old_lines_say_nothing),
        cmocka_unit_test(test_old_lines_before_young_ones),
    };

    return cmocka_run_group_tests_name("last_words", tests, NULL, NULL);
}
