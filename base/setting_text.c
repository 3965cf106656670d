/* SPDX-License-Identifier: MIT */
/* The texts about settings: kinds, bounds, values and errors. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/setting_internal.h"
#include "base/shown.h"
#include "base/size.h"
#include "base/text.h"

const char setting_no_memory[] = "more memory";

/* type: a word; noun: what it is in a message; form: in one about a value that is written
 * otherwise. */
static const struct kind {
    const char *type, *noun, *form;
    size_t size;
} kinds[] = {
    [SETTING_STRING] = {"string", "a value", NULL, sizeof(char *)},
    [SETTING_SECRET] = {"secret", "a value", NULL, sizeof(char *)},
    [SETTING_PATH] = {"path", "a path", NULL, sizeof(char *)},
    [SETTING_NAME] = {"name", "a name of at most 40 letters, digits, '-', '_' and '.'", NULL,
                      sizeof(char *)},
    [SETTING_LIST] = {"list", "a value", NULL, sizeof(struct strings)},
    [SETTING_PATHS] = {"paths", "a path", NULL, sizeof(struct strings)},
    [SETTING_WORDS] = {"words", "words with blanks between them", NULL, sizeof(struct strings)},
    [SETTING_BOOL] = {"bool", "yes or no", NULL, sizeof(bool)},
    [SETTING_INTEGER] = {"int", "a whole number", NULL, 0},
    [SETTING_SIZE] = {"size", "a size", "a size such as 512, 64K or 1.5G", sizeof(uint64_t)},
    [SETTING_DURATION] = {"duration", "a duration",
                          "a duration with its unit, such as 500ms, 30s or 5min", sizeof(int64_t)},
    [SETTING_CHOICE] = {"enum", NULL, NULL, 0},
    [SETTING_PERCENT] = {"percent", "a percentage of one processor",
                         "a percentage of one processor, such as 50% or 150%", sizeof(unsigned)},
    [SETTING_RATE] = {"rate", "COUNT/DURATION with a count from 1 to 1000 and a duration",
                      "COUNT/DURATION with a count from 1 to 1000, such as 5/60s",
                      sizeof(struct setting_rate)},
    [SETTING_OWN] = {"", NULL, NULL, 0},
};
_Static_assert(SETTING_NAME_MAX == 40 && SETTING_RATE_MAX == 1000, "the texts say so");

const char *setting_type(const struct setting *setting)
{
    return setting->kind == SETTING_OWN ? setting->own->type : kinds[setting->kind].type;
}

size_t setting_kind_size(enum setting_kind kind)
{
    return kinds[kind].size;
}

bool setting_bounds(const struct setting *setting, int64_t *ret_minimum, int64_t *ret_maximum)
{
    int64_t minimum = setting->minimum, maximum = setting->maximum;
    bool exact = setting->flags & SETTING_EXACT;

    if (!exact && setting->maximum == 0 && setting->minimum >= 0)
        maximum = INT64_MAX;
    /* A kind that cannot be below 0 needs no word of that. */
    if (setting->minimum == 0 &&
        (setting->kind != SETTING_INTEGER || (!exact && setting->maximum <= 0)))
        minimum = INT64_MIN;
    *ret_minimum = minimum;
    *ret_maximum = maximum;
    return minimum != INT64_MIN || maximum != INT64_MAX;
}

char *setting_format_number(const struct setting *setting, int64_t number, char *buffer,
                            size_t size)
{
    uint64_t again;

    if (setting->kind == SETTING_DURATION || setting->kind == SETTING_RATE)
        return duration_format(number, buffer, size);
    /* A size that would come out rounded is written in bytes. */
    if (setting->kind == SETTING_SIZE && number >= 0 &&
        size_parse(size_format((uint64_t)number, buffer, size), &again) == 0 &&
        again == (uint64_t)number)
        return buffer;
    snprintf(buffer, size, "%" PRId64 "%s", number, setting->kind == SETTING_PERCENT ? "%" : "");
    return buffer;
}

/* " from 1 to 200", " of at least 4M", " of at most 3650d", or nothing. */
static void append_bounds(const struct setting *setting, struct text *text)
{
    char least[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];
    int64_t minimum, maximum;

    if (!setting_bounds(setting, &minimum, &maximum))
        return;
    setting_format_number(setting, minimum, least, sizeof(least));
    setting_format_number(setting, maximum, most, sizeof(most));
    if (maximum == INT64_MAX)
        text_append_format(text, " of at least %s", least);
    else if (minimum == INT64_MIN)
        text_append_format(text, " of at most %s", most);
    else
        text_append_format(text, " from %s to %s", least, most);
}

static void append_choices(const struct setting *setting, struct text *text)
{
    for (size_t i = 0; setting->choices && setting->choices[i]; i++)
        text_append_format(text, "%s%s",
                           i == 0                    ? ""
                           : setting->choices[i + 1] ? ", "
                                                     : " or ",
                           setting->choices[i]);
}

