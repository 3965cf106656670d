/* SPDX-License-Identifier: MIT */
#include "host/load/option_table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/macro.h"
#include "base/text.h"
#include "host/load/bounds.h"

/* A required value cannot be empty: an empty command, say, would do all there is to do, and do it
 * well. */
static const struct type {
    enum setting_kind kind;
    bool may_be_empty; /* unless it is required */
} types[] = {
    [RV_OPTION_TYPE_STRING] = {SETTING_STRING, true},
    [RV_OPTION_TYPE_LIST] = {SETTING_LIST, true},
    [RV_OPTION_TYPE_BOOL] = {SETTING_BOOL, false},
    [RV_OPTION_TYPE_INT] = {SETTING_INTEGER, false},
    [RV_OPTION_TYPE_SIZE] = {SETTING_SIZE, false},
    [RV_OPTION_TYPE_DURATION] = {SETTING_DURATION, false},
    [RV_OPTION_TYPE_PATH] = {SETTING_PATH, false},
    [RV_OPTION_TYPE_ENUM] = {SETTING_CHOICE, false},
    [RV_OPTION_TYPE_SECRET] = {SETTING_SECRET, true},
    [RV_OPTION_TYPE_PATHS] = {SETTING_PATHS, false},
};
/* A list is bound by what binds those of the configuration. */
_Static_assert(sizeof(struct rv_list) == sizeof(struct strings) &&
                   offsetof(struct rv_list, items) == offsetof(struct strings, items) &&
                   offsetof(struct rv_list, count) == offsetof(struct strings, count),
               "the same structure");

bool option_is_typed(const struct rv_option *option)
{
    size_t size = option->size;

    if ((size_t)option->type >= ARRAY_SIZE(types) || types[option->type].kind == 0)
        return false;
    if (option->type == RV_OPTION_TYPE_ENUM)
        return size == 1 || size == 2 || size == 4 || size == 8;
    if (option->type == RV_OPTION_TYPE_INT)
        return size == sizeof(int) || size == sizeof(int64_t);
    return size == setting_kind_size(types[option->type].kind);
}

void option_key(const char *name, char *key, size_t size)
{
    string_copy(key, size, name);
    for (; *key != '\0'; key++)
        if (*key == '_')
            *key = '-';
}

static struct setting make_setting(const struct rv_option *option, const char *key)
{
    const struct type *type = &types[option->type];
    struct setting setting = {
        .key = key,
        .kind = type->kind,
        .flags = option->required     ? SETTING_REQUIRED
                 : type->may_be_empty ? SETTING_EMPTY
                                      : 0,
        .offset = option->offset,
        .size = option->size,
        .fallback = option->fallback,
        .choices = option->choices,
        .help = option->help,
    };

    if (type->kind == SETTING_CHOICE)
        return setting;
    if (!bounds_minimum(option, &setting.minimum))
        setting.minimum = INT64_MIN;
    if (!bounds_maximum(option, &setting.maximum))
        setting.maximum = INT64_MAX;
    setting.flags |= SETTING_EXACT;
    return setting;
}

int option_table_create(const struct rv_option *options, size_t count,
                        struct option_table *ret_table)
{
    struct option_table table = {calloc(count + 1, sizeof(struct setting)),
                                 calloc(count + 1, OPTION_KEY_SIZE), count};

    *ret_table = table;
    if (!table.settings || !table.keys)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        option_key(options[i].name, table.keys[i], OPTION_KEY_SIZE);
        table.settings[i] = make_setting(&options[i], table.keys[i]);
    }
    return 0;
}

void option_table_free(struct option_table *table)
{
    free(table->settings);
    free(table->keys);
    *table = (struct option_table){0};
}
