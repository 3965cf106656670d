/* SPDX-License-Identifier: MIT */
/*
 * Reading: files into sections, which section_reader.c takes. The main file is read first and then
 * what its `include` patterns match, in the order of names; an included file may not include
 * further ones.
 */
#include <errno.h>
#include <glob.h>
#include <string.h>

#include "settings/check.h"
#include "settings/config.h"
#include "settings/credentials.h"
#include "settings/ini_file.h"
#include "settings/keys.h"
#include "settings/place.h"
#include "settings/section_reader.h"

static int read_file(struct section_reader *reader, const char *path)
{
    static const struct ini_handler handler = {section_reader_begin, section_reader_take};
    int r;

    if (strings_add(&reader->config->files, path) < 0) {
        reader->errors->failed = true;
        return -ENOMEM;
    }
    reader->file = reader->config->files.items[reader->config->files.count - 1];
    r = ini_read(reader->file, &handler, reader, reader->errors);
    section_reader_finish(reader);
    return r;
}

/* Paths in a file are relative to the main file's directory. *path is replaced. */
static void make_absolute(struct section_reader *reader, char **path)
{
    const char *file = reader->config->files.items[0];
    const char *slash = strrchr(file, '/');
    char *absolute;

    if (!*path || **path == '/' || !slash)
        return;
    absolute = format_new("%.*s/%s", (int)(slash - file), file, *path);
    if (!absolute) {
        reader->errors->failed = true;
        return;
    }
    free(*path);
    *path = absolute;
}

/* A directory that is not there has no matches; one that cannot be searched must not look like
 * that.
 */
static int folder_is_unreadable(const char *path _unused_, int error)
{
    return error != ENOENT;
}

static void read_include(struct section_reader *reader, const char *path)
{
    if (read_file(reader, path) == 1)
        config_error(
            reader->errors, path, 0,
            "there is nothing in it: an empty or cut file is not taken for a configuration "
            "without its modules. Remove the file, or leave a comment in it");
}

static void read_includes(struct section_reader *reader)
{
    for (size_t i = 0; i < reader->config->include.count; i++) {
        const char *pattern = reader->config->include.items[i];
        bool literal = strpbrk(pattern, "*?[") == NULL;
        glob_t matches;
        int r = glob(pattern, 0, folder_is_unreadable, &matches);

        if (r == 0) {
            for (size_t j = 0; j < matches.gl_pathc; j++)
                read_include(reader, matches.gl_pathv[j]);
            globfree(&matches);
        } else if (r != GLOB_NOMATCH || literal) {
            const struct config_place place = config_place_of(reader->config, NULL, "include", i);

            config_error(
                reader->errors, place.file, place.line, "[daemon] include = %s: %s", pattern,
                r == GLOB_NOMATCH ? "there is no such file" : "the directory cannot be searched");
        }
    }
}

static void fill_in(struct section_reader *reader, const struct config_places *places)
{
    struct config *config = reader->config;

    for (const struct setting *s = daemon_keys; s->key; s++)
        if (setting_fill(s, setting_member(s, config)) < 0)
            reader->errors->failed = true;
    if (config->modules_path.count == 0 && strings_add(&config->modules_path, places->modules) < 0)
        reader->errors->failed = true;
    if (!config->control && !(config->control = format_new("%s/control", places->runtime)))
        reader->errors->failed = true;
    make_absolute(reader, &config->control);
    for (size_t i = 0; i < config->modules_path.count; i++)
        make_absolute(reader, &config->modules_path.items[i]);
    for (size_t i = 0; i < config->module_count; i++)
        if (config->modules[i]->load && strchr(config->modules[i]->load, '/'))
            make_absolute(reader, &config->modules[i]->load);
}

struct config *config_read(const char *path, const struct config_places *places,
                           struct config_errors *errors)
{
    cleanup_config struct config *config = calloc(1, sizeof(*config));
    struct section_reader reader = {
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
    r = read_file(&reader, real ? real : path);
    free(real);
    if (r < 0)
        return NULL;
    if (config->entry_count == 0 && !config_errors_any(errors))
        config_error(
            errors, path, 0,
            "there is no section in it: an empty or cut file is not taken for a configuration "
            "without modules, which is a line \"[daemon]\"");
    reader.main_file = false;
    for (size_t i = 0; i < config->include.count; i++)
        make_absolute(&reader, &config->include.items[i]);
    read_includes(&reader);
    fill_in(&reader, places);
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
    struct section_reader reader = {
        .config = config, .errors = errors, .places = places, .in_force = true};

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

        reader.file = config->files.items[file];
        reader.main_file = file == 0;
        if (!entries[i].key)
            section_reader_begin(&reader, entries[i].section, entries[i].line);
        else
            section_reader_take(&reader, entries[i].section, entries[i].key, entries[i].value,
                                entries[i].line);
    }
    section_reader_finish(&reader);
    for (size_t i = 0; i < config->include.count; i++)
        make_absolute(&reader, &config->include.items[i]);
    if (!errors->failed)
        fill_in(&reader, places);
    if (!errors->failed)
        config_check(config, errors);
    /* systemd does not change them while the service runs. */
    if (!errors->failed)
        credentials_resolve(config, places, errors);
    return config_errors_any(errors) ? NULL : TAKE_PTR(config);
}
