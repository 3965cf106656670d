/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <reeve/module.h>

#include "modules/httpcheck/httpcheck_address.h"

static const char *const web[] = {"http", "https", NULL};

static void test_parts(void **state)
{
    static const struct {
        const char *url, *shown, *fetched, *origin, *user, *password;
    } cases[] = {
        {"http://h", "http://h/", "http://h/", "http://h:80", NULL, NULL},
        {"HTTPS://h:8443/a?b=c#d", "https://h:8443/a?...", "https://h:8443/a?b=c", "https://h:8443",
         NULL, NULL},
        {"http://LocalHost:80/", "http://LocalHost:80/", "http://LocalHost:80/",
         "http://localhost:80", NULL, NULL},
        {"https://[::1]/", "https://[::1]/", "https://[::1]/", "https://[::1]:443", NULL, NULL},
        {"http://u:pass@h/", "http://u:***@h/", "http://h/", "http://h:80", "u", "pass"},
        {"http://t0ken:X@h/", "http://***@h/", "http://h/", "http://h:80", "t0ken", "X"},
        {"http://t0ken:x-oauth-basic@h/", "http://***@h/", "http://h/", "http://h:80", "t0ken",
         "x-oauth-basic"},
        {"http://u:a%2Fb%40c@h/", "http://u:***@h/", "http://h/", "http://h:80", "u", "a/b@c"},
        {"http://t0ken:@h/", "http://***@h/", "http://h/", "http://h:80", "t0ken", ""},
        {"http://t0ken@h/?k", "http://***@h/?...", "http://h/?k", "http://h:80", "t0ken", NULL},
        {"http://u:pass@B\u00dccher.test:81/\u00fc", "http://u:***@B\u00dccher.test:81/\u00fc",
         "http://xn--bcher-kva.test:81/\u00fc", "http://xn--bcher-kva.test:81", "u", "pass"},
        {"http://b%C3%BCcher.test", "http://b\u00fccher.test/", "http://xn--bcher-kva.test/",
         "http://xn--bcher-kva.test:80", NULL, NULL},
    };
    struct address address;
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(address_parse("url", cases[i].url, web, &address), 0);
        assert_string_equal(address.shown, cases[i].shown);
        assert_string_equal(address.url, cases[i].fetched);
        assert_string_equal(address.origin, cases[i].origin);
        if (cases[i].user)
            assert_string_equal(address.user, cases[i].user);
        else
            assert_null(address.user);
        if (cases[i].password)
            assert_string_equal(address.password, cases[i].password);
        else
            assert_null(address.password);
        address_free(&address);
        assert_null(address.url);
    }
}

static void refuse(const char *url, const char *text)
{
    struct address address;

    assert_int_equal(address_parse("url", url, web, &address), -EINVAL);
    assert_non_null(strstr(rv_error_text(-EINVAL), text));
    assert_null(strstr(rv_error_text(-EINVAL), "s3cret"));
    assert_null(address.url);
}

static void test_what_is_none(void **state)
{
    (void)state;

    refuse("", "url = ...: it does not begin with http:// or https://");
    refuse("u:s3cret@h", "url = ");
    refuse("ftp://u:s3cret@h/?s3cret", "url = ftp://u:***@h/?...: expected http:// or https://");
    refuse("http://u:s3cret@h h/", "url = http://...: it is no URL: ");
    refuse("http://h:s3cret/", "url = http://...: it is no URL: ");
    refuse("http://u:s3cret@", "url = http://...: it is no URL: ");
    /* Latin-1, and a name that none can have. */
    refuse("http://u:s3cret@b\xfc"
           "cher/",
           ": the name cannot be written in ASCII; give it as xn--...");
    refuse("http://u:s3cret@\u00fc-.\u2024.test/",
           ": the name cannot be written in ASCII; give it as xn--...");
}

static void test_redirects(void **state)
{
    static const struct {
        const char *location, *url, *origin;
    } cases[] = {
        {"c", "http://h:81/a/c", "http://h:81"},
        {"/c?d", "http://h:81/c?d", "http://h:81"},
        {"//i/c", "http://i/c", "http://i:80"},
        {"https://h:81/", "https://h:81/", "https://h:81"},
        {"/c d/\u00e4?e f#g h", "http://h:81/c%20d/%c3%a4?e+f", "http://h:81"},
        {"https://b\u00fccher.test/c d", "https://xn--bcher-kva.test/c%20d",
         "https://xn--bcher-kva.test:443"},
    };
    struct address from, to;
    (void)state;

    assert_int_equal(address_parse("url", "http://u:p@h:81/a/b?x", web, &from), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(address_follow(&from, cases[i].location, &to), 0);
        assert_string_equal(to.url, cases[i].url);
        assert_string_equal(to.origin, cases[i].origin);
        assert_null(to.user);
        address_free(&to);
    }
    assert_int_equal(address_follow(&from, "file:///etc/passwd", &to), -EINVAL);
    assert_string_equal(rv_error_text(-EINVAL),
                        "redirected to file:///etc/passwd: expected http:// or https://");
    assert_int_equal(address_follow(&from, "http://[", &to), -EINVAL);
    assert_int_equal(address_follow(&from, "http://h i/", &to), -EINVAL);
    address_free(&from);
}

static void test_hide(void **state)
{
    char text[64] = "a s3cret and s3cret?s3c";
    (void)state;

    hide(text, NULL);
    hide(text, "a");
    assert_string_equal(text, "a s3cret and s3cret?s3c");
    hide(text, "s3cret");
    assert_string_equal(text, "a *** and ***?s3c");
    hide(text, "***");
    assert_string_equal(text, "a *** and ***?s3c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_hide),
    };

    return cmocka_run_group_tests_name("httpcheck_address", tests, NULL, NULL);
}
