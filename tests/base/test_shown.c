/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/shown.h"
#include "base/text.h"

/* A second pass, as on the way through several processes, changes nothing more. */
static void expect(const char *before, const char *after)
{
    char buffer[256];

    string_copy(buffer, sizeof(buffer), before);
    redact_urls(buffer);
    assert_string_equal(buffer, after);
    redact_urls(buffer);
    assert_string_equal(buffer, after);
}

static void test_passwords(void **state)
{
    (void)state;

    expect("http://monitor:s3cr3t@127.0.0.1:18101/401", "http://monitor:***@127.0.0.1:18101/401");
    expect("get \"https://u:p4ss@h/\": refused", "get \"https://u:***@h/\": refused");
    expect("postgres://u:p4ss@a:5432,b:5432/db and amqp://:p4ss@h",
           "postgres://u:***@a:5432,b:5432/db and amqp://:***@h");
    expect("HTTP://u:p4ss@h", "HTTP://u:***@h");
    /* The text does not grow. */
    expect("http://u:p@h http://u:pw@h http://u:@h", "http://*:*@h http://*:**@h http://*:@h");
    /* The last '@' of the authority ends it; a ':' in the password does not. */
    expect("http://u:p@ss:w@h:80/a@b:c", "http://u:***@h:80/a@b:c");
    expect("http://u:p'ss@h/", "http://u:***@h/");
    /* Not as it should be written, but as it is. */
    expect("http://u:pa/ss@h/ http://u:p?ss@h http://u:p#ss@h",
           "http://u:***@h/ http://u:***@h http://u:***@h");
    expect("http://u:12#34@h http://h:80#top", "http://u:***@h http://h:80#top");
    /* As JSON may have it. */
    expect("{\"u\":\"https:\\/\\/u:p4ss@h\\/a?t=1\", \"v\": \"http:\\/\\/h:80\\/a\"}",
           "{\"u\":\"https:\\/\\/u:***@h\\/a?...\", \"v\": \"http:\\/\\/h:80\\/a\"}");
    expect("http://u:p\\4ss@h/ http://C\\u:p4ss@h:80/ smb://C\\u:p4ss@h/a https://to\\ken@h/",
           "http://u:***@h/ http://C\\u:***@h:80/ smb://C\\u:***@h/a https://***@h/");
    expect("https:\\/\\/u:p\\4ss@h\\/a https:\\/\\/C\\\\u:p4ss@h\\/",
           "https:\\/\\/u:***@h\\/a https:\\/\\/C\\\\u:***@h\\/");
    /* Cut within it. */
    expect("fetch http://u:s3cr", "fetch http://u:***");
    expect("fetch http://u:s3/cr3t#1 of", "fetch http://u:*** of");
    expect("http://[::1]:s3cr3t", "http://[::1]:***");
}

/* A word of many URLs, each of which has all that is looked for up to its end, or nothing of it. */
static void test_many(void **state)
{
    static const char *const parts[] = {"a://", "://h:x/", "a://#", "a:\\/\\/.", "http://h/p "};
    enum { SIZE = 4 << 20 };
    char *text = malloc(SIZE);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t length = strlen(parts[i]), used = 0;

        for (; used + length < SIZE; used += length)
            memcpy(text + used, parts[i], length);
        text[used] = '\0';
        redact_urls(text);
        assert_true(strlen(text) <= used);
    }
    free(text);
}

static void test_tokens(void **state)
{
    (void)state;

    expect("clone https://ghp_0123@github.com/a/b", "clone https://***@github.com/a/b");
    expect("https://ghp_0123:x-oauth-basic@github.com/a https://api_key:X@h https://u:x-oauth@h",
           "https://***:***@github.com/a https://***:*@h https://u:***@h");
    expect("https://ghp_0123:@github.com/a/b https://ghp_0123:%40@h postgres://u:@h",
           "https://***:@github.com/a/b https://ghp_0123:***@h postgres://u:@h");
    expect("ssh://git@host/a postgres://u@h", "ssh://git@host/a postgres://u@h");
    expect("http://h/?token=abc", "http://h/?...");
    expect("(see http://h/a?token=abc): timed out", "(see http://h/a?...): timed out");
    expect("'http://h/a?token=abc', later", "'http://h/a?...', later");
    expect("{\"u\":\"http://h/?k=v\",\"n\":1}", "{\"u\":\"http://h/?...\",\"n\":1}");
    expect("http://h/#access_token=abc http://h/a#top", "http://h/#... http://h/a#top");
    expect("http://h?abc", "http://h?...");
    expect("http://h/?a http://h/? http://h/a?.", "http://h/?. http://h/? http://h/a?.");
    expect("http://h/?next=http://u:p4ss@h/", "http://h/?...");
    expect("http://proxy/http://u:p4ss@h/?k=v", "http://proxy/http://u:***@h/?...");
    expect("a://b://c:d4ta@e", "a://b://c:***@e");
}

