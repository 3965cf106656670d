/* SPDX-License-Identifier: MIT */
/* Describes a module: its options, tasks and pools, read from its file without a daemon. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/inspect.h"
#include "ctl/table.h"

/* Finding it -------------------------------------------------------------- */

static void offer_names(const char *folder, struct nearest *nearest)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        char *dot = strrchr(entry->d_name, '.');

        if (!dot || strcmp(dot, ".so") != 0)
            continue;
        *dot = '\0';
        nearest_offer(nearest, entry->d_name);
    }
    if (directory)
        closedir(directory);
}

static int tell_unknown(const char *name, const struct strings *folders)
{
    struct nearest nearest;

    nearest_begin(&nearest, name);
    fprintf(stderr, "reevectl: there is no module \"%s\" in ", name);
    for (size_t i = 0; i < folders->count; i++) {
        fprintf(stderr, "%s%s", i > 0 ? ", " : "", folders->items[i]);
        offer_names(folders->items[i], &nearest);
    }
    fprintf(stderr, "%s; `reevectl modules` lists them, and a file is named with its path\n",
            nearest_words(&nearest));
    return CTL_EXIT_UNKNOWN;
}

/* A word without a slash and .so is a module's name, as behind `load =`. */
static int find_file(const struct ctl *ctl, const char *word, char **ret_path)
{
    cleanup_config struct config *config = NULL;
    cleanup_strings struct strings folders = {0};
    const char *dot = strrchr(word, '.');
    int r;

    *ret_path = NULL;
    if (strchr(word, '/') || (dot && strcmp(dot, ".so") == 0)) {
        if (access(word, F_OK) < 0) {
            fprintf(stderr, "reevectl: %s: %s\n", word, strerror(errno));
            return CTL_EXIT_UNKNOWN;
        }
        *ret_path = strdup(word);
        return *ret_path ? 0 : CTL_EXIT_FAILURE;
    }
    r = inspect_read_config(ctl, &config);
    if (r == 0)
        r = inspect_find_folders(config, &folders);
    for (size_t i = 0; r == 0 && i < folders.count; i++) {
        cleanup_free char *path = format_new("%s/%s.so", folders.items[i], word);

        if (path && access(path, F_OK) == 0) {
            *ret_path = TAKE_PTR(path);
            return 0;
        }
    }
    return r != 0 ? r : tell_unknown(word, &folders);
}

/* Printing it ------------------------------------------------------------- */

/* A text, or "-" for none. */
static const char *or_dash(const json_t *object, const char *key)
{
    return *get_text(object, key) ? get_text(object, key) : "-";
}

static void join_words(const json_t *object, const char *key, char *buffer, size_t size)
{
    size_t used = 0, i;
    json_t *word;

    *buffer = '\0';
    json_array_foreach(json_object_get(object, key), i, word) if (used < size) used +=
        (size_t)snprintf(buffer + used, size - used, "%s%s", i > 0 ? ", " : "",
                         json_string_value(word));
}

static void print_head(const json_t *document)
{
    const char *runtime = get_text(document, "runtime"), *version = get_text(document, "version");
    char functions[128];

    join_words(document, "functions", functions, sizeof(functions));
    printf("%s%s%s: %s\n", get_text(document, "name"), *version ? " " : "", version,
           get_text(document, "summary"));
    printf("file       %s\n", get_text(document, "file"));
    printf("built for  module ABI %lld, %s; this is reeve %s with module ABI %lld\n",
           get_number(document, "abi"), *runtime ? runtime : "no libreeve",
           get_text(document, "host_version"), get_number(document, "host_abi"));
    printf("functions  %s\n", *functions ? functions : "none");
}

static void print_problems(const json_t *document)
{
    json_t *problem;
    size_t i;

    json_array_foreach(json_object_get(document, "problems"), i, problem)
        printf("problem    %s\n", json_string_value(problem));
}

/* The bounds of an option's value, besides its type. */
static void format_type(const json_t *option, char *buffer, size_t size)
{
    const char *minimum = get_text(option, "minimum"), *maximum = get_text(option, "maximum");

    string_copy(buffer, size, get_text(option, "type"));
    if (json_array_size(json_object_get(option, "choices")) > 0)
        join_words(option, "choices", buffer, size);
    else if (*minimum && *maximum)
        snprintf(buffer, size, "%s, %s to %s", get_text(option, "type"), minimum, maximum);
    else if (*minimum || *maximum)
        snprintf(buffer, size, "%s, at %s %s", get_text(option, "type"),
                 *minimum ? "least" : "most", *minimum ? minimum : maximum);
}

