/* SPDX-License-Identifier: MIT */
/*
 * The modules of the module path, and those that a configuration loads from elsewhere: read from
 * the files, without a daemon. Each file is described by a sandboxed reeve-host, which checks it as
 * a host that loads it.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/inspect.h"
#include "ctl/table.h"

/* Gathering --------------------------------------------------------------- */

static bool is_same_file(const char *a, const char *b)
{
    cleanup_free char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);

    return string_equal(a, b) || (real_a && string_equal(real_a, real_b));
}

/* The names of the sections that load the file, or of those whose load is found nowhere. */
static json_t *find_sections(const struct config *config, const char *path, const char *load)
{
    json_t *list = json_array();

    for (size_t i = 0; config && i < config->module_count; i++) {
        const struct config_module *module = config->modules[i];
        bool loads = path ? module->path && is_same_file(module->path, path)
                          : !module->path && string_equal(module->load, load);

        if (loads)
            json_array_append_new(list, json_string(module->name));
    }
    return list;
}

/* Whether the list has one of this name already: that is what `load =` finds. */
static bool is_shadowed(const json_t *list, const char *name)
{
    json_t *module;
    size_t i;

    json_array_foreach(list, i,
                       module) if (strcmp(get_text(module, "name"), name) == 0) return true;
    return false;
}

static json_t *copy_member(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    return value ? json_incref(value) : json_null();
}

/* path: NULL for a module that is found nowhere. */
static int add_module(json_t *list, const struct config *config, const char *name, const char *path,
                      bool shadowed)
{
    static const char *const members[] = {"version", "summary", "abi", "runtime", "error"};
    json_t *document = path ? inspect_file(path) : NULL;
    json_t *module = json_pack("{s:o, s:o, s:b, s:o}", "name", make_printable(name), "file",
                               make_printable(path), "shadowed", shadowed, "sections",
                               find_sections(config, path, name));

    if (!module || (path && !document)) {
        json_decref(document);
        json_decref(module);
        return CTL_EXIT_FAILURE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        json_object_set_new(module, members[i], copy_member(document, members[i]));
    if (!path)
        json_object_set_new(module, "error", json_string("there is no such module"));
    json_array_append_new(list, module);
    json_decref(document);
    return 0;
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_object(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot && strcmp(dot, ".so") == 0;
}

static int add_folder(json_t *list, const struct config *config, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_object, compare_entries), r = 0;

    if (count < 0) {
        fprintf(stderr, "reevectl: %s: %s\n", folder, strerror(errno));
        return CTL_EXIT_FAILURE;
    }
    for (int i = 0; i < count; i++) {
        cleanup_free char *path = format_new("%s/%s", folder, entries[i]->d_name);

        entries[i]->d_name[strlen(entries[i]->d_name) - strlen(".so")] = '\0';
        text_sanitise(entries[i]->d_name);
        if (r == 0)
            r = !path ? CTL_EXIT_FAILURE
                      : add_module(list, config, entries[i]->d_name, path,
                                   is_shadowed(list, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return r;
}

static bool is_listed(const json_t *list, const char *path, const char *load)
{
    json_t *module;
    size_t i;

    json_array_foreach(list, i, module)
    {
        const char *file = json_string_value(json_object_get(module, "file"));

        if (path ? file && is_same_file(file, path)
                 : !file && string_equal(get_text(module, "name"), load))
            return true;
    }
    return false;
}

/* Files that sections load by a path of their own, or cannot find. */
static int add_others(json_t *list, const struct config *config)
{
    int r = 0;

    for (size_t i = 0; config && i < config->module_count && r == 0; i++) {
        const struct config_module *module = config->modules[i];
        bool there = module->path && access(module->path, F_OK) == 0;

        if (module->load && !is_listed(list, there ? module->path : NULL, module->load))
            r = add_module(list, config, module->load, there ? module->path : NULL, false);
    }
    return r;
}

/* Printing ---------------------------------------------------------------- */

static void join_sections(const json_t *module, char *buffer, size_t size)
{
    size_t used = 0, i;
    json_t *name;

    string_copy(buffer, size, "-");
    json_array_foreach(json_object_get(module, "sections"), i, name) if (used < size) used +=
        (size_t)snprintf(buffer + used, size - used, "%s%s", i > 0 ? ", " : "",
                         json_string_value(name));
}

static void print_modules(const struct ctl *ctl, const json_t *list)
{
    static const char *const columns[] = {"MODULE", ">ABI", "SECTIONS", "FILE", "NOTES", NULL};
    struct table *table = table_create(ctl, columns);
    char sections[512];
    json_t *module;
    size_t i;

    json_array_foreach(list, i, module)
    {
        const char *error = get_text(module, "error");
        bool shadowed = json_is_true(json_object_get(module, "shadowed"));

        join_sections(module, sections, sizeof(sections));
        table_line(table);
        table_cell(table, "%s", get_text(module, "name"));
        table_colour(table, *error ? "fail" : shadowed ? "warn" : "pass");
        if (json_is_integer(json_object_get(module, "abi")))
            table_cell(table, "%lld", get_number(module, "abi"));
        else
            table_cell(table, "-");
        table_cell(table, "%s", sections);
        table_cell(table, "%s", *get_text(module, "file") ? get_text(module, "file") : "-");
        table_cell(table, "%s%s",
                   shadowed ? "not found by its name, which an earlier directory has; " : "",
                   *error ? error : get_text(module, "summary"));
    }
    table_print(table);
}

/* Not beside the table, which programs may read. */
static void tell_config(const struct config *config)
{
    json_t *path;

    if (!config) {
        fprintf(stderr,
                "reevectl: there is no %s, so no sections are shown; -c names another file\n",
                REEVE_CONFIG_FILE);
        return;
    }
    path = make_printable(config->files.items[0]);
    fprintf(stderr, "reevectl: the sections are those of %s%s\n",
            path ? json_string_value(path) : "",
            config->files.count > 1 ? " and what it includes" : "");
    json_decref(path);
}

static json_t *make_folders(const struct strings *folders)
{
    json_t *list = json_array();

    for (size_t i = 0; i < folders->count; i++)
        json_array_append_new(list, make_printable(folders->items[i]));
    return list;
}

int command_modules(const struct ctl *ctl, int count _unused_, char **words _unused_)
{
    cleanup_config struct config *config = NULL;
    cleanup_strings struct strings folders = {0};
    json_t *list = json_array(), *document;
    int r = inspect_read_config(ctl, &config), other;

    if (r == 0)
        r = inspect_find_folders(config, &folders);
    if (r != 0) {
        json_decref(list);
        return r;
    }
    /* A directory that cannot be read does not hide the others. */
    for (size_t i = 0; i < folders.count; i++) {
        other = add_folder(list, config, folders.items[i]);
        r = r != 0 ? r : other;
    }
    other = add_others(list, config);
    r = r != 0 ? r : other;
    if (ctl->json) {
        document = json_pack("{s:o, s:o, s:O}", "config",
                             make_printable(config ? config->files.items[0] : NULL), "directories",
                             make_folders(&folders), "modules", list);
        print_json(document);
        json_decref(document);
    } else {
        print_modules(ctl, list);
        fflush(stdout);
        tell_config(config);
    }
    json_decref(list);
    return r;
}
