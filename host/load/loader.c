/* SPDX-License-Identifier: MIT */
#include "host/load/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "host/load/loaded_files.h"
#include "host/load/note.h"
#include "host/load/option_table.h"
#include "settings/keys.h"
#include "wire/scoreboard.h"

/* No table of a sane module is longer. */
#define TABLE_MAX 1024

/* There is a record for each task and pool of a process. */
static int check_counts(const struct loaded_module *loaded, const char *path)
{
    if (loaded->task_count > SCOREBOARD_TASKS)
        return rv_fail_text(-EINVAL, "%s: it has %zu tasks, and may have %d", path,
                            loaded->task_count, SCOREBOARD_TASKS);
    if (loaded->pool_count > SCOREBOARD_POOLS)
        return rv_fail_text(-EINVAL, "%s: it has %zu pools, and may have %d", path,
                            loaded->pool_count, SCOREBOARD_POOLS);
    return 0;
}

static int check_file(int fd, const char *path, struct stat *ret_status)
{
    if (fstat(fd, ret_status) < 0)
        return rv_fail(-errno, "%s", path);
    if (!S_ISREG(ret_status->st_mode))
        return rv_fail_text(-EACCES, "%s is not a regular file", path);
    if (ret_status->st_uid != 0 && ret_status->st_uid != geteuid())
        return rv_fail_text(-EACCES, "%s belongs to uid %u: it must be root's or one's own", path,
                            (unsigned)ret_status->st_uid);
    if (ret_status->st_mode & (S_IWGRP | S_IWOTH))
        return rv_fail_text(-EACCES, "%s can be written by others: chmod go-w it", path);
    return 0;
}

static int check_note(int fd, const char *path)
{
    int64_t abi = note_read_abi(fd);

    if (abi == -ENODATA)
        return rv_fail_text(-ENOEXEC, "%s is cut short: copy or build it anew", path);
    if (abi < 0)
        return rv_fail_text((int)abi, "%s is not a shared object", path);
    if (abi == 0)
        return rv_fail_text(-ENOEXEC, "%s is not a module of reeve: it has no RV_MODULE note",
                            path);
    if (abi < RV_MODULE_ABI)
        return rv_fail_text(
            -EPROTO,
            "%s is built for module ABI %u, and this reeve-host has module ABI %d: build it anew; "
            "%s says what to change before",
            path, (unsigned)abi, RV_MODULE_ABI, REEVE_ABI_PAGE);
    if (abi > RV_MODULE_ABI)
        return rv_fail_text(
            -EPROTO,
            "%s is built for module ABI %u, and this reeve-host has module ABI %d: update reeve",
            path, (unsigned)abi, RV_MODULE_ABI);
    return 0;
}

/* Copies a table into elements of our size. */
static int copy_table(const struct rv_table *table, size_t our_size, const char *what,
                      const char *path, void *ret_items, size_t *ret_count)
{
    char *items;

    *ret_count = 0;
    if (table->count == 0)
        return 0;
    if (table->item_size > our_size || table->count > TABLE_MAX)
        return table->count > TABLE_MAX
                   ? rv_fail_text(-EINVAL, "%s: it has %zu %s, and may have %d", path, table->count,
                                  what, TABLE_MAX)
                   : rv_fail_text(-EINVAL,
                                  "%s: its table of %s is newer than this reeve-host: update reeve",
                                  path, what);
    items = calloc(table->count, our_size);
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++)
        memcpy(items + i * our_size, (const char *)table->items + i * table->item_size,
               table->item_size);
    memcpy(ret_items, &items, sizeof(items));
    *ret_count = table->count;
    return 0;
}

static bool is_option_good(const struct loaded_module *loaded, const struct rv_option *option)
{
    size_t room = loaded->module.state_size;

    return option->name && option_is_typed(option) && option->offset <= room &&
           room - option->offset >= option->size;
}

/* Names both: where the module has it, and what it is of reeve's own. */
static int refuse_reserved(const char *path, const char *key)
{
    const struct setting *own = setting_find(module_keys, key);

    if (!own)
        return rv_fail_text(-EINVAL,
                            "%s: its option \"%s\" begins with \"" SETTINGS_TO_COME
                            "\", as keys of "
                            "reeve's own that are to come in a section [module:NAME] of reeve.ini "
                            "will: rename the option",
                            path, key);
    return rv_fail_text(-EINVAL,
                        "%s: its option \"%s\" has the name of reeve's own key \"%s\" of a section "
                        "[module:NAME] of reeve.ini (%s), and would never get its value: rename "
                        "the option",
                        path, key, own->key, own->help);
}

/* A key stands for one thing: of those before it none has this one. */
static int check_key(const struct option_table *table, size_t i, const char *path)
{
    const char *key = table->keys[i];

    if (strchr(key, '.'))
        return rv_fail_text(
            -EINVAL,
            "%s: its option \"%s\" has a dot in its name, as only keys of tasks and "
            "pools have: rename it",
            path, key);
    if (settings_reserve(key))
        return refuse_reserved(path, key);
    if (setting_find(table->settings, key) != &table->settings[i])
        return rv_fail_text(-EINVAL, "%s: two of its options are named \"%s\"", path, key);
    return 0;
}

