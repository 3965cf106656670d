/* SPDX-License-Identifier: MIT */
/* Lines of a section bound to a module's state, its tasks and its pools. */
#include "host/load/options.h"
#include "host/schedule/schedule.h"
#include "tests/support/test.h"

struct state {
    char *text;
    char *path;
    char *password;
    struct rv_list urls;
    bool flag;
    int64_t number;
    uint64_t bytes;
    rv_duration delay;
    int colour;
    int64_t least;
    uint64_t most;
    int own; /* not an option */
    struct rv_list folders;
    const char *label;
    int small;
    int beside; /* not an option */
    int64_t positive, negative, above;
    rv_duration pause;
    uint64_t room;
    enum { ONE, TWO } number_word;
    int64_t zero;
};

static const char *const colours[] = {"red", "green", NULL};
static const char *const words[] = {"one", "two", NULL};

static const struct rv_option options[] = {
    RV_OPTION_STRING(struct state, text, .required = true, .help = "what to say"),
    RV_OPTION_PATH(struct state, path, .fallback = "here"),
    RV_OPTION_SECRET(struct state, password),
    RV_OPTION_LIST(struct state, urls, .fallback = "http://one/"),
    RV_OPTION_BOOL(struct state, flag, .fallback = "yes"),
    RV_OPTION_INT64(struct state, number, .fallback = "-3", .minimum = -5, .maximum = 5),
    RV_OPTION_SIZE(struct state, bytes, .fallback = "64K", .minimum = 1000,
                   .maximum = INT64_C(2) << 30),
    RV_OPTION_DURATION(struct state, delay, .fallback = "1min 30s", .minimum = RV_MILLISECOND,
                       .maximum = RV_HOUR),
    RV_OPTION_INT64(struct state, least, .fallback = "2", .minimum = 2),
    RV_OPTION_SIZE(struct state, most, .maximum = 4096),
    RV_OPTION_ENUM(struct state, colour, .fallback = "green", .choices = colours),
    RV_OPTION_PATHS(struct state, folders, .fallback = "here"),
    RV_OPTION_STRING(struct state, label, .fallback = "const"),
    RV_OPTION_INT(struct state, small, .fallback = "7"),
    RV_OPTION_INT64(struct state, positive, .fallback = "3", .minimum = 0),
    RV_OPTION_INT64(struct state, negative, .fallback = "-3", .help = "not \".minimum = 0\"",
                    .maximum = INT64_C(0)),
    RV_OPTION_INT64(struct state, above, .fallback = "5", .minimum = 1),
    RV_OPTION_DURATION(struct state, pause, .fallback = "5s", .minimum = RV_SECOND),
    RV_OPTION_SIZE(struct state, room, .fallback = "1K", .maximum = 2048),
    RV_OPTION_ENUM(struct state, number_word, .fallback = "two", .choices = words),
    RV_OPTION_INT64(struct state, zero, .minimum = 0, .maximum = 0),
};

/* Longer than a record has room for. */
#define LONG_NAME "calls-the-exchange-and-writes-all-that-it-says-of-every-currency-into-a-file"

static const struct rv_task tasks[] = {{.name = "check", .every = "30s", .timeout = "10s"},
                                       {.name = LONG_NAME, .at = "daily"}};
static const struct rv_module_pool pools[] = {{.name = "convert", .workers = 4}};

/* The host's tables are its own copies, which nobody writes. */
static const struct loaded_module loaded = {
    .module = {.name = "test", .state_size = sizeof(struct state)},
    .options = (struct rv_option *)options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .tasks = (struct rv_task *)tasks,
    .task_count = 2,
    .pools = (struct rv_module_pool *)pools,
    .pool_count = 1,
};

/* "line:text" of every error, a line each. */
static char errors[4096];

static void note_error(const struct option_error *error, void *arg)
{
    size_t used = strlen(errors);

    (void)arg;
    snprintf(errors + used, sizeof(errors) - used, "%u:%s%s%s\n", error->line, error->text,
             error->nearest ? "; nearest " : "", error->nearest ? error->nearest : "");
}

/* Binds "key = value" lines, which are numbered from 1. A value of SECRET... is a credential's. */
static int bind_text(const char *text, struct bound_options *ret_bound)
{
    struct option_lines lines = {0};
    char copy[1024], *save = NULL;
    unsigned number = 0;
    int r;

    errors[0] = '\0';
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strstr(line, " = ");

        assert_non_null(value);
        *value = '\0';
        assert_int_equal(option_lines_add(&lines, line, value + 3, "test.ini", ++number,
                                          strncmp(value + 3, "SECRET", 6) == 0),
                         0);
    }
    r = options_bind(&loaded, &lines, note_error, NULL, ret_bound);
    option_lines_free(&lines);
    return r;
}

