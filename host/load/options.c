/* SPDX-License-Identifier: MIT */
#include "host/load/options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "base/size.h"
#include "base/text.h"
#include "host/load/settings.h"

struct binder {
    const struct loaded_module *loaded;
    const struct option_lines *lines;
    struct bound_options *bound;
    option_error_fn fn;
    void *arg;
    int errors;
    bool failed; /* out of memory */
};

int option_lines_add(struct option_lines *lines, const char *key, const char *value,
                     const char *file, unsigned line, bool credential)
{
    struct option_line *items = array_grow(lines->items, lines->count, sizeof(*items));
    struct option_line item = {strdup(key), strdup(value), strdup(file), line, credential};

    if (items)
        lines->items = items;
    if (!items || !item.key || !item.value || !item.file) {
        free(item.key);
        free(item.value);
        free(item.file);
        return -ENOMEM;
    }
    items[lines->count++] = item;
    return 0;
}

void option_lines_free(struct option_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->items[i].key);
        explicit_bzero(lines->items[i].value, strlen(lines->items[i].value));
        free(lines->items[i].value);
        free(lines->items[i].file);
    }
    free(lines->items);
    *lines = (struct option_lines){0};
}

static void tell(struct binder *binder, const struct option_line *line, const char *key,
                 const char *format, ...) printf_like(4, 5);
static void tell(struct binder *binder, const struct option_line *line, const char *key,
                 const char *format, ...)
{
    char text[512];
    struct option_error error = {
        .key = key, .file = line ? line->file : "", .line = line ? line->line : 0, .text = text};
    va_list args;

    va_start(args, format);
    text_format_shown(text, sizeof(text), format, args);
    va_end(args);
    /* Values are quoted. */
    redact_urls(text);
    binder->errors++;
    binder->fn(&error, binder->arg);
}

void option_key(const char *name, char *key, size_t size)
{
    string_copy(key, size, name);
    for (; *key != '\0'; key++)
        if (*key == '_')
            *key = '-';
}

static const struct rv_option *find_option(const struct loaded_module *loaded, const char *key)
{
    char name[64];

    for (size_t i = 0; i < loaded->option_count; i++) {
        option_key(loaded->options[i].name, name, sizeof(name));
        if (strcmp(name, key) == 0)
            return &loaded->options[i];
    }
    return NULL;
}

/* Keeps a string for as long as the state lives. */
static char *keep(struct binder *binder, const char *string)
{
    struct bound_options *bound = binder->bound;
    char **strings = array_grow(bound->strings, bound->string_count, sizeof(char *));
    char *copy = strdup(string);

    if (strings)
        bound->strings = strings;
    if (!strings || !copy) {
        free(copy);
        binder->failed = true;
        return NULL;
    }
    bound->strings[bound->string_count++] = copy;
    return copy;
}

static bool in_range(const struct rv_option *option, int64_t value)
{
    return (option->minimum == 0 && option->maximum == 0) ||
           (value >= option->minimum && value <= option->maximum);
}

static int find_choice(const struct rv_option *option, const char *value)
{
    for (int i = 0; option->choices && option->choices[i]; i++)
        if (strcmp(option->choices[i], value) == 0)
            return i;
    return -1;
}

static void name_choices(const struct rv_option *option, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; option->choices && option->choices[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 option->choices[i]);
}

/* Reads one value of a number's kind. Returns NULL or what was expected. */
static const char *parse_number(const struct rv_option *option, const char *value, int64_t *ret)
{
    long long number;
    uint64_t bytes;

    switch (option->type) {
    case RV_TYPE_INT:
        if (integer_parse(value, INT64_MIN, INT64_MAX, &number) < 0)
            return "a whole number";
        *ret = number;
        return NULL;
    case RV_TYPE_SIZE:
        if (size_parse(value, &bytes) < 0)
            return "a size such as 512, 64K or 1.5G";
        *ret = (int64_t)bytes;
        return NULL;
    default:
        return duration_parse(value, ret) < 0
                   ? "a duration with its unit, such as 500ms, 30s or 5min"
                   : NULL;
    }
}

