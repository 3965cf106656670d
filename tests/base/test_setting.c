/* SPDX-License-Identifier: MIT */
/* A table of settings: the values that it reads and refuses, and its errors. */
#include "base/clock.h"
#include "base/nearest.h"
#include "base/setting.h"
#include "base/text.h"
#include "tests/support/test.h"

struct all {
    char *string, *empty, *secret, *path, *name;
    struct strings list, words;
    bool truth;
    unsigned number;
    int64_t least, most, any;
    struct setting_optional nice;
    uint64_t size, room;
    int64_t duration, pause, interval;
    int choice;
    unsigned percent;
    struct setting_rate rate;
    int64_t own;
};

static const char *parse_own(const char *text, void *target)
{
    *(int64_t *)target = 7;
    return strcmp(text, "seven") == 0 ? NULL : "seven";
}

static const struct setting_own own = {.type = "seven", .allowed = "seven", .parse = parse_own};
static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct setting table[] = {
    {SETTING_OF("string", SETTING_STRING, struct all, string), .help = "what to say"},
    {SETTING_OF("empty", SETTING_STRING, struct all, empty), .flags = SETTING_EMPTY},
    {SETTING_OF("secret", SETTING_SECRET, struct all, secret), .help = "what not to say"},
    {SETTING_OF("path", SETTING_PATH, struct all, path)},
    {SETTING_OF("name", SETTING_NAME, struct all, name), .fallback = "a-b"},
    {SETTING_OF("list", SETTING_LIST, struct all, list), .fallback = "one item"},
    {SETTING_OF("words", SETTING_WORDS, struct all, words)},
    {SETTING_OF("truth", SETTING_BOOL, struct all, truth), .fallback = "yes"},
    {SETTING_OF("number", SETTING_INTEGER, struct all, number), .minimum = 1, .maximum = 5,
     .fallback = "3"},
    {SETTING_OF("least", SETTING_INTEGER, struct all, least), .minimum = 16},
    {SETTING_OF("most", SETTING_INTEGER, struct all, most), .maximum = -2, .fallback = "-3"},
    {SETTING_OF("any", SETTING_INTEGER, struct all, any)},
    {SETTING_OF("nice", SETTING_INTEGER, struct all, nice), .flags = SETTING_OPTIONAL,
     .minimum = -20, .maximum = 19},
    {SETTING_OF("size", SETTING_SIZE, struct all, size), .minimum = 4 << 20, .fallback = "1.5G"},
    {SETTING_OF("room", SETTING_SIZE, struct all, room)},
    {SETTING_OF("duration", SETTING_DURATION, struct all, duration), .maximum = 3600 * NSEC_PER_SEC,
     .fallback = "1min 30s"},
    {SETTING_OF("pause", SETTING_DURATION, struct all, pause)},
    {SETTING_OF("interval", SETTING_DURATION, struct all, interval), .flags = SETTING_NEVER,
     .minimum = NSEC_PER_MSEC, .maximum = 3600 * NSEC_PER_SEC},
    {SETTING_OF("choice", SETTING_CHOICE, struct all, choice), .choices = colours,
     .fallback = "green"},
    {SETTING_OF("percent", SETTING_PERCENT, struct all, percent), .minimum = 1},
    {SETTING_OF("rate", SETTING_RATE, struct all, rate), .maximum = 3600 * NSEC_PER_SEC,
     .fallback = "10/10min"},
    {SETTING_OF("own", SETTING_OWN, struct all, own), .own = &own},
    {NULL},
};

static void release(struct all *all)
{
    for (const struct setting *s = table; s->key; s++)
        setting_release(s, setting_member(s, all));
}

/* The message, or "" when the value is good. */
static const char *read_line(struct all *all, const char *key, const char *value)
{
    static char message[SETTING_MESSAGE_SIZE];
    const struct setting *setting = setting_find(table, key);
    int r;

    assert_non_null(setting);
    message[0] = '\0';
    r = setting_parse(setting, key, value, setting_member(setting, all), message, sizeof(message));
    assert_int_equal(r, message[0] == '\0' ? 0 : -EINVAL);
    return message;
}

static void test_defaults(void **state)
{
    struct all all = {0};
    (void)state;

    assert_int_equal(settings_init(table, &all), 0);
    assert_string_equal(all.name, "a-b");
    assert_null(all.string);
    assert_int_equal(all.list.count, 0);
    assert_true(all.truth);
    assert_int_equal(all.number, 3);
    assert_int_equal(all.most, -3);
    assert_int_equal(all.size, 1610612736);
    assert_int_equal(all.duration, 90 * NSEC_PER_SEC);
    assert_int_equal(all.choice, 1);
    assert_int_equal(all.rate.count, 10);
    for (const struct setting *s = table; s->key; s++)
        assert_int_equal(setting_fill(s, setting_member(s, &all)), 0);
    assert_int_equal(all.list.count, 1);
    /* A value in force is written as the table has it. */
    for (const struct setting *s = table; s->key; s++) {
        char text[64];

        setting_format(s, setting_member(s, &all), text, sizeof(text));
        if (s->fallback)
            assert_string_equal(text, s->fallback);
    }
    release(&all);
}