static void defaults(void **_unused_)
{
    struct bound_options bound;
    const struct state *state;

    (void)_unused_;
    assert_int_equal(bind_text("text = hello", &bound), 0);
    state = bound.state;
    assert_string_equal(state->text, "hello");
    assert_string_equal(state->path, "here");
    assert_null(state->password);
    assert_int_equal(state->urls.count, 1);
    assert_string_equal(state->urls.items[0], "http://one/");
    assert_null(state->urls.items[1]);
    assert_true(state->flag);
    assert_int_equal(state->number, -3);
    assert_int_equal(state->bytes, 65536);
    assert_int_equal(state->delay, 90 * RV_SECOND);
    assert_int_equal(state->colour, 1);
    assert_int_equal(bound.work.tasks[0].schedule.every, 30 * RV_SECOND);
    assert_int_equal(bound.work.tasks[0].timeout, 10 * RV_SECOND);
    assert_int_equal(bound.work.tasks[0].overlap, TASK_OVERLAP_SKIP);
    assert_int_equal(bound.work.pools[0].workers, 4);
    options_free(&bound);
}

static void every_value(void **_unused_)
{
    struct bound_options bound;
    const struct state *state;

    (void)_unused_;
    assert_int_equal(bind_text("text = a = b ; c\npath = /x y\npassword = s3cret\n"
                               "urls = http://a/\nflag = off\nurls = http://b/\nnumber = 5\n"
                               "bytes = 1.5G\ndelay = 250ms\ncolour = red\n"
                               "check.every = 5s\ncheck.timeout = 0\ncheck.grace = 1s\n"
                               "check.overlap = queue\ncheck.on-error = restart\n"
                               "check.on-stop = finish\nconvert.workers = 200\n"
                               "convert.queue = 7\nconvert.retries = 0\nconvert.timeout = 3s\n"
                               "convert.backoff = 20ms\n"
                               "convert.backoff-max = 20min",
                               &bound),
                     0);
    state = bound.state;
    assert_string_equal(state->text, "a = b ; c");
    assert_string_equal(state->path, "/x y");
    assert_string_equal(state->password, "s3cret");
    assert_int_equal(state->urls.count, 2);
    assert_string_equal(state->urls.items[1], "http://b/");
    assert_null(state->urls.items[2]);
    assert_false(state->flag);
    assert_int_equal(state->number, 5);
    assert_int_equal(state->bytes, 1610612736);
    assert_int_equal(state->delay, 250 * RV_MILLISECOND);
    assert_int_equal(state->colour, 0);
    assert_int_equal(bound.work.tasks[0].schedule.every, 5 * RV_SECOND);
    assert_int_equal(bound.work.tasks[0].timeout, 0);
    assert_int_equal(bound.work.tasks[0].grace, RV_SECOND);
    assert_int_equal(bound.work.tasks[0].overlap, TASK_OVERLAP_QUEUE);
    assert_int_equal(bound.work.tasks[0].on_error, TASK_ON_ERROR_RESTART);
    assert_int_equal(bound.work.tasks[0].on_stop, TASK_ON_STOP_FINISH);
    assert_int_equal(bound.work.pools[0].workers, 200);
    assert_int_equal(bound.work.pools[0].queue, 7);
    assert_int_equal(bound.work.pools[0].retries, 0);
    assert_int_equal(bound.work.pools[0].timeout, 3 * RV_SECOND);
    assert_int_equal(bound.work.pools[0].backoff, 20 * RV_MILLISECOND);
    assert_int_equal(bound.work.pools[0].backoff_max, 20 * RV_MINUTE);
    options_free(&bound);
}

static void schedules(void **_unused_)
{
    struct bound_options bound;
    const struct schedule_rule *rule;
    char text[256];

    (void)_unused_;
    /* A calendar takes the place of the module's own interval. */
    assert_int_equal(bind_text("text = a\ncheck.at = Mon..Fri 03:00 UTC\ncheck.at = Sat 05:00 UTC\n"
                               "check.jitter = 1min\ncheck.offset = 5s\ncheck.catch-up = yes\n"
                               "check.backoff = 1s\ncheck.backoff-max = 3s",
                               &bound),
                     0);
    rule = &bound.work.tasks[0].schedule;
    schedule_format(rule, text, sizeof(text));
    assert_string_equal(text, "at Mon..Fri *-*-* 03:00:00 UTC, Sat *-*-* 05:00:00 UTC");
    assert_int_equal(rule->jitter, RV_MINUTE);
    assert_int_equal(rule->offset, 5 * RV_SECOND);
    assert_int_equal(rule->catch_up, SCHEDULE_CATCH_UP_YES);
    assert_int_equal(rule->backoff, RV_SECOND);
    assert_int_equal(rule->backoff_max, 3 * RV_SECOND);
    options_free(&bound);
    assert_int_equal(bind_text("text = a\ncheck.every = never\ncheck.align = no", &bound), 0);
    assert_false(schedule_is_planned(&bound.work.tasks[0].schedule));
    options_free(&bound);
}

