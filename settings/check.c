/* SPDX-License-Identifier: MIT */
#include "settings/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/name_map.h"
#include "base/nearest.h"
#include "settings/address.h"
#include "settings/compare.h"
#include "settings/place.h"

static bool is_file(const char *path, struct file_id *ret_id)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return false;
    *ret_id = file_id_of(&status);
    return true;
}

/* An error about a key, as config_place_of() has it. */
#define error_at_key(errors, config, module, key, item, ...)                             \
    do {                                                                                 \
        struct config_place place_ = config_place_of((config), (module), (key), (item)); \
                                                                                         \
        config_error((errors), place_.file, place_.line, __VA_ARGS__);                   \
    } while (0)

/* Behind "there is no such module": a plain name that a compiler or ls shows is meant as that of a
 * file. */
static void hint_at_file(const struct config *config, const char *file, struct text *text)
{
    const char *main_file = config->files.items[0], *slash = strrchr(main_file, '/');
    cleanup_free char *path =
        slash ? format_new("%.*s/%s", (int)(slash - main_file), main_file, file) : NULL;
    struct file_id id;

    if (path && is_file(path, &id))
        text_append_format(text, "; the file in the directory of %s is ./%s", slash + 1, file);
}

static void find_object(const struct config *config, struct config_module *module,
                        struct config_errors *errors)
{
    cleanup_text struct text tried = {0};
    const char *dot = strrchr(module->load, '.');
    cleanup_free char *file = NULL;

    if (strchr(module->load, '/')) {
        module->path = strdup(module->load);
        if (!module->path)
            errors->failed = true;
        else if (!is_file(module->path, &module->file_id))
            error_at_key(errors, config, module, "load", 0, "[module:%s] load = %s: %s",
                         module->name, module->load, strerror(errno));
        return;
    }
    file = format_new("%s%s", module->load, dot && strcmp(dot, ".so") == 0 ? "" : ".so");
    if (!file) {
        errors->failed = true;
        return;
    }
    for (size_t i = 0; i < config->modules_path.count; i++) {
        char *path = format_new("%s/%s", config->modules_path.items[i], file);

        if (path && is_file(path, &module->file_id)) {
            module->path = path;
            return;
        }
        text_append_format(&tried, "%s%s", i > 0 ? ", " : "", path ? path : "");
        free(path);
    }
    hint_at_file(config, file, &tried);
    error_at_key(errors, config, module, "load", 0,
                 "[module:%s] load = %s: there is no such module; looked for %s", module->name,
                 module->load, text_string(&tried));
}

static void check_names(const struct config *config, const struct config_module *module,
                        const char *key, const struct strings *names, struct config_errors *errors)
{
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i];
        struct nearest nearest;

        if (config_find(config, name))
            continue;
        config_nearest(config, name, &nearest);
        error_at_key(errors, config, module, key, i,
                     "[module:%s] %s = %s: there is no [module:%s]%s", module->name, key, name,
                     name, nearest_words(&nearest));
    }
}

/* An item of a module's list. */
struct wait {
    const char *key;
    size_t item;
};

/* Depth-first search over `after` and `requires`; path holds the modules on the way. */
struct walk {
    const struct config *config;
    const struct config_module **path;
    struct wait *waits; /* by what each of them waits for the next */
    size_t depth;
    bool *done;
    struct config_errors *errors;
};

static void report_circle(struct walk *walk, size_t start)
{
    cleanup_text struct text circle = {0};
    const struct config_module *module = walk->path[start];

    for (size_t i = start; i < walk->depth; i++)
        text_append_format(&circle, "%s -> ", walk->path[i]->name);
    error_at_key(walk->errors, walk->config, module, walk->waits[start].key,
                 walk->waits[start].item,
                 "[module:%s] waits for itself: %s%s; take one `after` or `requires` away",
                 module->name, text_string(&circle), module->name);
}

static void visit(struct walk *walk, const struct config_module *module)
{
    static const char *const keys[] = {"after", "requires"};
    const struct strings *lists[] = {&module->after, &module->requires};

    for (size_t i = 0; i < walk->depth; i++)
        if (walk->path[i] == module) {
            report_circle(walk, i);
            return;
        }
    if (walk->done[module->index])
        return;
    walk->path[walk->depth++] = module;
    for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
        for (size_t i = 0; i < lists[l]->count; i++) {
            const struct config_module *next = config_find(walk->config, lists[l]->items[i]);

            if (!next)
                continue;
            walk->waits[walk->depth - 1] = (struct wait){keys[l], i};
            visit(walk, next);
        }
    walk->depth--;
    walk->done[module->index] = true;
}

