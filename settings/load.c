/* SPDX-License-Identifier: MIT */
/*
 * Reading: files into sections, keys into settings. The main file is read first and then what its
 * `include` patterns match, in the order of names; an included file may not include further ones.
 */
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "settings/check.h"
#include "settings/config.h"
#include "settings/credentials.h"
#include "settings/ini_file.h"
#include "settings/key_tables.h"
#include "settings/keys.h"
#include "settings/place.h"

#define MODULE_PREFIX "module:"

/* At most so many settings in one table; a bit for each tells which were given. */
#define SETTINGS_MAX 64

struct loader {
    struct config *config;
    struct config_errors *errors;
    const struct config_places *places;
    bool in_force;    /* it was good when it was read: what the machine has is not looked at */
    const char *file; /* the file that is being read: one of config->files */
    bool main_file;
    /* The section that is being read. Both NULL: a refused one. */
    const struct setting *table;
    void *base;
    struct config_module *module;
    unsigned section_line;
    unsigned given[SETTINGS_MAX]; /* the line of each setting of the table, 0: not yet */
    bool daemon_seen;
};

/* Takes in the line, for who must make the same configuration again. */
static void note_entry(struct loader *loader, const char *section, const char *key,
                       const char *value, unsigned line)
{
    struct config *config = loader->config;
    struct config_entry *entries, entry = {.file = loader->file, .line = line};

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
        loader->errors->failed = true;
        return;
    }
    entries[config->entry_count++] = entry;
}

static size_t table_index(const struct loader *loader, const struct setting *setting)
{
    return (size_t)(setting - loader->table);
}

static void tell_missing(struct loader *loader, const struct setting *setting)
{
    char message[SETTING_MESSAGE_SIZE];

    setting_say_missing(setting, setting->key, message, sizeof(message));
    config_error(loader->errors, loader->file, loader->section_line, "[module:%s] %s",
                 loader->module->name, message);
}

/* What must hold once a section is complete. */
static void finish_section(struct loader *loader)
{
    if (!loader->table)
        return;
    for (const struct setting *s = loader->table; s->key; s++)
        if ((s->flags & SETTING_REQUIRED) && loader->given[table_index(loader, s)] == 0)
            tell_missing(loader, s);
    if (loader->module && !loader->module->host)
        loader->module->host = strdup(loader->module->name);
    loader->table = NULL;
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

static struct config_module *add_module(struct loader *loader, const char *name, unsigned line)
{
    struct config *config = loader->config;
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
        loader->errors->failed = true;
        return NULL;
    }
    module->file = loader->file;
    module->line = line;
    module->index = config->module_count;
    config->modules[config->module_count++] = module;
    return module;
}

static void begin_module(struct loader *loader, const char *name, unsigned line)
{
    const struct config_module *other = config_find(loader->config, name);

    if (!module_name_is_valid(name)) {
        config_error(loader->errors, loader->file, line,
                     "[module:%s]: a module's name begins with a letter or digit and has letters, "
                     "digits, '-', '_' and '.'",
                     name);
    } else if (other) {
        config_error(loader->errors, loader->file, line, "[module:%s] stands already at %s:%u",
                     name, other->file, other->line);
    } else {
        loader->module = add_module(loader, name, line);
        loader->base = loader->module;
        loader->table = loader->module ? module_keys : NULL;
    }
}

static void begin_section(void *arg, const char *section, unsigned line)
{
    struct loader *loader = arg;

    note_entry(loader, section, NULL, NULL, line);
    finish_section(loader);
    loader->module = NULL;
    loader->section_line = line;
    memset(loader->given, 0, sizeof(loader->given));
    if (strcmp(section, "daemon") == 0 && loader->main_file) {
        loader->table = daemon_keys;
        loader->base = loader->config;
    } else if (strcmp(section, "daemon") == 0) {
        config_error(loader->errors, loader->file, line, "[daemon] belongs into the main file, %s",
                     loader->config->files.items[0]);
    } else if (strncmp(section, MODULE_PREFIX, strlen(MODULE_PREFIX)) == 0) {
        begin_module(loader, section + strlen(MODULE_PREFIX), line);
    } else {
        config_error(loader->errors, loader->file, line,
                     "unknown section [%s]: expected [daemon] or [module:NAME]", section);
    }
}

static void add_option(struct loader *loader, const char *key, const char *value, unsigned line)
{
    struct config_module *module = loader->module;
    struct config_option *options =
        array_grow(module->options, module->option_count, sizeof(*options));
    struct config_option *option;

    if (!options) {
        loader->errors->failed = true;
        return;
    }
    module->options = options;
    option = &options[module->option_count++];
    *option = (struct config_option){strdup(key), strdup(value), loader->file, line};
    if (!option->key || !option->value)
        loader->errors->failed = true;
}

