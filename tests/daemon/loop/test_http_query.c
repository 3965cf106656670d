/* SPDX-License-Identifier: MIT */
/* The parameters of a query, and the queries that are refused. */
#include "tests/support/test.h"

#include "base/macro.h"
#include "base/text.h"
#include "daemon/loop/http_query.h"

struct row {
    const char *query;
    const char *outcome; /* "name=value;" for each parameter, or the text of the refusal */
};

static const struct row rows[] = {
    {NULL, ""},
    {"", ""},
    {"&&", ""},
    {"verbose", "verbose=;"},
    {"verbose=", "verbose=;"},
    {"module=web&task=a", "module=web;task=a;"},
    {"&module=web&", "module=web;"},
    {"a=b=c&d=/e?f", "a=b=c;d=/e?f;"},
    {"a=%41%62%2b%2B%25&b=x+y", "a=Ab++%;b=x y;"},
    {"%61=1&b%3D=%26", "a=1;b==&;"},
    {"a=%c3%a4%ff", "a=\xc3\xa4\xff;"},
    {"a=%00", "a parameter has a control character"},
    {"module=web%00x", "a parameter has a control character"},
    {"module%00x=web", "a parameter has a control character"},
    {"module=web%0a", "a parameter has a control character"},
    {"module=web%0D%0A%20x", "a parameter has a control character"},
    {"a=%1f", "a parameter has a control character"},
    {"a=%7f", "a parameter has a control character"},
    {"a=1&b%09", "a parameter has a control character"},
    {"a=%", "a parameter has a % without two hexadecimal digits"},
    {"a=%4", "a parameter has a % without two hexadecimal digits"},
    {"a=%4g", "a parameter has a % without two hexadecimal digits"},
    {"a=%G4", "a parameter has a % without two hexadecimal digits"},
    {"%=1", "a parameter has a % without two hexadecimal digits"},
    {"=", "a parameter has no name"},
    {"a=1&=2", "a parameter has no name"},
    {"a=1&a=1", "a parameter is given more than once"},
    {"a=1&b=2&A=3", "a parameter is given more than once"},
    {"a&%61", "a parameter is given more than once"},
    {"a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p", "a=;b=;c=;d=;e=;f=;g=;h=;i=;j=;k=;l=;m=;n=;o=;p=;"},
    {"a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", "there are more than 16 parameters"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cleanup_text struct text text = {0};
        struct http_query query;
        struct http_refusal refusal = http_query_parse(&query, rows[i].query);

        if (refusal.status) {
            assert_int_equal(refusal.status, 400);
            assert_int_equal(query.count, 0);
            text_append(&text, refusal.text);
        }
        for (size_t j = 0; j < query.count; j++)
            text_append_format(&text, "%s=%s;", query.parameters[j].name,
                               query.parameters[j].value);
        assert_string_equal(text_string(&text), rows[i].outcome);
        http_query_free(&query);
    }
}

static void test_find(void **state)
{
    struct http_query query = {0};

    (void)state;
    assert_null(http_query_find(&query, "module"));
    assert_int_equal(http_query_parse(&query, "Module=web&wait").status, 0);
    assert_string_equal(http_query_find(&query, "module"), "web");
    assert_string_equal(http_query_find(&query, "wait"), "");
    assert_null(http_query_find(&query, "web"));
    http_query_free(&query);
    assert_int_equal(http_query_parse(&query, "module=web&wait%00").status, 400);
    assert_null(http_query_find(&query, "module"));
    http_query_free(&query);
}

static void test_find_foreign(void **state)
{
    static const char *const known[] = {"module", "wait", NULL}, *const none[] = {NULL};
    struct http_query query = {0};

    (void)state;
    assert_null(http_query_find_foreign(&query, none));
    assert_int_equal(http_query_parse(&query, "WAIT&Module=web").status, 0);
    assert_null(http_query_find_foreign(&query, known));
    assert_string_equal(http_query_find_foreign(&query, none), "WAIT");
    http_query_free(&query);
    assert_int_equal(http_query_parse(&query, "wait&modul=web&wai").status, 0);
    assert_string_equal(http_query_find_foreign(&query, known), "modul");
    http_query_free(&query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_find_foreign),
    };

    return cmocka_run_group_tests_name("http_query", tests, NULL, NULL);
}
