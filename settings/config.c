/* SPDX-License-Identifier: MIT */
/*
 * The life of a configuration value: places, look-up, comparison. Reading is in load.c, and what a
 * whole configuration must fulfil in check.c.
 */
#include "settings/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "settings/settings.h"

static const char *from_environment(const char *name, const char *fallback)
{
    const char *value = secure_getenv(name);

    return value && *value == '/' ? value : fallback;
}

void config_places_init(struct config_places *ret_places)
{
    ret_places->runtime = from_environment("RUNTIME_DIRECTORY", "/run/reeve");
    ret_places->state = from_environment("STATE_DIRECTORY", "/var/lib/reeve");
    ret_places->modules = from_environment("REEVE_MODULE_PATH", REEVE_MODULE_DIR);
    ret_places->credentials = from_environment("CREDENTIALS_DIRECTORY", NULL);
    ret_places->credentials_optional = false;
}

static void config_module_free(struct config_module *module)
{
    for (size_t i = 0; i < module->option_count; i++) {
        free(module->options[i].key);
        free(module->options[i].value);
        if (module->options[i].secret)
            explicit_bzero(module->options[i].secret, strlen(module->options[i].secret));
        free(module->options[i].secret);
    }
    free(module->options);
    free(module->name);
    free(module->load);
    free(module->path);
    free(module->host);
    strings_free(&module->after);
    strings_free(&module->requires);
    config_limits_free(&module->limits);
    free(module);
}

struct config *config_ref(struct config *config)
{
    config->references++;
    return config;
}

void config_free(struct config *config)
{
    if (!config || --config->references > 0)
        return;
    for (size_t i = 0; i < config->module_count; i++)
        config_module_free(config->modules[i]);
    free(config->modules);
    name_map_free(&config->by_name);
    free(config->control);
    peers_free(&config->control_read);
    peers_free(&config->control_write);
    strings_free(&config->listen);
    strings_free(&config->host_names);
    strings_free(&config->modules_path);
    strings_free(&config->include);
    strings_free(&config->files);
    for (size_t i = 0; i < config->entry_count; i++) {
        free(config->entries[i].section);
        free(config->entries[i].key);
        free(config->entries[i].value);
    }
    free(config->entries);
    free(config);
}

struct config_module *config_find(const struct config *config, const char *name)
{
    return name_map_find(&config->by_name, name);
}

void config_nearest(const struct config *config, const char *name, struct nearest *ret_nearest)
{
    nearest_begin(ret_nearest, name);
    for (size_t i = 0; i < config->module_count; i++)
        nearest_offer(ret_nearest, config->modules[i]->name);
}

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

    if (!setting->list)
        return 1;
    (void)setting->parse(value, &items);
    return items.count;
}

struct config_place config_place_of(const struct config *config, const struct config_module *module,
                                    const char *key, size_t item)
{
    const struct setting *setting = setting_find(module ? module_settings : daemon_settings, key);
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

/* The lines where options stand do not matter, only what they say. */
static bool same_options(const struct config_module *a, const struct config_module *b)
{
    if (a->option_count != b->option_count)
        return false;
    for (size_t i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i].key, b->options[i].key) != 0 ||
            strcmp(a->options[i].value, b->options[i].value) != 0 ||
            !string_equal(a->options[i].secret, b->options[i].secret))
            return false;
    return true;
}

static bool same_policy(const struct config_module *a, const struct config_module *b)
{
    return a->restart == b->restart && a->on_failed == b->on_failed &&
           a->essential == b->essential && a->drain_queue == b->drain_queue &&
           a->restart_delay == b->restart_delay && a->restart_delay_max == b->restart_delay_max &&
           a->restart_reset == b->restart_reset &&
           a->restart_limit.count == b->restart_limit.count &&
           a->restart_limit.window == b->restart_limit.window && a->drain == b->drain &&
           a->drain_stall == b->drain_stall && a->grace == b->grace &&
           a->start_timeout == b->start_timeout && a->reload_timeout == b->reload_timeout &&
           strings_equal(&a->after, &b->after) && strings_equal(&a->requires, &b->requires);
}

enum config_change config_compare(const struct config_module *before,
                                  const struct config_module *after)
{
    if (strcmp(before->path, after->path) != 0 || strcmp(before->host, after->host) != 0 ||
        config_limits_differ(&before->limits, &after->limits))
        return CONFIG_RESTART;
    if (!same_options(before, after))
        return CONFIG_RELOAD;
    return same_policy(before, after) ? CONFIG_SAME : CONFIG_POLICY;
}

void config_keep_fixed(struct config *config, const struct config *before)
{
    char *control = strdup(before->control);

    strings_free(&config->listen);
    (void)strings_append(&config->listen, &before->listen);
    if (control) {
        free(config->control);
        config->control = control;
    }
    config->connections_max = before->connections_max;
}