/* As it would be written in the section. */
static const char *format_number(const struct rv_option *option, int64_t number, char *buffer,
                                 size_t size)
{
    uint64_t again;

    if (option->type == RV_TYPE_DURATION)
        return duration_format(number, buffer, size);
    if (option->type == RV_TYPE_SIZE && number >= 0 &&
        size_parse(size_format((uint64_t)number, buffer, size), &again) == 0 &&
        again == (uint64_t)number)
        return buffer;
    snprintf(buffer, size, "%lld", (long long)number);
    return buffer;
}

static void bind_number(struct binder *binder, const struct rv_option *option, void *target,
                        const struct option_line *line, const char *key, const char *value)
{
    char least[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];
    const char *expected;
    int64_t number;

    expected = parse_number(option, value, &number);
    if (expected)
        tell(binder, line, key, "%s = %s: expected %s", key, value, expected);
    else if (!in_range(option, number))
        tell(binder, line, key, "%s = %s is out of range: from %s to %s", key, value,
             format_number(option, option->minimum, least, sizeof(least)),
             format_number(option, option->maximum, most, sizeof(most)));
    else
        memcpy(target, &number, sizeof(number));
}

/* One value into the state; a list's is added by bind_list(). */
/* What is required cannot be nothing: an empty command, say, would do all there is to do, and do it well. */
static void refuse_empty(struct binder *binder, const struct rv_option *option,
                         const struct option_line *line, const char *key, const char *value)
{
    if (option->required && *value == '\0')
        tell(binder, line, key, "%s: expected a value: %s", key,
             option->help ? option->help : "it is required");
}

static void bind_value(struct binder *binder, const struct rv_option *option,
                       const struct option_line *line, const char *key, const char *value)
{
    void *target = (char *)binder->bound->state + option->offset;
    char choices[256];
    char *kept;
    int choice;

    switch (option->type) {
    case RV_TYPE_BOOL:
        if (bool_parse(value, target) < 0)
            tell(binder, line, key, "%s = %s: expected yes or no", key, value);
        break;
    case RV_TYPE_INT:
    case RV_TYPE_SIZE:
    case RV_TYPE_DURATION:
        bind_number(binder, option, target, line, key, value);
        break;
    case RV_TYPE_ENUM:
        choice = find_choice(option, value);
        name_choices(option, choices, sizeof(choices));
        if (choice < 0)
            tell(binder, line, key, "%s = %s: expected one of %s", key, value, choices);
        else
            memcpy(target, &choice, sizeof(choice));
        break;
    case RV_TYPE_PATH:
        if (*value == '\0')
            tell(binder, line, key, "%s: expected a path", key);
        /* fall through */
    case RV_TYPE_STRING:
    case RV_TYPE_SECRET:
        if (option->type != RV_TYPE_PATH)
            refuse_empty(binder, option, line, key, value);
        kept = keep(binder, value);
        memcpy(target, &kept, sizeof(kept));
        break;
    case RV_TYPE_LIST:
        break;
    }
}

static void bind_list(struct binder *binder, const struct rv_option *option, const char *key)
{
    struct bound_options *bound = binder->bound;
    struct rv_list list = {calloc(binder->lines->count + 2, sizeof(char *)), 0};
    void **arrays = array_grow(bound->arrays, bound->array_count, sizeof(void *));

    if (arrays)
        bound->arrays = arrays;
    if (!arrays || !list.items) {
        free(list.items);
        binder->failed = true;
        return;
    }
    bound->arrays[bound->array_count++] = list.items;
    for (size_t i = 0; i < binder->lines->count; i++) {
        const struct option_line *line = &binder->lines->items[i];

        if (strcmp(line->key, key) != 0)
            continue;
        refuse_empty(binder, option, line, key, line->value);
        list.items[list.count++] = keep(binder, line->value);
    }
    if (list.count == 0 && option->fallback)
        list.items[list.count++] = keep(binder, option->fallback);
    memcpy((char *)bound->state + option->offset, &list, sizeof(list));
    if (list.count == 0 && option->required)
        tell(binder, NULL, key, "the key \"%s\" is missing: %s", key,
             option->help ? option->help : "it is required");
}

/* Values of all types but one occur in errors, and whatever a module does with them. Returns whether one
 * was told. */
