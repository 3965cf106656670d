/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "base/text.h"

static void test_text_grows(void **state)
{
    struct text text = {0};
    char *whole;
    (void)state;

    assert_string_equal(text_string(&text), "");
    for (int i = 0; i < 1000; i++)
        text_append_format(&text, "%d,", i % 10);
    assert_int_equal(text.length, 2000);
    whole = text_finish(&text);
    assert_int_equal(strlen(whole), 2000);
    free(whole);
    /* Finished, it is empty again; an empty text is "" and not NULL. */
    whole = text_finish(&text);
    assert_string_equal(whole, "");
    free(whole);
}

/* A text that just fits, and one that just does not, whole and terminated. */
static void test_formats_of_every_length(void **state)
{
    char piece[300], expected[600];
    (void)state;

    memset(piece, 'x', sizeof(piece));
    for (int before = 120; before < 135; before++)
        for (int length = 0; length < 300; length++) {
            struct text text = {0};

            text_append_bytes(&text, piece, (size_t)before);
            text_append_format(&text, "%.*s", length, piece);
            text_append_format(&text, "%s", "end");
            snprintf(expected, sizeof(expected), "%.*s%.*send", before, piece, length, piece);
            assert_string_equal(text_string(&text), expected);
            assert_int_equal(text.length, before + length + 3);
            text_free(&text);
        }
}

static void test_string_copy_cuts_at_characters(void **state)
{
    char buffer[5];
    (void)state;

    string_copy(buffer, sizeof(buffer), "abcdef");
    assert_string_equal(buffer, "abcd");
    string_copy(buffer, sizeof(buffer), "abc\xC3\xA4");
    assert_string_equal(buffer, "abc");
    string_copy(buffer, 0, "x");
    assert_string_equal(buffer, "abc");
}

static void test_sanitise(void **state)
{
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"plain", "plain"},
        {"a\tb", "a b"},
        {"a\nb\rc\x1b[31m", "a?b?c?[31m"},
        {"gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F"},
        {"\xE2\x82\xAC \xF0\x9F\x98\x80", "\xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"\xC0\xAF", "??"},           /* overlong */
        {"\xED\xA0\x80", "???"},      /* surrogate */
        {"\xF4\x90\x80\x80", "????"}, /* past U+10FFFF */
        {"\xC2\x85", "??"},           /* C1 control */
        {"cut\xE2\x82", "cut??"},     /* ends inside a character */
        {"\x7f", "?"},
        {"user\xE2\x80\xAE"
         "txet",
         "user???txet"},                                        /* right-to-left override */
        {"\xE2\x80\xAA\xE2\x80\xAC", "??????"},                 /* embedding, and its end */
        {"\xE2\x81\xA6\xE2\x81\xA9", "??????"},                 /* isolate, and its end */
        {"\xE2\x80\x8E\xE2\x80\x8F", "??????"},                 /* marks of direction */
        {"\xD8\x9C", "??"},                                     /* the one of Arabic */
        {"a\xE2\x80\xA8[web] b\xE2\x80\xA9", "a???[web] b???"}, /* U+2028, U+2029 */
        {"w\xE2\x80\x8B\x65\xE2\x81\xA0\xEF\xBB\xBF\xC2\xAD", "w???e????????"},
        {"\xF3\xA0\x80\x81\xF3\xA0\x81\xA1", "????????"}, /* tags */
        /* Persian with a non-joiner, Hindi and a family with joiners, Arabic, a heart and an
           ideograph of a variant */
        {"\xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xB4\xD9\x88\xD8\xAF",
         "\xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xB4\xD9\x88\xD8\xAF"},
        {"\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8D", "\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8D"},
        {"\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7",
         "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7"},
        {"\xD8\x80\xD9\xA1", "\xD8\x80\xD9\xA1"},
        {"\xE2\x9D\xA4\xEF\xB8\x8F \xE9\x82\x8A\xF3\xA0\x84\x80",
         "\xE2\x9D\xA4\xEF\xB8\x8F \xE9\x82\x8A\xF3\xA0\x84\x80"},
        {"\xE2\x80\xA7\xE2\x80\xAF \xC2\xA0", "\xE2\x80\xA7\xE2\x80\xAF \xC2\xA0"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char buffer[64];

        string_copy(buffer, sizeof(buffer), "");
        memcpy(buffer, cases[i].before, strlen(cases[i].before) + 1);
        text_sanitise(buffer);
        assert_string_equal(buffer, cases[i].after);
    }
}

static void test_numbers(void **state)
{
    long long number;
    uint64_t size;
    bool value;
    char text[SIZE_TEXT_SIZE];
    (void)state;

    assert_int_equal(integer_parse("42", 0, 100, &number), 0);
    assert_int_equal(number, 42);
    assert_int_equal(integer_parse("-1", 0, 100, &number), -ERANGE);
    assert_int_equal(integer_parse("99999999999999999999", 0, LLONG_MAX, &number), -ERANGE);
    assert_int_equal(integer_parse(" 1", 0, 100, &number), -EINVAL);
    assert_int_equal(integer_parse("1 ", 0, 100, &number), -EINVAL);
    assert_int_equal(integer_parse("", 0, 100, &number), -EINVAL);
    assert_int_equal(integer_parse("0x10", 0, 100, &number), -EINVAL);
    assert_int_equal(bool_parse("Yes", &value), 0);
    assert_true(value);
    assert_int_equal(bool_parse("off", &value), 0);
    assert_false(value);
    assert_int_equal(bool_parse("maybe", &value), -EINVAL);
    assert_int_equal(size_parse("64K", &size), 0);
    assert_int_equal(size, 65536);
    assert_int_equal(size_parse("1.5GiB", &size), 0);
    assert_int_equal(size, 1610612736);
    assert_int_equal(size_parse("1.5", &size), -EINVAL);
    assert_int_equal(size_parse("-1", &size), -EINVAL);
    assert_int_equal(size_parse("9999999T", &size), -ERANGE);
    assert_int_equal(size_parse("K", &size), -EINVAL);
    assert_string_equal(size_format(1610612736, text, sizeof(text)), "1.5G");
    assert_string_equal(size_format(1023, text, sizeof(text)), "1023");
    assert_string_equal(plural(0, "job was", "jobs were"), "jobs were");
    assert_string_equal(plural(1, "job was", "jobs were"), "job was");
    assert_string_equal(plural(UINT64_C(1) << 32, "job was", "jobs were"), "jobs were");
}

static void test_strings(void **state)
{
    struct strings strings = {0};
    (void)state;

    assert_int_equal(strings_add(&strings, "a"), 0);
    assert_int_equal(strings_add(&strings, "b"), 0);
    assert_int_equal(strings.count, 2);
    assert_null(strings.items[2]);
    strings_free(&strings);
    assert_int_equal(strings.count, 0);
    assert_int_equal(strings_take(&strings, NULL), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_formats_of_every_length),
        cmocka_unit_test(test_string_copy_cuts_at_characters),
        cmocka_unit_test(test_sanitise),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