static void names_of_any_length(void **_unused_)
{
    struct bound_options bound;

    (void)_unused_;
    assert_int_equal(bind_text("text = a\n" LONG_NAME ".every = 5s", &bound), 0);
    assert_int_equal(bound.work.tasks[1].schedule.every, 5 * RV_SECOND);
    assert_int_equal(bound.work.tasks[1].schedule.at_count, 0);
    options_free(&bound);
    assert_int_equal(bind_text("text = a\npath = x\n" LONG_NAME ".align = yes", &bound), 1);
    assert_int_equal(strncmp(errors, "3:task calls-", 13), 0);
    options_free(&bound);
}

static void every_error(void **_unused_)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"path = x", "0:the key \"text\" is missing: what to say\n"},
        {"text = ", "1:text: expected a value: what to say\n"},
        {"text = a\ntext = b", "2:text is given twice, first in line 1\n"},
        {"text = a\npath = ", "2:path: expected a path\n"},
        {"text = a\nflag = maybe", "2:flag = maybe: expected yes or no\n"},
        {"text = a\nnumber = 6", "2:number = 6: expected a whole number from -5 to 5\n"},
        {"text = a\nnumber = 1.5", "2:number = 1.5: expected a whole number from -5 to 5\n"},
        {"text = a\nnumber = 99999999999999999999",
         "2:number = 99999999999999999999: expected a whole number from -5 to 5\n"},
        {"text = a\nbytes = -1", "2:bytes = -1: expected a size such as 512, 64K or 1.5G\n"},
        {"text = a\ndelay = 5",
         "2:delay = 5: expected a duration with its unit, such as 500ms, 30s or 5min\n"},
        {"text = a\ndelay = 1d", "2:delay = 1d: expected a duration from 1ms to 1h\n"},
        {"text = a\nbytes = 3G", "2:bytes = 3G: expected a size from 1000 to 2G\n"},
        {"text = a\nleast = 1", "2:least = 1: expected a whole number of at least 2\n"},
        {"text = a\nmost = 5K", "2:most = 5K: expected a size of at most 4K\n"},
        {"text = a\ncolour = blue", "2:colour = blue: expected red or green\n"},
        {"text = a\ncheck.timeout = 106000d",
         "2:check.timeout = 106000d: expected a duration of at most 3650d\n"},
        {"text = a\nconvert.grace = 106000d",
         "2:convert.grace = 106000d: expected a duration of at most 3650d\n"},
        {"text = a\nown = 1", "2:unknown key \"own\"\n"},
        {"text = a\nflog = yes", "2:unknown key \"flog\"; nearest flag\n"},
        {"text = a\ncheck.evry = 1s", "2:unknown key \"check.evry\"; nearest check.every\n"},
        {"text = a\nchck.every = 1s", "2:unknown key \"chck.every\"; nearest check.every\n"},
        {"text = a\ncheck.every = 1s\ncheck.every = 2s",
         "3:check.every is given twice, first in line 2\n"},
        {"text = a\ncheck.at = noon",
         "2:check.at = noon: expected a calendar expression such as Mon..Fri 03:00\n"},
        {"text = a\ncheck.at = *-02-30",
         "2:check.at = *-02-30: expected a date that comes, which this one never does\n"},
        {"text = a\ncheck.at = daily\ncheck.at = Mon *-04-31 12:00",
         "3:check.at = Mon *-04-31 12:00: expected a date that comes, which this one never does\n"},
        {"text = a\ncheck.every = 1s\ncheck.at = daily",
         "3:task check: every and at exclude each other: say when it runs in one way\n"},
        {"text = a\ncheck.at = daily\ncheck.align = yes",
         "3:task check: align needs every: it is the interval that is aligned\n"},
        {"text = a\ncheck.jitter = 30s",
         "2:task check: jitter must be shorter than every, which is 30s\n"},
        {"text = a\ncheck.backoff = 1h",
         "2:task check: backoff must not be longer than backoff-max, which is 10min\n"},
        {"text = a\nconvert.backoff = 10min\nconvert.backoff-max = 1min",
         "2:pool convert: backoff must not be longer than backoff-max, which is 1min\n"},
        {"text = a\nconvert.backoff-max = 1ms",
         "2:pool convert: backoff must not be longer than backoff-max, which is 1ms\n"},
        {"text = a\ncheck.every = 11y",
         "2:check.every = 11y: expected a duration with its unit, such as 500ms, 30s or 5min, or never\n"},
        {"text = a\ncheck.every = 0s",
         "2:check.every = 0s: expected a duration from 1ms to 3650d, or never\n"},
        {"text = a\ncheck.overlap = maybe", "2:check.overlap = maybe: expected skip or queue\n"},
        {"text = a\nconvert.workers = 0",
         "2:convert.workers = 0: expected a whole number from 1 to 200\n"},
        /* All of them, not just the first. */
        {"flag = x\nzzzzzzzzzz = 1\nnumber = y",
         "0:the key \"text\" is missing: what to say\n1:flag = x: expected yes or no\n"
         "3:number = y: expected a whole number from -5 to 5\n2:unknown key \"zzzzzzzzzz\"\n"},
    };
    struct bound_options bound;

    (void)_unused_;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int count = bind_text(cases[i].text, &bound), lines = 0;

        assert_string_equal(errors, cases[i].expected);
        for (const char *p = errors; *p != '\0'; p++)
            lines += *p == '\n';
        assert_int_equal(count, lines);
        assert_null(bound.state);
    }
}

