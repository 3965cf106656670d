/* SPDX-License-Identifier: MIT */
#include "settings/place.h"

#include <string.h>

#include "base/text.h"
#include "settings/config.h"
#include "settings/keys.h"

/* Of the section that is in use, and not of one of the same name that was refused. */
static bool is_of(const struct config_entry *entry, const char *file,
                  const struct config_module *module)
{
    static const char prefix[] = "module:";

    if (entry->file != file)
        return false;
    if (!module)
        return strcmp(entry->section, "daemon") == 0;
    return strncmp(entry->section, prefix, strlen(prefix)) == 0 &&
           strcmp(entry->section + strlen(prefix), module->name) == 0;
}

/* How many items of the list stand in one line; 1 if it is no list. */
static size_t count_items(const struct setting *setting, const char *value)
{
    cleanup_strings struct strings items = {0};
    char message[SETTING_MESSAGE_SIZE];

    if (!setting_is_list(setting))
        return 1;
    (void)setting_parse(setting, setting->key, value, &items, message, sizeof(message));
    return items.count;
}

struct config_place config_place_of(const struct config *config, const struct config_module *module,
                                    const char *key, size_t item)
{
    const struct setting *setting = setting_find(module ? module_keys : daemon_keys, key);
    struct config_place place = {module ? module->file : config->files.items[0], 0};

    for (size_t i = 0; i < config->entry_count; i++) {
        const struct config_entry *entry = &config->entries[i];
        size_t count;

        if (!is_of(entry, place.file, module))
            continue;
        if (!entry->key) {
            place.line = entry->line;
            continue;
        }
        if (!setting || strcmp(entry->key, key) != 0)
            continue;
        count = count_items(setting, entry->value);
        if (item < count) {
            place.line = entry->line;
            return place;
        }
        item -= count;
    }
    return place;
}