static bool refuse_credentials(struct binder *binder, const char *key)
{
    bool refused = false;

    for (size_t i = 0; i < binder->lines->count; i++) {
        const struct option_line *line = &binder->lines->items[i];

        if (!line->credential || strcmp(line->key, key) != 0)
            continue;
        tell(binder, line, key, "%s: only an option of the type secret can be a credential", key);
        refused = true;
    }
    return refused;
}

static void bind_option(struct binder *binder, const struct rv_option *option)
{
    const struct option_line *first = NULL;
    char key[64];

    option_key(option->name, key, sizeof(key));
    if (option->type != RV_TYPE_SECRET && refuse_credentials(binder, key))
        return;
    if (option->type == RV_TYPE_LIST) {
        bind_list(binder, option, key);
        return;
    }
    for (size_t i = 0; i < binder->lines->count; i++) {
        const struct option_line *line = &binder->lines->items[i];

        if (strcmp(line->key, key) != 0)
            continue;
        if (first && first->line != 0)
            tell(binder, line, key, "%s is given twice, first in line %u", key, first->line);
        else if (first)
            tell(binder, line, key, "%s is given twice", key);
        else
            bind_value(binder, option, line, key, line->value);
        first = first ? first : line;
    }
    if (!first && option->fallback)
        bind_value(binder, option, NULL, key, option->fallback);
    else if (!first && option->required)
        tell(binder, NULL, key, "the key \"%s\" is missing: %s", key,
             option->help ? option->help : "it is required");
}

static void tell_unknown(struct binder *binder, const struct option_line *line)
{
    const struct loaded_module *loaded = binder->loaded;
    char text[256], key[80], candidate[64];
    struct nearest nearest;
    struct option_error error = {
        .key = line->key, .file = line->file, .line = line->line, .text = text, .unknown = true};

    text_copy_shown(key, sizeof(key), line->key);
    if (value_is_padding(line->value))
        string_copy(text, sizeof(text), "unknown key, not shown as it may be the end of a secret");
    else
        snprintf(text, sizeof(text), "unknown key \"%s\"", key);
    /* A line that is only a URL has its key there. */
    redact_urls(text);
    nearest_begin(&nearest, line->key);
    for (size_t i = 0; i < loaded->option_count; i++) {
        option_key(loaded->options[i].name, candidate, sizeof(candidate));
        nearest_offer(&nearest, candidate);
    }
    settings_nearest(loaded, &nearest);
    error.nearest = nearest_found(&nearest) ? nearest.name : NULL;
    binder->errors++;
    binder->fn(&error, binder->arg);
}

struct setting_errors {
    struct binder *binder;
    const struct option_line *line;
};

static void tell_setting(const char *text, void *arg)
{
    struct setting_errors *errors = arg;

    tell(errors->binder, errors->line, errors->line ? errors->line->key : "", "%s", text);
}

static const struct option_line *find_line(const struct binder *binder, const char *key)
{
    for (size_t i = 0; i < binder->lines->count; i++)
        if (strcmp(binder->lines->items[i].key, key) == 0)
            return &binder->lines->items[i];
    return NULL;
}

static void tell_conflict(const char *text, const char *key, const char *other, void *arg)
{
    struct binder *binder = arg;
    const struct option_line *line = find_line(binder, key);

    if (!line)
        line = find_line(binder, other);
    tell(binder, line, line ? line->key : "", "%s", text);
}

static bool is_setting(const struct loaded_module *loaded, const char *key)
{
    struct nearest nearest;

    nearest_begin(&nearest, key);
    settings_nearest(loaded, &nearest);
    return nearest.distance == 0;
}

/* A pause that is written is meant, and its default limit gives way. */
static void raise_backoff_max(struct binder *binder)
{
    for (size_t i = 0; i < binder->loaded->pool_count; i++) {
        struct pool_settings *pool = &binder->bound->pools[i];
        char key[64];

        snprintf(key, sizeof(key), "%.40s.backoff-max", binder->loaded->pools[i].name);
        if (!find_line(binder, key))
            pool->backoff_max = MAX(pool->backoff_max, pool->backoff);
    }
}