static void test_values(void **state)
{
    static const struct {
        const char *key, *value, *written;
    } cases[] = {
        {"string", "a = b", NULL},    {"empty", "", NULL},         {"path", "/x y", NULL},
        {"list", "a b", NULL},        {"words", " x\t y ", "x y"}, {"truth", "off", "no"},
        {"number", "5", NULL},        {"least", "16", NULL},       {"most", "-2", NULL},
        {"any", "-4000000000", NULL}, {"nice", "0", NULL},         {"size", "4096K", "4M"},
        {"room", "1001", NULL},       {"duration", "0", "0s"},     {"interval", "never", NULL},
        {"interval", "1ms", NULL},    {"choice", "blue", NULL},    {"percent", "150%", NULL},
        {"rate", "5/60s", "5/1min"},
    };
    struct all all = {0};
    char text[64];
    (void)state;

    setting_format(setting_find(table, "nice"), &all.nice, text, sizeof(text));
    assert_string_equal(text, "");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct setting *setting = setting_find(table, cases[i].key);

        assert_string_equal(read_line(&all, cases[i].key, cases[i].value), "");
        setting_format(setting, setting_member(setting, &all), text, sizeof(text));
        assert_string_equal(text, cases[i].written ? cases[i].written : cases[i].value);
    }
    assert_string_equal(read_line(&all, "own", "seven"), "");
    release(&all);
}

static void test_messages(void **state)
{
    static const struct {
        const char *key, *value, *message;
    } cases[] = {
        {"string", "", "string: expected a value: what to say"},
        {"secret", "", "secret: expected a value: what not to say"},
        {"path", "", "path: expected a path"},
        {"name", "a/b",
         "name = a/b: expected a name of at most 40 letters, digits, '-', '_' and '.'"},
        {"truth", "maybe", "truth = maybe: expected yes or no"},
        {"number", "6", "number = 6: expected a whole number from 1 to 5"},
        {"number", "1.5", "number = 1.5: expected a whole number from 1 to 5"},
        {"number", "99999999999999999999",
         "number = 99999999999999999999: expected a whole number from 1 to 5"},
        {"least", "15", "least = 15: expected a whole number of at least 16"},
        {"most", "-1", "most = -1: expected a whole number of at most -2"},
        {"any", "x", "any = x: expected a whole number"},
        {"any", "99999999999999999999", "any = 99999999999999999999: expected a whole number"},
        {"nice", "20", "nice = 20: expected a whole number from -20 to 19"},
        {"size", "64", "size = 64: expected a size of at least 4M"},
        {"room", "-1", "room = -1: expected a size such as 512, 64K or 1.5G"},
        {"duration", "5",
         "duration = 5: expected a duration with its unit, such as 500ms, 30s or 5min"},
        {"duration", "1d", "duration = 1d: expected a duration of at most 1h"},
        {"pause", "999999999999999w",
         "pause = 999999999999999w: expected a duration with its unit, such as 500ms, 30s or 5min"},
        {"interval", "0s", "interval = 0s: expected a duration from 1ms to 1h, or never"},
        {"choice", "pink", "choice = pink: expected red, green or blue"},
        {"choice", "gren", "choice = gren: expected red, green or blue; did you mean \"green\"?"},
        {"percent", "50",
         "percent = 50: expected a percentage of one processor, such as 50% or 150%"},
        {"percent", "0%", "percent = 0%: expected a percentage of one processor of at least 1%"},
        {"percent", "9999999999%",
         "percent = 9999999999%: expected a percentage of one processor of at least 1%"},
        {"rate", "5",
         "rate = 5: expected COUNT/DURATION with a count from 1 to 1000, such as 5/60s"},
        {"rate", "5/1d",
         "rate = 5/1d: expected COUNT/DURATION with a count from 1 to 1000 and a duration of at "
         "most 1h"},
        {"own", "eight", "own = eight: expected seven"},
    };
    struct all all = {0};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(read_line(&all, cases[i].key, cases[i].value), cases[i].message);
    release(&all);
}

static void test_other_messages(void **state)
{
    char message[SETTING_MESSAGE_SIZE];
    struct nearest nearest;
    (void)state;

    setting_say_missing(&table[0], "string", message, sizeof(message));
    assert_string_equal(message, "the key \"string\" is missing: what to say");
    setting_say_twice("a.b", 0, message, sizeof(message));
    assert_string_equal(message, "a.b is given twice");
    setting_say_twice("a.b", 7, message, sizeof(message));
    assert_string_equal(message, "a.b is given twice, first in line 7");
    setting_say_unknown("a.b", "x", message, sizeof(message));
    assert_string_equal(message, "unknown key \"a.b\"");
    setting_say_unknown("c2VjcmV0", "=", message, sizeof(message));
    assert_null(strstr(message, "c2VjcmV0"));
    nearest_begin(&nearest, "chek.duratoin");
    setting_offer_keys(table, "check.", &nearest);
    assert_string_equal(nearest_words(&nearest), "; did you mean \"check.duration\"?");
}

static void test_equal(void **state)
{
    struct all a = {0}, b = {0};
    (void)state;

    for (const struct setting *s = table; s->key; s++)
        if (s->kind != SETTING_OWN)
            assert_true(setting_equal(s, setting_member(s, &a), setting_member(s, &b)));
    read_line(&a, "nice", "0");
    assert_false(setting_equal(setting_find(table, "nice"), &a.nice, &b.nice));
    read_line(&a, "words", "x");
    assert_false(setting_equal(setting_find(table, "words"), &a.words, &b.words));
    read_line(&a, "rate", "1/1s");
    read_line(&b, "rate", "1/2s");
    assert_false(setting_equal(setting_find(table, "rate"), &a.rate, &b.rate));
    read_line(&a, "number", "2");
    assert_false(setting_equal(setting_find(table, "number"), &a.number, &b.number));
    release(&a);
    release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_other_messages),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests_name("setting", tests, NULL, NULL);
}