static void check_circles(const struct config *config, struct config_errors *errors)
{
    struct walk walk = {.config = config, .errors = errors};

    walk.path = calloc(config->module_count + 1, sizeof(struct config_module *));
    walk.waits = calloc(config->module_count + 1, sizeof(*walk.waits));
    walk.done = calloc(config->module_count + 1, sizeof(bool));
    if (!walk.path || !walk.waits || !walk.done)
        errors->failed = true;
    else
        for (size_t i = 0; i < config->module_count; i++)
            visit(&walk, config->modules[i]);
    free(walk.path);
    free(walk.waits);
    free(walk.done);
}

/* A process has one user, one memory and one view of the files. */
static void check_same_limits(const struct config *config, const struct config_module *module,
                              const struct config_module *other, struct config_errors *errors)
{
    const char *key = config_limits_differ(&module->limits, &other->limits);
    struct config_place place;

    if (!key)
        return;
    place = config_place_of(config, module, key, 0);
    /* It may stand in one of them alone. */
    if (place.line == module->line)
        place = config_place_of(config, other, key, 0);
    config_error(
        errors, place.file, place.line,
        "[module:%s] and [module:%s] share the host \"%s\" and differ in \"%s\": limits and "
        "sandbox are the process's, so they must be the same, or the hosts others",
        module->name, other->name, module->host, key);
}

/* By another name: the dynamic linker knows files, too. By the same one it may be reentrant, which
 * only the file tells. */
static bool loads_the_same(const struct config_module *module, const struct config_module *other)
{
    return !string_equal(module->path, other->path) &&
           (module->file_id.inode != 0 && module->file_id.device == other->file_id.device &&
            module->file_id.inode == other->file_id.inode);
}

/* The tenants of one host so far. */
struct host_tenants {
    const struct config_module *first;
    size_t last; /* the index of the last one */
    size_t count;
};

/* before: of each module the tenant of its host before it, by its index. */
static void check_tenant(const struct config *config, const struct config_module *module,
                         struct host_tenants *tenants, size_t *before, struct config_errors *errors)
{
    size_t other = tenants->last;

    before[module->index] = other;
    tenants->last = module->index;
    for (size_t left = tenants->count; left > 0 && module->path; left--, other = before[other])
        if (loads_the_same(module, config->modules[other]))
            error_at_key(errors, config, module, "load", 0,
                         "[module:%s] and [module:%s] load the same %s in one host \"%s\", where "
                         "they would share its variables: give one of them another host",
                         module->name, config->modules[other]->name, module->path, module->host);
    if (tenants->count > 0)
        check_same_limits(config, module, tenants->first, errors);
    if (++tenants->count == CONFIG_TENANTS_MAX + 1)
        error_at_key(errors, config, module, "host", 0,
                     "[module:%s] is one more than the %d modules that a host takes", module->name,
                     CONFIG_TENANTS_MAX);
}

static void check_tenants(const struct config *config, struct config_errors *errors)
{
    struct host_tenants *hosts = calloc(config->module_count + 1, sizeof(*hosts)), *next = hosts;
    size_t *before = calloc(config->module_count + 1, sizeof(*before));
    struct name_map by_name = {0};

    for (size_t i = 0; hosts && before && i < config->module_count; i++) {
        const struct config_module *module = config->modules[i];
        struct host_tenants *tenants = name_map_find(&by_name, module->host);

        if (!tenants) {
            tenants = next++;
            tenants->first = module;
            errors->failed = name_map_add(&by_name, module->host, tenants) < 0 || errors->failed;
        }
        check_tenant(config, module, tenants, before, errors);
    }
    errors->failed = errors->failed || !hosts || !before;
    name_map_free(&by_name);
    free(before);
    free(hosts);
}

void config_find_objects(struct config *config, struct config_errors *errors)
{
    for (size_t i = 0; i < config->module_count; i++)
        if (config->modules[i]->load)
            find_object(config, config->modules[i], errors);
}

void config_check(const struct config *config, struct config_errors *errors)
{
    for (size_t i = 0; i < config->module_count; i++) {
        const struct config_module *module = config->modules[i];

        check_names(config, module, "after", &module->after, errors);
        check_names(config, module, "requires", &module->requires, errors);
    }
    check_circles(config, errors);
    check_tenants(config, errors);
    for (size_t i = 0; i < config->listen.count; i++) {
        struct address address;

        if (address_parse(config->listen.items[i], &address) < 0)
            error_at_key(errors, config, NULL, "listen", i,
                         "[daemon] listen = %s: expected ADDRESS:PORT with a numeric address, such "
                         "as 127.0.0.1:8080 or [::1]:8080",
                         config->listen.items[i]);
    }
}
