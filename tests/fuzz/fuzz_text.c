/* SPDX-License-Identifier: MIT */
/*
 * Durations, sizes, booleans, numbers and foreign texts. A parsed value is written and parsed
 * again: a text that we write means what it was made from, as far as it shows, and is written the
 * same again.
 */
#include "tests/fuzz/fuzz.h"

#include <limits.h>

#include "base/duration.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "base/size.h"
#include "base/text.h"
#include "settings/key_tables.h"

static void check_duration(int64_t ns)
{
    char text[DURATION_TEXT_SIZE], again[DURATION_TEXT_SIZE];
    int64_t parsed;

    duration_format(ns, text, sizeof(text));
    fuzz_check(strlen(text) < sizeof(text) - 1, "%s is cut", text);
    if (ns < 0)
        return;
    fuzz_check(duration_parse(text, &parsed) == 0, "%lld ns is written %s, which is no duration",
               (long long)ns, text);
    /* Cut, never rounded up: by less than a thousandth of the smallest unit that is shown. */
    fuzz_check(parsed <= ns && ns - parsed < NSEC_PER_MSEC, "%lld ns is written %s", (long long)ns,
               text);
    duration_format(parsed, again, sizeof(again));
    fuzz_check(strcmp(text, again) == 0, "%s is written %s", text, again);
}

static void check_size(uint64_t bytes)
{
    char text[SIZE_TEXT_SIZE], again[SIZE_TEXT_SIZE];
    uint64_t parsed;

    size_format(bytes, text, sizeof(text));
    fuzz_check(strlen(text) < sizeof(text) - 1, "%s is cut", text);
    if (bytes > INT64_MAX)
        return;
    fuzz_check(size_parse(text, &parsed) == 0, "%llu bytes are written %s, which is no size",
               (unsigned long long)bytes, text);
    size_format(parsed, again, sizeof(again));
    fuzz_check(strcmp(text, again) == 0, "%s is written %s", text, again);
}

static void check_texts(const char *text)
{
    char *sanitised = strdup(text), *again;
    struct nearest nearest;
    long long number;
    char cut[16];
    bool truth;

    text_sanitise(sanitised);
    again = strdup(sanitised);
    text_sanitise(again);
    fuzz_check(strcmp(sanitised, again) == 0, "sanitised text is not clean");
    fuzz_check(strlen(sanitised) == strlen(text), "sanitising changed the length");
    /* The secrets of URLs are hidden once and for all, in however many ways the text is cleaned
     * again. */
    redact_urls(sanitised);
    fuzz_check(strlen(sanitised) <= strlen(text), "%s has grown to %s", text, sanitised);
    free(again);
    again = strdup(sanitised);
    redact_urls(again);
    fuzz_check(strcmp(sanitised, again) == 0, "%s was not hidden at once: %s", sanitised, again);
    /* A text that fills its buffer would be taken for cut. */
    again = realloc(again, strlen(again) + 5);
    text_clean(again, strlen(again) + 5);
    fuzz_check(strcmp(sanitised, again) == 0, "a clean text was changed: %s", again);
    /* A clean text that is cut by our own means stays clean. */
    string_copy(cut, sizeof(cut), sanitised);
    free(again);
    again = strdup(cut);
    text_sanitise(again);
    fuzz_check(strcmp(cut, again) == 0, "a copy was cut within a character");
    if (integer_parse(text, -10, LLONG_MAX, &number) == 0)
        fuzz_check(number >= -10, "%s is out of range", text);
    bool_parse(text, &truth);
    nearest_begin(&nearest, text);
    nearest_offer(&nearest, "restart-delay");
    nearest_words(&nearest);
    fuzz_check(name_distance(text, text) == 0 || strlen(text) > 63, "%s is not itself", text);
    free(sanitised);
    free(again);
}

/* A value that a key takes is written as one that it takes; and one that it refuses is told why. */
static void check_setting(const struct setting *setting, const char *text)
{
    char message[SETTING_MESSAGE_SIZE] = "", written[SETTING_MESSAGE_SIZE];
    union {
        int64_t number;
        char *string;
        struct strings strings;
        struct setting_rate rate;
        struct setting_optional optional;
    } member;
    int r;

    memset(&member, 0, sizeof(member));
    r = setting_parse(setting, setting->key, text, &member, message, sizeof(message));
    fuzz_check(r == 0 || message[0] != '\0', "%s = %s is refused without a word", setting->key,
               text);
    setting_format(setting, &member, written, sizeof(written));
    setting_release(setting, &member);
    if (r < 0 || setting_is_list(setting) || strlen(written) == sizeof(written) - 1)
        return;
    r = setting_parse(setting, setting->key, written, &member, message, sizeof(message));
    /* The written value is rounded: below a thousandth there may be nothing left. */
    fuzz_check(r == 0 || setting->kind == SETTING_DURATION || setting->kind == SETTING_RATE,
               "%s = %s is written %s: %s", setting->key, text, written, message);
    setting_release(setting, &member);
}

static void check_settings(const char *text)
{
    for (const struct key_table *table = key_tables; table->name; table++)
        for (const struct setting *s = table->keys; s->key; s++)
            if (s->kind != SETTING_OWN)
                check_setting(s, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    int64_t ns;
    uint64_t bytes;

    if (duration_parse(text, &ns) == 0) {
        fuzz_check(ns >= 0, "%s is negative", text);
        check_duration(ns);
    }
    if (size_parse(text, &bytes) == 0)
        check_size(bytes);
    check_texts(text);
    check_settings(text);
    free(text);
    /* And values that no text would lead to. */
    fuzz_take(&data, &size, &ns, sizeof(ns));
    check_duration(ns);
    check_size((uint64_t)ns);
    return 0;
}
