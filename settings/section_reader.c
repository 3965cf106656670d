/* SPDX-License-Identifier: MIT */
#include "settings/section_reader.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "settings/key_tables.h"
#include "settings/keys.h"

#define MODULE_PREFIX "module:"

/* Takes in the line, for who must make the same configuration again. */
static void note_entry(struct section_reader *reader, const char *section, const char *key,
                       const char *value, unsigned line)
{
    struct config *config = reader->config;
    struct config_entry *entries, entry = {.file = reader->file, .line = line};

    entries = array_grow(config->entries, config->entry_count, sizeof(*entries));
    if (entries)
        config->entries = entries;
    entry.section = strdup(section);
    entry.key = key ? strdup(key) : NULL;
    entry.value = key ? strdup(value) : NULL;
    if (!entries || !entry.section || (key && (!entry.key || !entry.value))) {
        free(entry.section);
        free(entry.key);
        free(entry.value);
        reader->errors->failed = true;
        return;
    }
    entries[config->entry_count++] = entry;
}

static size_t table_index(const struct section_reader *reader, const struct setting *setting)
{
    return (size_t)(setting - reader->table);
}

static void tell_missing(struct section_reader *reader, const struct setting *setting)
{
    char message[SETTING_MESSAGE_SIZE];

    setting_say_missing(setting, setting->key, message, sizeof(message));
    config_error(reader->errors, reader->file, reader->section_line, "[module:%s] %s",
                 reader->module->name, message);
}

void section_reader_finish(struct section_reader *reader)
{
    if (!reader->table)
        return;
    for (const struct setting *s = reader->table; s->key; s++)
        if ((s->flags & SETTING_REQUIRED) && reader->given[table_index(reader, s)] == 0)
            tell_missing(reader, s);
    if (reader->module && !reader->module->host &&
        !(reader->module->host = strdup(reader->module->name)))
        reader->errors->failed = true;
    reader->table = NULL;
}

static bool module_name_is_valid(const char *name)
{
    if (*name == '\0' || !isalnum((unsigned char)*name))
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && *name != '-' && *name != '_' && *name != '.')
            return false;
    return true;
}

static struct config_module *add_module(struct section_reader *reader, const char *name,
                                        unsigned line)
{
    struct config *config = reader->config;
    struct config_module *module = calloc(1, sizeof(*module));
    struct config_module **modules =
        array_grow(config->modules, config->module_count, sizeof(struct config_module *));

    if (modules)
        config->modules = modules;
    if (!module || !modules || !(module->name = strdup(name)) ||
        settings_init(module_keys, module) < 0 ||
        name_map_add(&config->by_name, module->name, module) < 0) {
        if (module)
            free(module->name);
        free(module);
        reader->errors->failed = true;
        return NULL;
    }
    module->file = reader->file;
    module->line = line;
    module->index = config->module_count;
    config->modules[config->module_count++] = module;
    return module;
}

static void begin_module(struct section_reader *reader, const char *name, unsigned line)
{
    const struct config_module *other = config_find(reader->config, name);

    if (!module_name_is_valid(name)) {
        config_error(reader->errors, reader->file, line,
                     "[module:%s]: a module's name begins with a letter or digit and has letters, "
                     "digits, '-', '_' and '.'",
                     name);
    } else if (other) {
        config_error(reader->errors, reader->file, line, "[module:%s] stands already at %s:%u",
                     name, other->file, other->line);
    } else {
        reader->module = add_module(reader, name, line);
        reader->base = reader->module;
        reader->table = reader->module ? module_keys : NULL;
    }
}

void section_reader_begin(void *arg, const char *section, unsigned line)
{
    struct section_reader *reader = arg;

    note_entry(reader, section, NULL, NULL, line);
    section_reader_finish(reader);
    reader->module = NULL;
    reader->section_line = line;
    memset(reader->given, 0, sizeof(reader->given));
    if (strcmp(section, "daemon") == 0 && reader->main_file) {
        reader->table = daemon_keys;
        reader->base = reader->config;
    } else if (strcmp(section, "daemon") == 0) {
        config_error(reader->errors, reader->file, line, "[daemon] belongs into the main file, %s",
                     reader->config->files.items[0]);
    } else if (strncmp(section, MODULE_PREFIX, strlen(MODULE_PREFIX)) == 0) {
        begin_module(reader, section + strlen(MODULE_PREFIX), line);
    } else {
        config_error(reader->errors, reader->file, line,
                     "unknown section [%s]: expected [daemon] or [module:NAME]", section);
    }
}

