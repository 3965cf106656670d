/* SPDX-License-Identifier: MIT */
#include "host/load/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "base/text.h"
#include "host/load/option_table.h"

struct binder {
    const struct loaded_module *loaded;
    const struct option_lines *lines;
    struct option_table table;
    struct bound_options *bound;
    option_error_fn fn;
    void *arg;
    int errors;
    bool failed; /* out of memory */
};

/* Telling ----------------------------------------------------------------- */

static void tell(struct binder *binder, const struct option_line *line, const char *key,
                 const char *format, ...) printf_like(4, 5);
static void tell(struct binder *binder, const struct option_line *line, const char *key,
                 const char *format, ...)
{
    char text[SETTING_MESSAGE_SIZE + 64];
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

static void tell_unknown(struct binder *binder, const struct option_line *line)
{
    char text[SETTING_MESSAGE_SIZE];
    struct nearest nearest;
    struct option_error error = {
        .key = line->key, .file = line->file, .line = line->line, .text = text, .unknown = true};

    setting_say_unknown(line->key, line->value, text, sizeof(text));
    nearest_begin(&nearest, line->key);
    setting_offer_keys(binder->table.settings, "", &nearest);
    work_offer_keys(&binder->bound->work, &nearest);
    error.nearest = nearest_found(&nearest) ? nearest.name : NULL;
    binder->errors++;
    binder->fn(&error, binder->arg);
}

/* Ownership --------------------------------------------------------------- */

/* The list of what is to be freed is kept beside the state: the module can write there what it
 * likes. */
static void own_string(struct binder *binder, char *string)
{
    struct bound_options *bound = binder->bound;
    char **strings = array_grow(bound->strings, bound->string_count, sizeof(char *));

    if (!strings) {
        free(string);
        binder->failed = true;
        return;
    }
    bound->strings = strings;
    bound->strings[bound->string_count++] = string;
}

/* An empty list is one that ends at once. */
static void own_list(struct binder *binder, struct rv_list *list)
{
    struct bound_options *bound = binder->bound;
    void **arrays = array_grow(bound->arrays, bound->array_count, sizeof(void *));

    if (!list->items)
        list->items = calloc(1, sizeof(char *));
    for (size_t i = 0; i < list->count; i++)
        own_string(binder, list->items[i]);
    if (arrays)
        bound->arrays = arrays;
    if (!arrays || !list->items) {
        free(list->items);
        binder->failed = true;
        return;
    }
    bound->arrays[bound->array_count++] = list->items;
}

static void own(struct binder *binder, const struct setting *setting)
{
    void *member = setting_member(setting, binder->bound->state);
    char **string = member;

    switch (setting->kind) {
    case SETTING_STRING:
    case SETTING_SECRET:
    case SETTING_PATH:
        if (*string)
            own_string(binder, *string);
        break;
    case SETTING_LIST:
    case SETTING_PATHS:
        own_list(binder, member);
        break;
    default:
        break;
    }
}

/* A module's own options -------------------------------------------------- */

/* Values of all types but one occur in errors, and whatever a module does with them. Returns
 * whether one was told. */
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

/* line: NULL for the default of the module's table. */
static void bind_value(struct binder *binder, const struct setting *setting,
                       const struct option_line *line, const char *value)
{
    char message[SETTING_MESSAGE_SIZE];
    int r = setting_parse(setting, setting->key, value,
                          setting_member(setting, binder->bound->state), message, sizeof(message));

    if (r == -ENOMEM)
        binder->failed = true;
    else if (r < 0)
        tell(binder, line, setting->key, "%s%s",
             line ? "" : "the module itself is wrong: its default ", message);
}

static void bind_line(struct binder *binder, const struct setting *setting,
                      const struct option_line *line, const struct option_line *first)
{
    char message[SETTING_MESSAGE_SIZE];

    if (first == line || setting_is_repeated(setting)) {
        bind_value(binder, setting, line, line->value);
        return;
    }
    setting_say_twice(setting->key, first->line, message, sizeof(message));
    tell(binder, line, setting->key, "%s", message);
}

static void bind_option(struct binder *binder, const struct setting *setting)
{
    const struct option_line *first = option_lines_find(binder->lines, setting->key);
    char message[SETTING_MESSAGE_SIZE];

    if (setting->kind != SETTING_SECRET && refuse_credentials(binder, setting->key))
        return;
    for (size_t i = 0; first && i < binder->lines->count; i++) {
        const struct option_line *line = &binder->lines->items[i];

        if (strcmp(line->key, setting->key) == 0)
            bind_line(binder, setting, line, first);
    }
    if (!first && setting->fallback) {
        bind_value(binder, setting, NULL, setting->fallback);
    } else if (!first && (setting->flags & SETTING_REQUIRED)) {
        setting_say_missing(setting, setting->key, message, sizeof(message));
        tell(binder, NULL, setting->key, "%s", message);
    }
    own(binder, setting);
}

/* Tasks and pools --------------------------------------------------------- */

struct work_errors {
    struct binder *binder;
    const struct option_line *line; /* NULL: of the module's own table */
};

static void tell_work(const char *text, void *arg)
{
    struct work_errors *errors = arg;

    tell(errors->binder, errors->line, errors->line ? errors->line->key : "", "%s", text);
}

static void tell_conflict(const char *text, const struct option_line *line, void *arg)
{
    struct binder *binder = arg;

    tell(binder, line, line ? line->key : "", "%s", text);
}

/* The lines that are of no option. */
static void bind_work_line(struct binder *binder, const struct option_line *line)
{
    struct work_errors errors = {binder, line};
    struct work *work = &binder->bound->work;

    if (!work_has_key(work, line->key))
        tell_unknown(binder, line);
    else if (line->credential)
        refuse_credentials(binder, line->key);
    else if (work_apply(work, line, option_lines_find(binder->lines, line->key), tell_work,
                        &errors) < 0)
        binder->failed = true;
}

static void bind_work(struct binder *binder)
{
    struct work_errors errors = {binder, NULL};
    struct work *work = &binder->bound->work;

    if (work_take_defaults(work, tell_work, &errors) < 0)
        binder->failed = true;
    work_drop_schedules(work, binder->lines);
    for (size_t i = 0; i < binder->lines->count; i++)
        if (!setting_find(binder->table.settings, binder->lines->items[i].key))
            bind_work_line(binder, &binder->lines->items[i]);
    work_raise_limits(work, binder->lines);
    work_check(work, binder->lines, tell_conflict, binder);
}

/* A time that has passed for good was right when it was written; and of points that are too close,
 * most come. */
static void tell_past(struct binder *binder)
{
    const struct work *work = &binder->bound->work;
    int64_t now = clock_realtime();
    char text[256], duration[DURATION_TEXT_SIZE];
    rv_duration shortest;

    for (size_t i = 0; i < binder->lines->count; i++) {
        const struct option_line *line = &binder->lines->items[i];
        const struct option_error error = {
            .key = line->key, .file = line->file, .line = line->line, .text = text, .past = true};

        if (line->credential)
            continue;
        if (work_is_past(work, line->key, line->value, now))
            snprintf(text, sizeof(text), "%.60s = %.60s has passed, and does not come again",
                     line->key, line->value);
        else if (work_is_crowded(work, line->key, &shortest))
            snprintf(text, sizeof(text),
                     "%.60s = %.60s: points of at that come before the one before has started are "
                     "skipped, as some are only %s apart",
                     line->key, line->value, duration_format(shortest, duration, sizeof(duration)));
        else
            continue;
        binder->fn(&error, binder->arg);
    }
}

/* The whole --------------------------------------------------------------- */

int options_bind(const struct loaded_module *loaded, const struct option_lines *lines,
                 option_error_fn fn, void *arg, struct bound_options *ret_bound)
{
    struct binder binder = {
        .loaded = loaded, .lines = lines, .bound = ret_bound, .fn = fn, .arg = arg};

    *ret_bound = (struct bound_options){.state = calloc(1, loaded->module.state_size + 1)};
    if (work_init(loaded, &ret_bound->work) < 0 ||
        option_table_create(loaded->options, loaded->option_count, &binder.table) < 0 ||
        !ret_bound->state) {
        option_table_free(&binder.table);
        options_free(ret_bound);
        return -ENOMEM;
    }
    for (size_t i = 0; i < binder.table.count; i++)
        bind_option(&binder, &binder.table.settings[i]);
    bind_work(&binder);
    if (!binder.failed && binder.errors == 0)
        tell_past(&binder);
    option_table_free(&binder.table);
    if (binder.failed || binder.errors > 0)
        options_free(ret_bound);
    return binder.failed ? -ENOMEM : binder.errors;
}

void options_copy(const struct loaded_module *loaded, const struct bound_options *from, void *state)
{
    for (size_t i = 0; i < loaded->option_count; i++) {
        const struct rv_option *option = &loaded->options[i];

        memcpy((char *)state + option->offset, (const char *)from->state + option->offset,
               option->size);
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
    work_free(&bound->work);
    *bound = (struct bound_options){0};
}
