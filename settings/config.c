/* SPDX-License-Identifier: MIT */
/*
 * The life of a configuration value: places, look-up. Reading is in load.c, what a whole
 * configuration must fulfil in check.c.
 */
#include "settings/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

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
    strings_free(&config->allowed_hosts);
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