/* Keys: of the module itself, or, behind the prefix, of each of its tasks or pools. */
static void print_keys(const struct ctl *ctl, const json_t *options, const char *title,
                       const char *prefix)
{
    const char *const columns[] = {title, "TYPE", "DEFAULT", "HELP", NULL};
    struct table *table = table_create(ctl, columns);
    char type[256];
    json_t *option;
    size_t i;

    json_array_foreach(options, i, option)
    {
        format_type(option, type, sizeof(type));
        table_line(table);
        table_cell(table, "%s%s", prefix, get_text(option, "name"));
        table_cell(table, "%s", type);
        table_cell(table, "%s",
                   json_is_true(json_object_get(option, "required")) ? "required"
                                                                     : or_dash(option, "default"));
        table_cell(table, "%s", get_text(option, "help"));
    }
    putchar('\n');
    table_print(table);
}

/* Of tasks and pools: the first column is the name, the last the help. */
static void print_parts(const struct ctl *ctl, const json_t *parts, const char *const *columns,
                        const char *const *members)
{
    struct table *table = table_create(ctl, columns);
    json_t *part;
    size_t i;

    json_array_foreach(parts, i, part)
    {
        table_line(table);
        for (size_t j = 0; members[j]; j++)
            if (json_is_integer(json_object_get(part, members[j])))
                table_cell(table, "%lld", get_number(part, members[j]));
            else
                table_cell(table, "%s",
                           members[j + 1] ? or_dash(part, members[j]) : get_text(part, members[j]));
    }
    putchar('\n');
    table_print(table);
}

static void print_tasks(const struct ctl *ctl, const json_t *tasks)
{
    static const char *const columns[] = {"TASK",     "SCHEDULE", "TIMEOUT", "GRACE", "OVERLAP",
                                          "ON-ERROR", "ON-STOP",  "HELP",    NULL};
    static const char *const members[] = {"name",     "schedule", "timeout", "grace", "overlap",
                                          "on_error", "on_stop",  "help",    NULL};

    print_parts(ctl, tasks, columns, members);
}

static void print_pools(const struct ctl *ctl, const json_t *pools)
{
    static const char *const columns[] = {"POOL",    ">WORKERS", ">QUEUE", ">RETRIES", "TIMEOUT",
                                          "BACKOFF", "GRACE",    "HELP",   NULL};
    static const char *const members[] = {"name",    "workers", "queue", "retries", "timeout",
                                          "backoff", "grace",   "help",  NULL};

    print_parts(ctl, pools, columns, members);
}

static void print_document(const struct ctl *ctl, const json_t *document)
{
    const json_t *options = json_object_get(document, "options");
    const json_t *tasks = json_object_get(document, "tasks");
    const json_t *pools = json_object_get(document, "pools");
    const json_t *task_keys = json_object_get(document, "task_keys");
    const json_t *pool_keys = json_object_get(document, "pool_keys");

    print_head(document);
    print_problems(document);
    if (json_array_size(options) > 0)
        print_keys(ctl, options, "OPTION", "");
    if (json_array_size(tasks) > 0)
        print_tasks(ctl, tasks);
    if (json_array_size(pools) > 0)
        print_pools(ctl, pools);
    if (json_array_size(task_keys) > 0)
        print_keys(ctl, task_keys, "KEY OF A TASK", "TASK.");
    if (json_array_size(pool_keys) > 0)
        print_keys(ctl, pool_keys, "KEY OF A POOL", "POOL.");
}

int command_describe(const struct ctl *ctl, int count _unused_, char **words)
{
    cleanup_free char *path = NULL;
    const char *error;
    json_t *document;
    int r = find_file(ctl, words[0], &path);

    if (r != 0)
        return r;
    document = inspect_file(path);
    if (!document)
        return CTL_EXIT_FAILURE;
    error = json_string_value(json_object_get(document, "error"));
    if (ctl->json)
        print_json(document);
    else if (!error)
        print_document(ctl, document);
    if (error)
        fprintf(stderr, "reevectl: %s\n", error);
    json_decref(document);
    return error ? CTL_EXIT_FAILURE : 0;
}