/* Each bound may stand alone, and one of 0 is one if it is written. */
static void bounds_on_one_side(void **_unused_)
{
    static const struct {
        const char *line;
        const char *expected; /* NULL: it is taken */
    } cases[] = {
        {"positive = 0", NULL},
        {"positive = 9223372036854775807", NULL},
        {"positive = -1", "positive = -1: expected a whole number of at least 0"},
        {"negative = -9223372036854775808", NULL},
        {"negative = 0", NULL},
        {"negative = 1", "negative = 1: expected a whole number of at most 0"},
        {"zero = 0", NULL},
        {"zero = 1", "zero = 1: expected a whole number from 0 to 0"},
        {"zero = -1", "zero = -1: expected a whole number from 0 to 0"},
        {"above = 1", NULL},
        {"above = 1000000", NULL},
        {"above = 0", "above = 0: expected a whole number of at least 1"},
        {"pause = 500w", NULL},
        {"pause = 999ms", "pause = 999ms: expected a duration of at least 1s"},
        {"room = 0", NULL},
        {"room = 2K", NULL},
        {"room = 2049", "room = 2049: expected a size of at most 2K"},
        {"small = 2147483647", NULL},
        {"small = -2147483648", NULL},
        {"small = 2147483648",
         "small = 2147483648: expected a whole number from -2147483648 to 2147483647"},
        {"small = -2147483649",
         "small = -2147483649: expected a whole number from -2147483648 to 2147483647"},
    };

    (void)_unused_;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bound_options bound;
        char text[128], expected[160] = "";

        snprintf(text, sizeof(text), "text = a\n%s", cases[i].line);
        if (cases[i].expected)
            snprintf(expected, sizeof(expected), "2:%s\n", cases[i].expected);
        assert_int_equal(bind_text(text, &bound), cases[i].expected ? 1 : 0);
        assert_string_equal(errors, expected);
        if (!cases[i].expected)
            options_free(&bound);
    }
}

/* No more of the state is written than the member. */
static void members_have_sizes(void **_unused_)
{
    struct bound_options bound;
    const struct state *state;

    (void)_unused_;
    for (size_t i = 0; i < loaded.option_count; i++)
        assert_true(options[i].size > 0 && options[i].offset + options[i].size <= sizeof(*state));
    assert_int_equal(options[4].size, sizeof(bool));
    assert_int_equal(bind_text("text = a\nsmall = -1", &bound), 0);
    state = bound.state;
    assert_int_equal(state->small, -1);
    assert_int_equal(state->beside, 0);
    assert_int_equal(state->number_word, TWO);
    assert_string_equal(state->label, "const");
    options_free(&bound);
}