static void bind_settings(struct binder *binder)
{
    struct setting_errors errors = {binder, NULL};

    settings_defaults(binder->loaded, binder->bound->tasks, binder->bound->pools, tell_setting,
                      &errors);
    for (size_t i = 0; i < binder->lines->count; i++) {
        const struct option_line *line = &binder->lines->items[i];

        if (find_option(binder->loaded, line->key))
            continue;
        errors.line = line;
        /* Whoever reads a value may name it in an error. */
        if (line->credential && is_setting(binder->loaded, line->key))
            refuse_credentials(binder, line->key);
        else if (line->credential)
            tell_unknown(binder, line);
        else if (!settings_apply(binder->loaded, line->key, line->value, binder->bound->tasks,
                                 binder->bound->pools, tell_setting, &errors))
            tell_unknown(binder, line);
    }
    raise_backoff_max(binder);
    settings_check(binder->loaded, binder->bound->tasks, binder->bound->pools, tell_conflict,
                   binder);
}

/* What has passed for good was right when it was written; and of points that are too close, most come. */
static void tell_past(struct binder *binder)
{
    int64_t now = clock_realtime();
    char text[256], duration[DURATION_TEXT_SIZE];
    rv_duration shortest;

    for (size_t i = 0; i < binder->lines->count; i++) {
        const struct option_line *line = &binder->lines->items[i];
        const struct option_error error = {
            .key = line->key, .file = line->file, .line = line->line, .text = text, .past = true};

        if (line->credential)
            continue;
        if (settings_is_past(binder->loaded, binder->bound->tasks, line->key, line->value, now))
            snprintf(text, sizeof(text), "%.60s = %.60s has passed, and does not come again",
                     line->key, line->value);
        else if (settings_is_crowded(binder->loaded, binder->bound->tasks, line->key, &shortest))
            snprintf(text, sizeof(text),
                     "%.60s = %.60s: points of at that come before the one before has started are "
                     "skipped, as some are only %s apart",
                     line->key, line->value, duration_format(shortest, duration, sizeof(duration)));
        else
            continue;
        binder->fn(&error, binder->arg);
    }
}

int options_bind(const struct loaded_module *loaded, const struct option_lines *lines,
                 option_error_fn fn, void *arg, struct bound_options *ret_bound)
{
    struct binder binder = {
        .loaded = loaded, .lines = lines, .bound = ret_bound, .fn = fn, .arg = arg};

    *ret_bound = (struct bound_options){
        .state = calloc(1, loaded->module.state_size + 1),
        .tasks = calloc(loaded->task_count + 1, sizeof(struct task_settings)),
        .pools = calloc(loaded->pool_count + 1, sizeof(struct pool_settings)),
        .task_count = loaded->task_count,
    };
    if (!ret_bound->state || !ret_bound->tasks || !ret_bound->pools) {
        options_free(ret_bound);
        return -ENOMEM;
    }
    for (size_t i = 0; i < loaded->option_count; i++)
        bind_option(&binder, &loaded->options[i]);
    bind_settings(&binder);
    if (!binder.failed && binder.errors == 0)
        tell_past(&binder);
    if (binder.failed || binder.errors > 0)
        options_free(ret_bound);
    return binder.failed ? -ENOMEM : binder.errors;
}

void options_copy(const struct loaded_module *loaded, const struct bound_options *from, void *state)
{
    for (size_t i = 0; i < loaded->option_count; i++) {
        const struct rv_option *option = &loaded->options[i];

        memcpy((char *)state + option->offset, (const char *)from->state + option->offset,
               loader_option_size(option->type));
    }
}

void options_free(struct bound_options *bound)
{
    for (size_t i = 0; i < bound->string_count; i++) {
        /* Secrets are among them. */
        explicit_bzero(bound->strings[i], strlen(bound->strings[i]));
        free(bound->strings[i]);
    }
    for (size_t i = 0; i < bound->array_count; i++)
        free(bound->arrays[i]);
    free(bound->strings);
    free(bound->arrays);
    free(bound->state);
    if (bound->tasks)
        settings_free(bound->tasks, bound->task_count);
    free(bound->tasks);
    free(bound->pools);
    *bound = (struct bound_options){0};
}
