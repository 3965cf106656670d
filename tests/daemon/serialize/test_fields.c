/* SPDX-License-Identifier: MIT */
/* Structures as JSON: what is written is read, and what is not fit is refused with its name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/serialize/fields.h"

struct record {
    bool yes;
    int8_t tiny;
    uint16_t small;
    int32_t number;
    uint32_t count;
    int64_t time;
    uint64_t large;
    int64_t list[3];
    char text[8];
    char *string;
    char *missing;
};

#define FIELD(kind, member) SERIALIZE_MEMBER(kind, struct record, member, #member)

static const struct serialize_field fields[] = {
    FIELD(SERIALIZE_BOOL, yes),      FIELD(SERIALIZE_INT, tiny),       FIELD(SERIALIZE_UINT, small),
    FIELD(SERIALIZE_INT, number),    FIELD(SERIALIZE_UINT, count),     FIELD(SERIALIZE_INT, time),
    FIELD(SERIALIZE_UINT, large),    FIELD(SERIALIZE_INTS, list),      FIELD(SERIALIZE_TEXT, text),
    FIELD(SERIALIZE_STRING, string), FIELD(SERIALIZE_STRING, missing), SERIALIZE_END,
};

static void test_round_trip(void **state)
{
    struct record in = {.yes = true,
                        .tiny = INT8_MIN,
                        .small = UINT16_MAX,
                        .number = INT32_MIN,
                        .count = UINT32_MAX,
                        .time = INT64_MIN,
                        .large = UINT64_MAX,
                        .list = {INT64_MAX, 0, -1},
                        .text = "1234567",
                        .string = (char *)"a \"string\""};
    struct record out = {0};
    struct serialize_error error;
    json_t *json = serialize(fields, &in);

    (void)state;
    assert_non_null(json);
    assert_null(json_object_get(json, "missing"));
    assert_int_equal(deserialize(json, fields, &out, &error), 0);
    json_decref(json);
    assert_true(out.yes);
    assert_int_equal(out.tiny, in.tiny);
    assert_int_equal(out.small, in.small);
    assert_int_equal(out.number, in.number);
    assert_int_equal(out.count, in.count);
    assert_true(out.time == in.time && out.large == in.large);
    assert_memory_equal(out.list, in.list, sizeof(in.list));
    assert_string_equal(out.text, in.text);
    assert_string_equal(out.string, in.string);
    assert_null(out.missing);
    free(out.string);
}

/* Another version may know fewer fields, or more. */
static void test_other_fields(void **state)
{
    struct record record = {.number = 7, .count = 8};
    json_t *json = json_pack("{s:i, s:s}", "number", 9, "something new", "x");
    struct serialize_error error;

    (void)state;
    assert_int_equal(deserialize(json, fields, &record, &error), 0);
    assert_int_equal(record.number, 9);
    assert_int_equal(record.count, 8);
    json_decref(json);
}

static void test_bad_values(void **state)
{
    static const char *const bad[] = {
        "{\"yes\": 1}",        "{\"tiny\": 128}",          "{\"tiny\": -129}",
        "{\"small\": 65536}",  "{\"small\": -1}",          "{\"number\": 2147483648}",
        "{\"number\": \"1\"}", "{\"number\": 1.5}",        "{\"count\": -1}",
        "{\"time\": null}",    "{\"list\": [1,2,3,4]}",    "{\"list\": [\"x\"]}",
        "{\"list\": 1}",       "{\"text\": \"12345678\"}", "{\"text\": 5}",
        "{\"string\": {}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *json = json_loads(bad[i], 0, NULL);
        struct serialize_error error = {0};
        struct record record = {0};
        char name[32];

        assert_non_null(json);
        assert_int_equal(deserialize(json, fields, &record, &error), -EBADMSG);
        /* The error names the field. */
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(bad[i] + 2, "\"") + 1, bad[i] + 1);
        assert_non_null(strstr(error.text, name));
        json_decref(json);
        free(record.string);
    }
}

static void test_no_object(void **state)
{
    json_t *json = json_array();
    struct serialize_error error = {0};
    struct record record = {0};

    (void)state;
    assert_int_equal(deserialize(json, fields, &record, &error), -EBADMSG);
    assert_int_equal(deserialize(NULL, fields, &record, &error), -EBADMSG);
    assert_string_not_equal(error.text, "");
    json_decref(json);
}

static void test_bytes(void **state)
{
    static const char *const good[] = {"", "plain", "tab\tand\nline", "\xff\xfe latin", "\x01"};
    static const char *const bad[] = {"1", "{}", "[]", "[1]", "[\"0g\"]", "[\"00\"]", "null"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        json_t *json = serialize_bytes(good[i]);
        char *bytes = serialize_take_bytes(json);

        assert_string_equal(bytes, good[i]);
        free(bytes);
        json_decref(json);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *json = json_loads(bad[i], JSON_DECODE_ANY, NULL);

        errno = 0;
        assert_null(serialize_take_bytes(json));
        assert_int_equal(errno, EBADMSG);
        json_decref(json);
    }
    assert_null(serialize_take_bytes(NULL));
}

/* A value that cannot be JSON is named in the error. */
static void test_text_is_made_fit(void **state)
{
    struct record in = {.text = "a\xff\x01"}, out = {0};
    json_t *json = serialize(fields, &in);
    struct serialize_error error;

    (void)state;
    assert_int_equal(deserialize(json, fields, &out, &error), 0);
    assert_string_equal(out.text, "a??");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_other_fields),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_no_object),
        cmocka_unit_test(test_bytes),      cmocka_unit_test(test_text_is_made_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
