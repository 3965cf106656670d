/* SPDX-License-Identifier: MIT */
#include "daemon/upgrade/config_serialize.h"
#include "base/text.h"
#include "settings/errors.h"

#include <limits.h>
#include <string.h>

#include "settings/compare.h"

/* A line: [file's index, line, section, key or null, value or null]. */
static json_t *save_entry(const struct config *config, const struct config_entry *entry)
{
    size_t file = 0;

    while (file < config->files.count && config->files.items[file] != entry->file)
        file++;
    return json_pack("[i, i, o, o, o]", (int)file, (int)entry->line,
                     serialize_bytes(entry->section),
                     entry->key ? serialize_bytes(entry->key) : json_null(),
                     entry->key ? serialize_bytes(entry->value) : json_null());
}

static json_t *save_object(const struct config_module *module)
{
    return json_pack("{s:s, s:o, s:I, s:I, s:I}", "module", module->name, "path",
                     serialize_bytes(module->path), "device", (json_int_t)module->file_id.device,
                     "inode", (json_int_t)module->file_id.inode, "mtime",
                     (json_int_t)module->file_id.mtime);
}

/* The lines about these may be newer than what is in force: a reload leaves it alone. */
static json_t *save_fixed(const struct config *config)
{
    json_t *listen = json_array();

    for (size_t i = 0; i < config->listen.count; i++)
        if (json_array_append_new(listen, serialize_bytes(config->listen.items[i])) < 0) {
            json_decref(listen);
            return NULL;
        }
    return json_pack("{s:o, s:o, s:I}", "listen", listen, "control",
                     serialize_bytes(config->control), "max_connections",
                     (json_int_t)config->connections_max);
}

json_t *config_save(const struct config *config)
{
    json_t *files = json_array(), *lines = json_array(), *objects = json_array();
    int r = 0;

    for (size_t i = 0; i < config->files.count; i++)
        r |= json_array_append_new(files, serialize_bytes(config->files.items[i]));
    for (size_t i = 0; i < config->entry_count; i++)
        r |= json_array_append_new(lines, save_entry(config, &config->entries[i]));
    for (size_t i = 0; i < config->module_count; i++)
        r |= json_array_append_new(objects, save_object(config->modules[i]));
    if (r < 0) {
        json_decref(files);
        json_decref(lines);
        json_decref(objects);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "files", files, "lines", lines, "objects", objects,
                     "fixed", save_fixed(config));
}

struct entries {
    struct config_entry *items;
    size_t count;
};

static void entries_free(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->items[i].section);
        free(entries->items[i].key);
        free(entries->items[i].value);
    }
    free(entries->items);
}

/* Returns whether it could be read, and stored. */
static bool load_entry(const json_t *line, const struct strings *files, struct entries *entries)
{
    json_int_t file = json_integer_value(json_array_get(line, 0));
    const json_t *key = json_array_get(line, 3);
    struct config_entry *entry = &entries->items[entries->count];

    if (file < 0 || (size_t)file >= files->count)
        return false;
    entries->count++;
    entry->file = files->items[file];
    entry->line = (unsigned)json_integer_value(json_array_get(line, 1));
    entry->section = serialize_take_bytes(json_array_get(line, 2));
    if (!entry->section || json_is_null(key))
        return entry->section != NULL;
    entry->key = serialize_take_bytes(key);
    entry->value = serialize_take_bytes(json_array_get(line, 4));
    return entry->key && entry->value;
}

static bool load_lines(const json_t *state, struct strings *files, struct entries *entries)
{
    const json_t *paths = json_object_get(state, "files"), *lines = json_object_get(state, "lines");

    for (size_t i = 0; i < json_array_size(paths); i++)
        if (strings_take(files, serialize_take_bytes(json_array_get(paths, i))) < 0)
            return false;
    entries->items = calloc(json_array_size(lines) + 1, sizeof(*entries->items));
    if (!entries->items || files->count == 0)
        return false;
    for (size_t i = 0; i < json_array_size(lines); i++)
        if (!load_entry(json_array_get(lines, i), files, entries))
            return false;
    return true;
}

/* Every module needs to know its .so. */
static bool load_objects(const json_t *state, struct config *config)
{
    const json_t *objects = json_object_get(state, "objects");
    size_t found = 0;

    for (size_t i = 0; i < json_array_size(objects); i++) {
        const json_t *object = json_array_get(objects, i);
        const char *name = json_string_value(json_object_get(object, "module"));
        struct config_module *module = name ? config_find(config, name) : NULL;

        if (!module || module->path)
            return false;
        module->path = serialize_take_bytes(json_object_get(object, "path"));
        if (!module->path)
            return false;
        module->file_id =
            (struct file_id){.device = (dev_t)json_integer_value(json_object_get(object, "device")),
                             .inode = (ino_t)json_integer_value(json_object_get(object, "inode")),
                             .mtime = json_integer_value(json_object_get(object, "mtime"))};
        found++;
    }
    return found == config->module_count;
}

/* A reeved of before did not say it: then the lines count. */
static bool load_fixed(const json_t *fixed, struct config *config)
{
    const json_t *listen = json_object_get(fixed, "listen");
    json_int_t connections = json_integer_value(json_object_get(fixed, "max_connections"));
    struct config before = {.connections_max = (unsigned)connections};
    bool good = connections > 0 && connections <= UINT_MAX;

    if (!fixed)
        return true;
    before.control = serialize_take_bytes(json_object_get(fixed, "control"));
    good = good && before.control;
    for (size_t i = 0; good && i < json_array_size(listen); i++)
        good = strings_take(&before.listen, serialize_take_bytes(json_array_get(listen, i))) >= 0;
    if (good)
        config_keep_fixed(config, &before);
    strings_free(&before.listen);
    free(before.control);
    return good;
}

struct config *config_restore(const json_t *state, const struct config_places *places,
                              struct serialize_error *error)
{
    cleanup_strings struct strings files = {0};
    _cleanup_(entries_free) struct entries entries = {0};
    cleanup_config struct config *config = NULL;
    struct config_errors errors = {0};

    snprintf(error->text, sizeof(error->text), "the configuration in force cannot be read");
    if (!load_lines(state, &files, &entries))
        return NULL;
    config = config_rebuild(&files, entries.items, entries.count, places, &errors);
    if (!config && errors.texts.count > 0)
        snprintf(error->text, sizeof(error->text), "the configuration in force: %s",
                 errors.texts.items[0]);
    config_errors_free(&errors);
    if (config &&
        (!load_objects(state, config) || !load_fixed(json_object_get(state, "fixed"), config)))
        return NULL;
    return TAKE_PTR(config);
}
