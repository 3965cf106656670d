/* SPDX-License-Identifier: MIT */
/* Lines of the log as records: what they are about, and their forms for programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After what it needs. */
#include <cmocka.h>
#include <string.h>

#include "base/log_record.h"
#include "base/macro.h"
#include "base/text.h"

static struct log_record parse(const char *text)
{
    struct log_record record = {.level = LOG_LEVEL_INFO, .text = text};

    log_record_parse(&record);
    return record;
}

static void test_parse(void **state _unused_)
{
    static const struct {
        const char *text, *module, *task;
        uint64_t run;
    } lines[] = {
        {"started", "", "", 0},
        {"", "", "", 0},
        {"[web] ready", "web", "", 0},
        {"[web/check] text", "web", "check", 0},
        {"[web/check#12] failed: [other/x#3] y", "web", "check", 12},
        {"[web/check#] text", "web", "check", 0},
        {"[web", "", "", 0},
        {"[] text", "", "", 0},
        {"web] text", "", "", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct log_record record = parse(lines[i].text);

        assert_string_equal(record.module, lines[i].module);
        assert_string_equal(record.task, lines[i].task);
        assert_int_equal(record.run, lines[i].run);
    }
}

static void test_long_names_are_cut(void **state _unused_)
{
    char text[1024] = "[";
    struct log_record record;

    memset(text + 1, 'm', 400);
    strcpy(text + 401, "/t] x");
    record = parse(text);
    assert_int_equal(strlen(record.module), LOG_NAME_SIZE - 1);
    assert_string_equal(record.task, "t");
}

static void test_json(void **state _unused_)
{
    struct log_record record = parse("[a/b#3] say \"x\\y\"");
    char line[512];
    size_t length;

    record.event = LOG_EVENT_CRASH;
    length = log_record_write_json(&record, line, sizeof(line));
    assert_int_equal(length, strlen(line));
    assert_non_null(strstr(line, "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\","
                                 "\"module\":\"a\",\"task\":\"b\",\"run\":3,\"event\":\"crash\","));
    assert_non_null(strstr(line, "\"text\":\"[a/b#3] say \\\"x\\\\y\\\"\"}\n"));
    record = parse("plain");
    log_record_write_json(&record, line, sizeof(line));
    assert_non_null(strstr(line, "\"module\":null,\"task\":null,\"run\":null,\"event\":null,"
                                 "\"message_id\":null,\"text\":\"plain\"}\n"));
}

/* However little room there is, it is one whole object, cut between characters. */
static void test_json_is_cut(void **state _unused_)
{
    char text[301], line[1024];

    for (int i = 0; i < 100; i++)
        strcpy(text + 3 * (size_t)i, i % 2 ? "\xe2\x82\xac" : "\"\\\"");
    for (size_t size = 250; size < sizeof(line); size++) {
        struct log_record record = parse(text);
        size_t length = log_record_write_json(&record, line, size);
        char printable[sizeof(line)];

        assert_true(length < size);
        assert_int_equal(length, strlen(line));
        assert_string_equal(line + length - 3, "\"}\n");
        line[length - 1] = '\0';
        strcpy(printable, line);
        text_sanitise(printable);
        assert_string_equal(line, printable);
        /* An odd number of backslashes would take the quote along. */
        assert_true(line[length - 4] != '\\' || line[length - 5] == '\\');
    }
}

static void test_journal(void **state _unused_)
{
    struct log_record record = parse("[a/b#3] text");
    char datagram[512];
    size_t size = log_record_write_journal(&record, datagram, sizeof(datagram));

    assert_int_equal(size, strlen(datagram));
    assert_string_equal(datagram, "MESSAGE=[a/b#3] text\nPRIORITY=6\nSYSLOG_IDENTIFIER=reeved\n"
                                  "REEVE_MODULE=a\nREEVE_TASK=b\nREEVE_RUN=3\n");
    record = parse("text");
    record.event = LOG_EVENT_READY;
    log_record_write_journal(&record, datagram, sizeof(datagram));
    assert_non_null(strstr(datagram, "\nREEVE_EVENT=ready\n"));
    assert_null(strstr(datagram, "REEVE_MODULE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),   cmocka_unit_test(test_long_names_are_cut),
        cmocka_unit_test(test_json),    cmocka_unit_test(test_json_is_cut),
        cmocka_unit_test(test_journal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
