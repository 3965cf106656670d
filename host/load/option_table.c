/* SPDX-License-Identifier: MIT */
#include "host/load/option_table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/macro.h"
#include "base/text.h"

/* What is required cannot be nothing: an empty command, say, would do all there is to do, and do it well. */
static const struct type {
    enum setting_kind kind;
    bool may_be_empty; /* unless it is required */
} types[] = {
    [RV_TYPE_STRING] = {SETTING_STRING, true}, [RV_TYPE_LIST] = {SETTING_LIST, true},
    [RV_TYPE_BOOL] = {SETTING_BOOL, false},    [RV_TYPE_INT] = {SETTING_INTEGER, false},
    [RV_TYPE_SIZE] = {SETTING_SIZE, false},    [RV_TYPE_DURATION] = {SETTING_DURATION, false},
    [RV_TYPE_PATH] = {SETTING_PATH, false},    [RV_TYPE_ENUM] = {SETTING_CHOICE, false},
    [RV_TYPE_SECRET] = {SETTING_SECRET, true},
};
/* A list is bound by what binds those of the configuration. */
_Static_assert(sizeof(struct rv_list) == sizeof(struct strings) &&
                   offsetof(struct rv_list, items) == offsetof(struct strings, items) &&
                   offsetof(struct rv_list, count) == offsetof(struct strings, count),
               "the same structure");

size_t option_size(enum rv_option_type type)
{
    if ((size_t)type >= ARRAY_SIZE(types) || types[type].kind == 0)
        return 0;
    return type == RV_TYPE_INT ? sizeof(int64_t) : setting_kind_size(types[type].kind);
}

void option_key(const char *name, char *key, size_t size)
{
    string_copy(key, size, name);
    for (; *key != '\0'; key++)
        if (*key == '_')
            *key = '-';
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
        const struct rv_option *option = &options[i];
        const struct type *type = &types[option->type];
        bool is_choice = type->kind == SETTING_CHOICE;

        option_key(option->name, table.keys[i], OPTION_KEY_SIZE);
        table.settings[i] = (struct setting){
            .key = table.keys[i],
            .kind = type->kind,
            .flags = option->required     ? SETTING_REQUIRED
                     : type->may_be_empty ? SETTING_EMPTY
                                          : 0,
            .offset = option->offset,
            .size = option_size(option->type),
            .fallback = option->fallback,
            .minimum = is_choice ? 0 : option->minimum,
            .maximum = option->maximum,
            .choices = option->choices,
            .help = option->help,
        };
    }
    return 0;
}

void option_table_free(struct option_table *table)
{
    free(table->settings);
    free(table->keys);
    *table = (struct option_table){0};
}