static void unknown_daemon_key(struct loader *loader, const char *key, const char *value,
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
    config_error(loader->errors, loader->file, line, "[daemon] %s%s", message,
                 *hint ? hint : nearest_words(&nearest));
}

/*
 * Makes the paths of a list absolute, from the first one on, and looks whether they are there. What
 * cannot be seen by whoever checks, or lies in a state folder that is still to be made, may be.
 */
static void take_paths(struct loader *loader, const char *section, const struct setting *setting,
                       size_t first, unsigned line)
{
    struct strings *list = setting_member(setting, loader->base);
    const char *state = loader->places->state;

    for (size_t i = first; i < list->count; i++) {
        bool relative = *list->items[i] != '/';
        char *path = relative ? format_new("%s/%s", state, list->items[i]) : NULL;

        if (relative && !path) {
            loader->errors->failed = true;
            return;
        }
        if (!loader->in_force && access(path ? path : list->items[i], F_OK) < 0 &&
            errno != EACCES && !(relative && access(state, F_OK) < 0))
            config_error(loader->errors, loader->file, line, "[%s] %s = %s: %s%s", section,
                         setting->key, list->items[i], strerror(errno),
                         relative ? " (in the state folder)" : "");
        if (path) {
            free(list->items[i]);
            list->items[i] = path;
        }
    }
}

static size_t list_length(const struct loader *loader, const struct setting *setting)
{
    const struct strings *list = setting_member(setting, loader->base);

    return setting_is_list(setting) ? list->count : 0;
}

static void take_setting(struct loader *loader, const struct setting *setting, const char *section,
                         const char *value, unsigned line)
{
    unsigned *given = &loader->given[table_index(loader, setting)];
    size_t length = list_length(loader, setting);
    char message[SETTING_MESSAGE_SIZE];
    int r = -EINVAL;

    if (*given > 0 && !setting_is_repeated(setting)) {
        setting_say_twice(setting->key, *given, message, sizeof(message));
    } else {
        *given = line;
        r = setting_parse(setting, setting->key, value, setting_member(setting, loader->base),
                          message, sizeof(message));
    }
    if (r == -EINVAL)
        config_error(loader->errors, loader->file, line, "[%s] %s", section, message);
    else if (r < 0)
        loader->errors->failed = true;
    else if (setting->flags & SETTING_FILES)
        take_paths(loader, section, setting, length, line);
}

static void take_value(void *arg, const char *section, const char *key, const char *value,
                       unsigned line)
{
    struct loader *loader = arg;
    const struct setting *setting;

    note_entry(loader, section, key, value, line);
    if (!loader->table)
        return;
    setting = setting_find(loader->table, key);
    if (setting)
        take_setting(loader, setting, section, value, line);
    else if (loader->module)
        /* The module itself knows its own keys and its tasks'. */
        add_option(loader, key, value, line);
    else
        unknown_daemon_key(loader, key, value, line);
}

static int read_file(struct loader *loader, const char *path)
{
    static const struct ini_handler handler = {begin_section, take_value};
    int r;

    if (strings_add(&loader->config->files, path) < 0) {
        loader->errors->failed = true;
        return -ENOMEM;
    }
    loader->file = loader->config->files.items[loader->config->files.count - 1];
    r = ini_read(loader->file, &handler, loader, loader->errors);
    finish_section(loader);
    return r;
}

/* Paths in a file are relative to the main file's folder. *path is replaced. */
static void make_absolute(struct loader *loader, char **path)
{
    const char *file = loader->config->files.items[0];
    const char *slash = strrchr(file, '/');
    char *absolute;

    if (!*path || **path == '/' || !slash)
        return;
    absolute = format_new("%.*s/%s", (int)(slash - file), file, *path);
    if (!absolute) {
        loader->errors->failed = true;
        return;
    }
    free(*path);
    *path = absolute;
}

/* A folder that is not there has no matches; one that cannot be searched must not look like that.
 */
static int folder_is_unreadable(const char *path _unused_, int error)
{
    return error != ENOENT;
}

static void read_include(struct loader *loader, const char *path)
{
    if (read_file(loader, path) == 1)
        config_error(
            loader->errors, path, 0,
            "there is nothing in it: an empty or cut file is not taken for a configuration "
            "without its modules. Remove the file, or leave a comment in it");
}