static void add_option(struct section_reader *reader, const char *key, const char *value,
                       unsigned line)
{
    struct config_module *module = reader->module;
    struct config_option *options =
        array_grow(module->options, module->option_count, sizeof(*options));
    struct config_option *option;

    if (!options) {
        reader->errors->failed = true;
        return;
    }
    module->options = options;
    option = &options[module->option_count++];
    *option = (struct config_option){strdup(key), strdup(value), reader->file, line};
    if (!option->key || !option->value)
        reader->errors->failed = true;
}

static void unknown_daemon_key(struct section_reader *reader, const char *key, const char *value,
                               unsigned line)
{
    char message[SETTING_MESSAGE_SIZE], hint[128] = "";
    struct nearest nearest;

    nearest_begin(&nearest, key);
    if (!value_is_padding(value)) {
        setting_offer_keys(daemon_keys, "", &nearest);
        key_tables_hint(daemon_keys, key, hint, sizeof(hint));
    }
    setting_say_unknown(key, value, message, sizeof(message));
    config_error(reader->errors, reader->file, line, "[daemon] %s%s", message,
                 *hint ? hint : nearest_words(&nearest));
}

/*
 * Makes the paths of a list absolute, from the first one on, and looks whether they are there. A
 * path that this process cannot see, or in a state directory that is still to be made, may be.
 */
static void take_paths(struct section_reader *reader, const char *section,
                       const struct setting *setting, size_t first, unsigned line)
{
    struct strings *list = setting_member(setting, reader->base);
    const char *state = reader->places->state;

    for (size_t i = first; i < list->count; i++) {
        bool relative = *list->items[i] != '/';
        char *path = relative ? format_new("%s/%s", state, list->items[i]) : NULL;

        if (relative && !path) {
            reader->errors->failed = true;
            return;
        }
        if (!reader->in_force && access(path ? path : list->items[i], F_OK) < 0 &&
            errno != EACCES && !(relative && access(state, F_OK) < 0))
            config_error(reader->errors, reader->file, line, "[%s] %s = %s: %s%s", section,
                         setting->key, list->items[i], strerror(errno),
                         relative ? " (in the state directory)" : "");
        if (path) {
            free(list->items[i]);
            list->items[i] = path;
        }
    }
}

static size_t list_length(const struct section_reader *reader, const struct setting *setting)
{
    const struct strings *list = setting_member(setting, reader->base);

    return setting_is_list(setting) ? list->count : 0;
}

static void take_setting(struct section_reader *reader, const struct setting *setting,
                         const char *section, const char *value, unsigned line)
{
    unsigned *given = &reader->given[table_index(reader, setting)];
    size_t length = list_length(reader, setting);
    char message[SETTING_MESSAGE_SIZE];
    int r = -EINVAL;

    if (*given > 0 && !setting_is_repeated(setting)) {
        setting_say_twice(setting->key, *given, message, sizeof(message));
    } else {
        *given = line;
        r = setting_parse(setting, setting->key, value, setting_member(setting, reader->base),
                          message, sizeof(message));
    }
    if (r == -EINVAL)
        config_error(reader->errors, reader->file, line, "[%s] %s", section, message);
    else if (r < 0)
        reader->errors->failed = true;
    else if (setting->flags & SETTING_FILES)
        take_paths(reader, section, setting, length, line);
}

void section_reader_take(void *arg, const char *section, const char *key, const char *value,
                         unsigned line)
{
    struct section_reader *reader = arg;
    const struct setting *setting;

    note_entry(reader, section, key, value, line);
    if (!reader->table)
        return;
    setting = setting_find(reader->table, key);
    if (setting)
        take_setting(reader, setting, section, value, line);
    else if (reader->module)
        /* The module itself knows its own keys and its tasks'. */
        add_option(reader, key, value, line);
    else
        unknown_daemon_key(reader, key, value, line);
}