static void test_what_is_no_secret(void **state)
{
    static const char *const plain[] = {
        "",
        "://",
        "a:b@c?d",
        "what? nothing: a@b",
        "http://h:80/a",
        "http://h:80",
        "http://h:80/a@b",
        "https://[::1]:443/",
        "https://[::1]",
        "file:///etc/passwd",
        "mongodb://a:27017,b:27017/db",
        "http://a:80\nb@c",
        "http://a?\n",
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        expect(plain[i], plain[i]);
}

static void expect_cut(const char *before, const char *after)
{
    char buffer[128];

    string_copy(buffer, sizeof(buffer), before);
    redact_cut(buffer);
    assert_string_equal(buffer, after);
}

/* Where a text is cut: before the '@' nothing tells a token from a host, or a password of digits
 * from a port. */
static void test_cuts(void **state)
{
    char text[32];
    (void)state;

    expect_cut("clone https://ghp_0123", "clone https://***");
    expect_cut("http://h/ clone https://u:123", "http://h/ clone https://***");
    expect_cut("clone https:\\/\\/ghp_0123", "clone https:\\/\\/***");
    expect_cut("clone https://g", "clone https://*");
    expect_cut("clone https://", "clone https://");
    expect_cut("https://h/a?k=v", "https://h/a?k=v");
    expect_cut("https://h failed", "https://h failed");
    expect_cut("https://h:80/a https://u:12#34", "https://h:80/a https://***");
    expect_cut("https://h#top", "https://h#top");
    expect_cut("a", "a");
    /* A text that fills its buffer is taken for cut; no other is. */
    text_copy_shown(text, sizeof(text), "clone it: https://ghp_0123456789@github.com/a");
    assert_string_equal(text, "clone it: https://***");
    text_copy_shown(text, sizeof(text), "clone it: https://ghp_0");
    assert_string_equal(text, "clone it: https://ghp_0");
    text_clean(text, sizeof(text));
    assert_string_equal(text, "clone it: https://ghp_0");
    string_copy(text, sizeof(text), "clone it: https://ghp_0123456789@");
    text_clean(text, sizeof(text));
    assert_string_equal(text, "clone it: https://***");
    /* One line has more bytes than several. */
    string_copy(text, sizeof(text), "a\nb\nc\nd\nhttps://tok3n@host.x/");
    text_clean(text, sizeof(text));
    assert_string_equal(text, "a; b; c; d; https://***@host.x/");
}

static void test_lines(void **state)
{
    char text[32];
    (void)state;

    string_copy(text, sizeof(text), "exit code 3\n\nFATAL\ndisk\n");
    assert_int_equal(text_first_line(text), strlen("exit code 3"));
    text_join_lines(text, sizeof(text));
    assert_string_equal(text, "exit code 3; FATAL; disk");
    assert_int_equal(text_first_line(text), strlen(text));
    string_copy(text, sizeof(text), "\n\n");
    text_join_lines(text, sizeof(text));
    assert_string_equal(text, "");
    string_copy(text, sizeof(text), "ab\ncd\nef");
    text_join_lines(text, 7);
    assert_string_equal(text, "ab; cd");
    string_copy(text, sizeof(text), "a\rb\nhttp://u:p4ss@h\x01");
    text_clean_lines(text, sizeof(text));
    assert_string_equal(text, "a?b\nhttp://u:***@h?");
    text_clean(text, sizeof(text));
    assert_string_equal(text, "a?b; http://u:***@h?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passwords), cmocka_unit_test(test_many),
        cmocka_unit_test(test_tokens),    cmocka_unit_test(test_what_is_no_secret),
        cmocka_unit_test(test_cuts),      cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests_name("shown", tests, NULL, NULL);
}