static void read_includes(struct loader *loader)
{
    for (size_t i = 0; i < loader->config->include.count; i++) {
        const char *pattern = loader->config->include.items[i];
        bool literal = strpbrk(pattern, "*?[") == NULL;
        glob_t matches;
        int r = glob(pattern, 0, folder_is_unreadable, &matches);

        if (r == 0) {
            for (size_t j = 0; j < matches.gl_pathc; j++)
                read_include(loader, matches.gl_pathv[j]);
            globfree(&matches);
        } else if (r != GLOB_NOMATCH || literal) {
            const struct config_place place = config_place_of(loader->config, NULL, "include", i);

            config_error(
                loader->errors, place.file, place.line, "[daemon] include = %s: %s", pattern,
                r == GLOB_NOMATCH ? "there is no such file" : "the folder cannot be searched");
        }
    }
}

static void fill_in(struct loader *loader, const struct config_places *places)
{
    struct config *config = loader->config;

    for (const struct setting *s = daemon_keys; s->key; s++)
        if (setting_fill(s, setting_member(s, config)) < 0)
            loader->errors->failed = true;
    if (config->modules_path.count == 0 && strings_add(&config->modules_path, places->modules) < 0)
        loader->errors->failed = true;
    if (!config->control && !(config->control = format_new("%s/control", places->runtime)))
        loader->errors->failed = true;
    make_absolute(loader, &config->control);
    for (size_t i = 0; i < config->modules_path.count; i++)
        make_absolute(loader, &config->modules_path.items[i]);
    for (size_t i = 0; i < config->module_count; i++)
        if (config->modules[i]->load && strchr(config->modules[i]->load, '/'))
            make_absolute(loader, &config->modules[i]->load);
}

struct config *config_read(const char *path, const struct config_places *places,
                           struct config_errors *errors)
{
    cleanup_config struct config *config = calloc(1, sizeof(*config));
    struct loader loader = {
        .config = config, .errors = errors, .places = places, .main_file = true};
    char *real = realpath(path, NULL);
    int r;

    if (!config || (!real && errno == ENOMEM)) {
        errors->failed = true;
        free(real);
        return NULL;
    }
    config->references = 1;
    if (settings_init(daemon_keys, config) < 0)
        errors->failed = true;
    /* A file that is not there is reported by its own name. */
    r = read_file(&loader, real ? real : path);
    free(real);
    if (r < 0)
        return NULL;
    if (config->entry_count == 0 && !config_errors_any(errors))
        config_error(
            errors, path, 0,
            "there is no section in it: an empty or cut file is not taken for a configuration "
            "without modules, which is a line \"[daemon]\"");
    loader.main_file = false;
    for (size_t i = 0; i < config->include.count; i++)
        make_absolute(&loader, &config->include.items[i]);
    read_includes(&loader);
    fill_in(&loader, places);
    if (errors->failed)
        return NULL;
    config_find_objects(config, errors);
    config_check(config, errors);
    return TAKE_PTR(config);
}

struct config *config_load(const char *path, const struct config_places *places,
                           struct config_errors *errors)
{
    cleanup_config struct config *config = config_read(path, places, errors);

    if (config)
        credentials_resolve(config, places, errors);
    return config_errors_any(errors) ? NULL : TAKE_PTR(config);
}

/* Which file an entry is of; the main file for a name that is none of them. */
static size_t file_index(const struct strings *files, const char *file)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i], file) == 0)
            return i;
    return 0;
}

struct config *config_rebuild(const struct strings *files, const struct config_entry *entries,
                              size_t entry_count, const struct config_places *places,
                              struct config_errors *errors)
{
    cleanup_config struct config *config = calloc(1, sizeof(*config));
    struct loader loader = {.config = config, .errors = errors, .places = places, .in_force = true};

    if (!config || files->count == 0) {
        errors->failed = true;
        return NULL;
    }
    config->references = 1;
    if (settings_init(daemon_keys, config) < 0)
        errors->failed = true;
    if (strings_append(&config->files, files) < 0)
        errors->failed = true;
    for (size_t i = 0; i < entry_count && !errors->failed; i++) {
        size_t file = file_index(&config->files, entries[i].file);

        loader.file = config->files.items[file];
        loader.main_file = file == 0;
        if (!entries[i].key)
            begin_section(&loader, entries[i].section, entries[i].line);
        else
            take_value(&loader, entries[i].section, entries[i].key, entries[i].value,
                       entries[i].line);
    }
    finish_section(&loader);
    for (size_t i = 0; i < config->include.count; i++)
        make_absolute(&loader, &config->include.items[i]);
    if (!errors->failed)
        fill_in(&loader, places);
    if (!errors->failed)
        config_check(config, errors);
    /* systemd does not change them while the service runs. */
    if (!errors->failed)
        credentials_resolve(config, places, errors);
    return config_errors_any(errors) ? NULL : TAKE_PTR(config);
}
