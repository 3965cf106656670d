/* SPDX-License-Identifier: MIT */
#include "base/setting.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/macro.h"
#include "base/nearest.h"
#include "base/setting_internal.h"
#include "base/shown.h"
#include "base/size.h"
#include "base/text.h"

/* The faults of a value: its form, a bound that it passes, or a number too large for its member. */
enum verdict { GOOD, BAD_FORM, BAD_BOUNDS, TOO_WIDE, NO_MEMORY };

static enum verdict set_string(char **target, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return NO_MEMORY;
    free(*target);
    *target = copy;
    return GOOD;
}

static enum verdict parse_string(const struct setting *setting, const char *value, void *member)
{
    return *value == '\0' && !(setting->flags & SETTING_EMPTY) ? BAD_FORM
                                                               : set_string(member, value);
}

/* It becomes part of the names of files and processes. */
static enum verdict parse_name(const char *value, void *member)
{
    size_t length = strlen(value);

    if (length == 0 || length > SETTING_NAME_MAX)
        return BAD_FORM;
    for (const char *p = value; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_' && *p != '.')
            return BAD_FORM;
    return set_string(member, value);
}

static enum verdict parse_item(const struct setting *setting, const char *value, void *member)
{
    if (*value == '\0' && !(setting->flags & SETTING_EMPTY))
        return BAD_FORM;
    return strings_add(member, value) < 0 ? NO_MEMORY : GOOD;
}

static enum verdict parse_words(const char *value, void *member)
{
    while (*value != '\0') {
        size_t length = strcspn(value, " \t");

        if (length > 0 && strings_take(member, strndup(value, length)) < 0)
            return NO_MEMORY;
        value += length;
        value += strspn(value, " \t");
    }
    return GOOD;
}

static bool is_within(const struct setting *setting, int64_t number)
{
    int64_t minimum, maximum;

    setting_bounds(setting, &minimum, &maximum);
    return number >= minimum && number <= maximum;
}

/* As many bytes as the member has, whether they have a sign or not. */
static void store_number(const struct setting *setting, void *member, int64_t number)
{
    const int8_t tiny = (int8_t)number;
    const int16_t small = (int16_t)number;
    const int32_t half = (int32_t)number;

    if (setting->flags & SETTING_OPTIONAL)
        *(struct setting_optional *)member = (struct setting_optional){true, half};
    else if (setting->size == sizeof(tiny))
        memcpy(member, &tiny, sizeof(tiny));
    else if (setting->size == sizeof(small))
        memcpy(member, &small, sizeof(small));
    else if (setting->size == sizeof(half))
        memcpy(member, &half, sizeof(half));
    else
        memcpy(member, &number, sizeof(number));
}

static bool is_narrow(const struct setting *setting)
{
    return setting->size != sizeof(int64_t) || (setting->flags & SETTING_OPTIONAL);
}

static enum verdict take_number(const struct setting *setting, int64_t number, void *member)
{
    if (is_narrow(setting) && (number > INT32_MAX || number < INT32_MIN))
        return TOO_WIDE;
    if (!is_within(setting, number))
        return BAD_BOUNDS;
    store_number(setting, member, number);
    return GOOD;
}

static enum verdict parse_integer(const struct setting *setting, const char *value, void *member)
{
    long long number;
    int r = integer_parse(value, INT64_MIN, INT64_MAX, &number);

    return r == -ERANGE ? TOO_WIDE : r < 0 ? BAD_FORM : take_number(setting, number, member);
}

static enum verdict parse_size(const struct setting *setting, const char *value, void *member)
{
    uint64_t bytes;
    int r = size_parse(value, &bytes);

    return r == -ERANGE ? BAD_BOUNDS
           : r < 0      ? BAD_FORM
                        : take_number(setting, (int64_t)bytes, member);
}

static enum verdict parse_duration(const struct setting *setting, const char *value, void *member)
{
    int64_t duration;
    int r;