char *setting_allowed(const struct setting *setting, char *buffer, size_t size)
{
    cleanup_text struct text text = {0};

    if (setting->kind == SETTING_CHOICE)
        append_choices(setting, &text);
    else
        text_append(&text, setting->kind == SETTING_OWN ? setting->own->allowed
                                                        : kinds[setting->kind].noun);
    if (setting->kind != SETTING_OWN && setting->kind != SETTING_CHOICE)
        append_bounds(setting, &text);
    if (setting->flags & SETTING_NEVER)
        text_append(&text, ", or never");
    string_copy(buffer, size, text_string(&text));
    return buffer;
}

char *setting_write_form(const struct setting *setting, char *buffer, size_t size)
{
    const char *form = kinds[setting->kind].form;

    if (!form)
        return setting_allowed(setting, buffer, size);
    snprintf(buffer, size, "%s%s", form, setting->flags & SETTING_NEVER ? ", or never" : "");
    return buffer;
}

static void format_list(const struct strings *list, char *buffer, size_t size)
{
    cleanup_text struct text text = {0};

    for (size_t i = 0; i < list->count; i++)
        text_append_format(&text, "%s%s", i > 0 ? " " : "", list->items[i]);
    string_copy(buffer, size, text_string(&text));
}

static int64_t load_number(const struct setting *setting, const void *member)
{
    int64_t number;
    int32_t half;
    int16_t small;
    int8_t tiny;

    switch (setting->size) {
    case sizeof(tiny):
        memcpy(&tiny, member, sizeof(tiny));
        return tiny;
    case sizeof(small):
        memcpy(&small, member, sizeof(small));
        return small;
    case sizeof(half):
        memcpy(&half, member, sizeof(half));
        return half;
    default:
        memcpy(&number, member, sizeof(number));
        return number;
    }
}

static void format_number(const struct setting *setting, const void *member, char *buffer,
                          size_t size)
{
    const struct setting_optional *optional = member;
    bool is_optional = setting->flags & SETTING_OPTIONAL;
    int64_t number = is_optional ? optional->value : load_number(setting, member);

    if (is_optional && !optional->given)
        string_copy(buffer, size, "");
    else if ((setting->flags & SETTING_NEVER) && number == 0)
        string_copy(buffer, size, "never");
    else
        setting_format_number(setting, number, buffer, size);
}

/* "" for what is no choice, as before one is taken. */
static void format_choice(const struct setting *setting, int64_t choice, char *buffer, size_t size)
{
    int64_t left = choice - setting->minimum;

    string_copy(buffer, size, "");
    for (size_t i = 0; left >= 0 && setting->choices && setting->choices[i]; i++, left--)
        if (left == 0)
            string_copy(buffer, size, setting->choices[i]);
}

char *setting_format(const struct setting *setting, const void *member, char *buffer, size_t size)
{
    const struct setting_rate *rate = member;
    char window[DURATION_TEXT_SIZE];
    const char *string;

    string_copy(buffer, size, "");
    switch (setting->kind) {
    case SETTING_STRING:
    case SETTING_PATH:
    case SETTING_NAME:
        string = *(char *const *)member;
        string_copy(buffer, size, string ? string : "");
        break;
    case SETTING_SECRET:
        break;
    case SETTING_LIST:
    case SETTING_PATHS:
    case SETTING_WORDS:
        format_list(member, buffer, size);
        break;
    case SETTING_BOOL:
        string_copy(buffer, size, *(const bool *)member ? "yes" : "no");
        break;
    case SETTING_INTEGER:
    case SETTING_SIZE:
    case SETTING_DURATION:
    case SETTING_PERCENT:
        format_number(setting, member, buffer, size);
        break;
    case SETTING_CHOICE:
        format_choice(setting, load_number(setting, member), buffer, size);
        break;
    case SETTING_RATE:
        snprintf(buffer, size, "%u/%s", rate->count,
                 duration_format(rate->window, window, sizeof(window)));
        break;
    case SETTING_OWN:
        if (setting->own->format)
            setting->own->format(member, buffer, size);
        break;
    }
    return buffer;
}

void setting_say_missing(const struct setting *setting, const char *name, char *message,
                         size_t size)
{
    snprintf(message, size, "the key \"%s\" is missing: %s", name,
             setting->help ? setting->help : "it is required");
}

void setting_say_twice(const char *name, unsigned first_line, char *message, size_t size)
{
    char line[32] = "";

    if (first_line > 0)
        snprintf(line, sizeof(line), ", first in line %u", first_line);
    snprintf(message, size, "%s is given twice%s", name, line);
}

void setting_say_unknown(const char *name, const char *value, char *message, size_t size)
{
    char shown[80];

    text_copy_shown(shown, sizeof(shown), name);
    if (value_is_padding(value))
        string_copy(message, size, "unknown key, not shown as it may be the end of a secret");
    else
        snprintf(message, size, "unknown key \"%s\"", shown);
    /* A line that is only a URL has its key there. */
    redact_urls(message);
}