static void lists_of_paths(void **_unused_)
{
    struct bound_options bound;
    const struct state *state;

    (void)_unused_;
    assert_int_equal(bind_text("text = a", &bound), 0);
    state = bound.state;
    assert_int_equal(state->folders.count, 1);
    assert_string_equal(state->folders.items[0], "here");
    options_free(&bound);
    assert_int_equal(bind_text("text = a\nfolders = /a b\nfolders = c", &bound), 0);
    state = bound.state;
    assert_int_equal(state->folders.count, 2);
    assert_string_equal(state->folders.items[0], "/a b");
    assert_string_equal(state->folders.items[1], "c");
    assert_null(state->folders.items[2]);
    options_free(&bound);
    assert_int_equal(bind_text("text = a\nfolders = a\nfolders = ", &bound), 1);
    assert_string_equal(errors, "3:folders: expected a path\n");
}

/* They are told, and are no errors: an earlier version took them without a word. */
static void what_is_only_told(void **_unused_)
{
    struct bound_options bound;

    (void)_unused_;
    assert_int_equal(bind_text("text = a\nconvert.backoff = 10min", &bound), 0);
    assert_int_equal(bound.work.pools[0].backoff_max, 10 * RV_MINUTE);
    assert_string_equal(errors, "");
    options_free(&bound);
    /* Each has time, and not both. */
    assert_int_equal(
        bind_text("text = a\ncheck.at = 03:00 UTC\ncheck.at = 03:05 UTC\ncheck.jitter = 10min",
                  &bound),
        0);
    assert_string_equal(
        errors,
        "4:check.jitter = 10min: points of at that come before the one before has started are "
        "skipped, as some are only 5min apart\n");
    options_free(&bound);
    assert_int_equal(bind_text("text = a\ncheck.at = *:*:0/2\ncheck.jitter = 1s", &bound), 0);
    assert_string_equal(errors, "");
    options_free(&bound);
}

/* A secret's value is in no text, whichever error stands around it. */
static void secrets_stay_secret(void **_unused_)
{
    struct bound_options bound;

    (void)_unused_;
    assert_true(bind_text("text = a\npassword = s3cret\npassword = s3cret", &bound) > 0);
    assert_null(strstr(errors, "s3cret"));
    assert_true(bind_text("password = s3cret\nflag = x", &bound) > 0);
    assert_null(strstr(errors, "s3cret"));
}

/* A reload changes what options are bound to, and nothing else of the live state. */
static void options_are_copied_alone(void **_unused_)
{
    struct bound_options before, after;
    struct state *state;

    (void)_unused_;
    assert_int_equal(bind_text("text = old\nurls = http://a/", &before), 0);
    assert_int_equal(bind_text("text = new\nflag = no\nnumber = 1", &after), 0);
    state = before.state;
    state->own = 42;
    options_copy(&loaded, &after, state);
    assert_int_equal(state->own, 42);
    assert_string_equal(state->text, "new");
    assert_string_equal(state->urls.items[0], "http://one/");
    assert_false(state->flag);
    assert_int_equal(state->number, 1);
    options_free(&before);
    options_free(&after);
}

/* Only a secret's value is in no error: any other option refuses a credential, without naming it.
 */
static void test_credentials(void **state)
{
    struct bound_options bound;

    (void)state;
    assert_int_equal(bind_text("text = a\npassword = SECRET1", &bound), 0);
    assert_string_equal(((struct state *)bound.state)->password, "SECRET1");
    options_free(&bound);
    assert_int_equal(bind_text("text = SECRET1\nurls = x\nurls = SECRET2\nnumber = SECRET3\n"
                               "colour = SECRET4\ncheck.every = SECRET5\npath = SECRET6\n"
                               "convert.workers = SECRET7\npasword = SECRET8",
                               &bound),
                     8);
    assert_string_equal(errors, "1:text: only an option of the type secret can be a credential\n"
                                "7:path: only an option of the type secret can be a credential\n"
                                "3:urls: only an option of the type secret can be a credential\n"
                                "4:number: only an option of the type secret can be a credential\n"
                                "5:colour: only an option of the type secret can be a credential\n"
                                "6:check.every: only an option of the type secret can be a "
                                "credential\n"
                                "8:convert.workers: only an option of the type secret can be a "
                                "credential\n"
                                "9:unknown key \"pasword\"; nearest password\n");
    assert_true(bind_text("text = a\npassword = SECRET1\npassword = SECRET2", &bound) > 0);
    assert_null(strstr(errors, "SECRET"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_value),
        cmocka_unit_test(schedules),
        cmocka_unit_test(names_of_any_length),
        cmocka_unit_test(every_error),
        cmocka_unit_test(bounds_on_one_side),
        cmocka_unit_test(members_have_sizes),
        cmocka_unit_test(lists_of_paths),
        cmocka_unit_test(what_is_only_told),
        cmocka_unit_test(secrets_stay_secret),
        cmocka_unit_test(options_are_copied_alone),
        cmocka_unit_test(test_credentials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