    if ((setting->flags & SETTING_NEVER) && strcmp(value, "never") == 0) {
        *(int64_t *)member = 0;
        return GOOD;
    }
    r = duration_parse(value, &duration);
    return r == -ERANGE ? BAD_BOUNDS : r < 0 ? BAD_FORM : take_number(setting, duration, member);
}

static enum verdict parse_percent(const struct setting *setting, const char *value, void *member)
{
    const char *percent = strchr(value, '%');
    char digits[16];
    long long number;

    if (!percent || percent[1] != '\0' || (size_t)(percent - value) >= sizeof(digits))
        return BAD_FORM;
    memcpy(digits, value, (size_t)(percent - value));
    digits[percent - value] = '\0';
    if (integer_parse(digits, INT64_MIN, INT64_MAX, &number) < 0)
        return BAD_FORM;
    return take_number(setting, number, member);
}

static enum verdict parse_rate(const struct setting *setting, const char *value, void *member)
{
    struct setting_rate *rate = member, parsed;
    const char *slash = strchr(value, '/');
    char count[16];
    long long number;

    if (!slash || slash == value || (size_t)(slash - value) >= sizeof(count))
        return BAD_FORM;
    memcpy(count, value, (size_t)(slash - value));
    count[slash - value] = '\0';
    if (integer_parse(count, 1, SETTING_RATE_MAX, &number) < 0 ||
        duration_parse(slash + 1, &parsed.window) < 0 || parsed.window <= 0)
        return BAD_FORM;
    if (!is_within(setting, parsed.window))
        return BAD_BOUNDS;
    parsed.count = (unsigned)number;
    *rate = parsed;
    return GOOD;
}

static enum verdict parse_choice(const struct setting *setting, const char *value, void *member)
{
    for (int32_t i = 0; setting->choices && setting->choices[i]; i++)
        if (strcmp(value, setting->choices[i]) == 0) {
            store_number(setting, member, i + setting->minimum);
            return GOOD;
        }
    return BAD_FORM;
}

static enum verdict parse(const struct setting *setting, const char *value, void *member)
{
    switch (setting->kind) {
    case SETTING_STRING:
    case SETTING_SECRET:
    case SETTING_PATH:
        return parse_string(setting, value, member);
    case SETTING_NAME:
        return parse_name(value, member);
    case SETTING_LIST:
    case SETTING_PATHS:
        return parse_item(setting, value, member);
    case SETTING_WORDS:
        return parse_words(value, member);
    case SETTING_BOOL:
        return bool_parse(value, member) < 0 ? BAD_FORM : GOOD;
    case SETTING_INTEGER:
        return parse_integer(setting, value, member);
    case SETTING_SIZE:
        return parse_size(setting, value, member);
    case SETTING_DURATION:
        return parse_duration(setting, value, member);
    case SETTING_CHOICE:
        return parse_choice(setting, value, member);
    case SETTING_PERCENT:
        return parse_percent(setting, value, member);
    case SETTING_RATE:
        return parse_rate(setting, value, member);
    case SETTING_OWN:
        break;
    }
    return BAD_FORM;
}

/* "KEY = VALUE: expected WHAT", with a choice that may be meant. */
static void say_expected(const struct setting *setting, const char *name, const char *value,
                         const char *expected, char *message, size_t size)
{
    struct nearest nearest;
    char shown[256];

    if (*value == '\0' && setting->help) {
        snprintf(message, size, "%s: expected %s: %s", name, expected, setting->help);
        return;
    }
    nearest_begin(&nearest, value);
    for (size_t i = 0; setting->kind == SETTING_CHOICE && setting->choices && setting->choices[i];
         i++)
        nearest_offer(&nearest, setting->choices[i]);
    text_copy_shown(shown, sizeof(shown), value);
    if (*value == '\0' || setting->kind == SETTING_SECRET)
        snprintf(message, size, "%s: expected %s", name, expected);
    else
        snprintf(message, size, "%s = %s: expected %s%s", name, shown, expected,
                 nearest_words(&nearest));
}

/* The value that was expected instead, by the verdict. */
static const char *write_expected(const struct setting *setting, enum verdict verdict, char *text,
                                  size_t size)
{
    struct setting narrow = *setting;

    if (verdict == GOOD)
        return NULL;
    if (verdict == TOO_WIDE && is_narrow(setting) && setting->kind == SETTING_INTEGER) {
        setting_bounds(setting, &narrow.minimum, &narrow.maximum);
        narrow.minimum = MAX(narrow.minimum, (int64_t)INT32_MIN);
        narrow.maximum = MIN(narrow.maximum, (int64_t)INT32_MAX);
    }
    return verdict != BAD_FORM && setting_bounds(&narrow, &(int64_t){0}, &(int64_t){0})
               ? setting_allowed(&narrow, text, size)
               : setting_write_form(setting, text, size);
}

int setting_parse(const struct setting *setting, const char *name, const char *value, void *member,
                  char *message, size_t size)
{
    const char *expected;
    enum verdict verdict;
    char text[256];

    if (setting->kind == SETTING_OWN) {
        expected = setting->own->parse(value, member);
        if (expected == setting_no_memory)
            return -ENOMEM;
    } else {
        verdict = parse(setting, value, member);
        if (verdict == NO_MEMORY)
            return -ENOMEM;
        expected = write_expected(setting, verdict, text, sizeof(text));
    }
    if (!expected)
        return 0;
    say_expected(setting, name, value, expected, message, size);
    return -EINVAL;
}

const struct setting *setting_find(const struct setting *table, const char *key)
{
    for (; table->key; table++)
        if (strcmp(table->key, key) == 0)
            return table;
    return NULL;
}

void setting_offer_keys(const struct setting *table, const char *prefix, struct nearest *nearest)
{
    char candidate[2 * NEAREST_NAME_SIZE];

    for (; table->key; table++) {
        snprintf(candidate, sizeof(candidate), "%s%s", prefix, table->key);
        nearest_offer(nearest, candidate);
    }
}

static int apply_default(const struct setting *setting, void *member)
{
    char message[SETTING_MESSAGE_SIZE];
    int r =
        setting_parse(setting, setting->key, setting->fallback, member, message, sizeof(message));

    assert(r != -EINVAL);
    return r;
}

int settings_init(const struct setting *table, void *base)
{
    int r = 0;

    for (; table->key && r == 0; table++)
        if (table->fallback && !setting_is_repeated(table))
            r = apply_default(table, setting_member(table, base));
    return r;
}

int setting_fill(const struct setting *setting, void *member)
{
    const struct strings *list = member;

    return setting_is_list(setting) && setting->fallback && list->count == 0
               ? apply_default(setting, member)
               : 0;
}

bool setting_equal(const struct setting *setting, const void *a, const void *b)
{
    const struct setting_rate *a_rate = a, *b_rate = b;
    const struct setting_optional *a_optional = a, *b_optional = b;

    switch (setting->kind) {
    case SETTING_STRING:
    case SETTING_SECRET:
    case SETTING_PATH:
    case SETTING_NAME:
        return string_equal(*(char *const *)a, *(char *const *)b);
    case SETTING_LIST:
    case SETTING_PATHS:
    case SETTING_WORDS:
        return strings_equal(a, b);
    case SETTING_RATE:
        return a_rate->count == b_rate->count && a_rate->window == b_rate->window;
    default:
        break;
    }
    if (setting->flags & SETTING_OPTIONAL)
        return a_optional->given == b_optional->given && a_optional->value == b_optional->value;
    return memcmp(a, b, setting->size) == 0;
}

void setting_release(const struct setting *setting, void *member)
{
    char **string = member;

    switch (setting->kind) {
    case SETTING_STRING:
    case SETTING_SECRET:
    case SETTING_PATH:
    case SETTING_NAME:
        free(*string);
        *string = NULL;
        break;
    case SETTING_LIST:
    case SETTING_PATHS:
    case SETTING_WORDS:
        strings_free(member);
        break;
    default:
        break;
    }
}