static int check_options(const struct loaded_module *loaded, const char *path)
{
    cleanup_option_table struct option_table table = {0};
    int r = 0;

    for (size_t i = 0; i < loaded->option_count; i++)
        if (!is_option_good(loaded, &loaded->options[i]))
            return rv_fail_text(
                -EINVAL, "%s: option %zu has no name, type, size or place in the state", path, i);
    for (size_t i = 0; i < loaded->option_count; i++)
        if (loaded->options[i].type == RV_OPTION_TYPE_ENUM &&
            (!loaded->options[i].choices || !loaded->options[i].choices[0]))
            return rv_fail_text(-EINVAL, "%s: its option \"%s\" has no choices", path,
                                loaded->options[i].name);
    r = option_table_create(loaded->options, loaded->option_count, &table);
    for (size_t i = 0; i < table.count && r == 0; i++)
        r = check_key(&table, i, path);
    return r;
}

/* The name of the task, or of the pool after them. */
static const char *work_name(const struct loaded_module *loaded, size_t i)
{
    return i < loaded->task_count ? loaded->tasks[i].name
                                  : loaded->pools[i - loaded->task_count].name;
}

static int check_work(const struct loaded_module *loaded, const char *path)
{
    size_t count = loaded->task_count + loaded->pool_count;

    for (size_t i = 0; i < loaded->task_count; i++)
        if (!loaded->tasks[i].name || !loaded->tasks[i].run)
            return rv_fail_text(-EINVAL, "%s: task %zu has no name or function", path, i);
    for (size_t i = 0; i < loaded->pool_count; i++)
        if (!loaded->pools[i].name || !loaded->pools[i].run)
            return rv_fail_text(-EINVAL, "%s: pool %zu has no name or function", path, i);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(work_name(loaded, i), work_name(loaded, j)) == 0)
                return rv_fail_text(
                    -EINVAL,
                    "%s: two of its tasks and pools are named \"%s\": their keys could "
                    "not be told apart",
                    path, work_name(loaded, i));
    return 0;
}

static int check_names(const struct loaded_module *loaded, const char *path)
{
    int r = check_options(loaded, path);

    return r < 0 ? r : check_work(loaded, path);
}

static int take_tables(const struct rv_module *module, const char *path,
                       struct loaded_module *loaded)
{
    int r;

    if (module->abi != RV_MODULE_ABI || !module->name)
        return rv_fail_text(-EINVAL, "%s: its table does not match its note", path);
    if (module->size > sizeof(loaded->module))
        return rv_fail_text(-EINVAL, "%s: its table is newer than this reeve-host: update reeve",
                            path);
    memcpy(&loaded->module, module, module->size);
    r = copy_table(&loaded->module.options, sizeof(struct rv_option), "options", path,
                   &loaded->options, &loaded->option_count);
    if (r == 0)
        r = copy_table(&loaded->module.tasks, sizeof(struct rv_task), "tasks", path, &loaded->tasks,
                       &loaded->task_count);
    if (r == 0)
        r = copy_table(&loaded->module.pools, sizeof(struct rv_module_pool), "pools", path,
                       &loaded->pools, &loaded->pool_count);
    if (r == 0)
        r = check_counts(loaded, path);
    return r < 0 ? r : check_names(loaded, path);
}

/* dlopen() goes by the path: whether that is still the file which was looked at before. */
static int check_same(const char *path, const struct file_id *before)
{
    struct stat status;
    struct file_id after;

    if (stat(path, &status) < 0)
        return rv_fail(-errno, "%s", path);
    after = file_id_of(&status);
    return file_id_equal(before, &after)
               ? 0
               : rv_fail_text(-EAGAIN, "%s was replaced while it was loaded", path);
}

/* Before it is known to be a good table: only what it surely has. */
static bool is_reentrant(const struct rv_module *module)
{
    return module->size >= offsetof(struct rv_module, reentrant) + sizeof(module->reentrant) &&
           module->reentrant;
}

int loader_load(const char *path, uint32_t slot, struct loaded_module *ret_loaded)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const struct rv_module *module;
    struct stat status;
    void *handle;
    int r;

    *ret_loaded = (struct loaded_module){0};
    if (fd < 0)
        return rv_fail(-errno, "%s", path);
    r = check_file(fd, path, &status);
    if (r == 0)
        r = check_note(fd, path);
    if (r < 0)
        return r;
    ret_loaded->file_id = file_id_of(&status);
    r = loaded_files_claim(path, &ret_loaded->file_id, slot);
    if (r < 0)
        return r;
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        const char *why = dlerror();

        loaded_files_disclaim(path);
        return rv_fail_text(-ELIBBAD, "cannot load %s: %s", path, why ? why : "?");
    }
    module = dlsym(handle, "rv_module");
    loaded_files_confirm(path, module && is_reentrant(module));
    if (!module)
        return rv_fail_text(-ENOEXEC, "%s has no symbol rv_module", path);
    r = check_same(path, &ret_loaded->file_id);
    if (r == 0)
        r = take_tables(module, path, ret_loaded);
    if (r < 0)
        loader_free(ret_loaded);
    return r;
}

void loader_free(struct loaded_module *loaded)
{
    free(loaded->options);
    free(loaded->tasks);
    free(loaded->pools);
    *loaded = (struct loaded_module){0};
}
