/* SPDX-License-Identifier: MIT */
/* What the daemon and its modules are doing: status, list, show. */
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/table.h"

static int get_status(const struct ctl *ctl, json_t **ret_status)
{
    return ctl_request(ctl, "GET", "/v1/status", NULL, NULL, 0, ret_status);
}

/* status ----------------------------------------------------------------------------------------
 */

static void add_tasks(struct table *table, const json_t *module)
{
    char next[DURATION_TEXT_SIZE], last[DURATION_TEXT_SIZE];
    json_t *task;
    size_t i;

    json_array_foreach(json_object_get(module, "tasks"), i, task)
    {
        table_line(table);
        table_cell(table, "  %s", get_text(task, "name"));
        table_cell(table, "%s", get_text(task, "state"));
        table_colour(table, get_text(task, "status"));
        table_cell(table, "%lld", get_number(task, "runs"));
        table_cell(table, "%lld", get_number(task, "failures"));
        table_cell(table, "%s", get_duration(task, "last_duration", last, sizeof(last)));
        table_cell(table, "%s", get_duration(task, "next_in", next, sizeof(next)));
        table_cell(table, "%s",
                   *get_text(task, "output") ? get_text(task, "output")
                                             : get_text(task, "progress"));
    }
}

static void add_pools(struct table *table, const json_t *module)
{
    json_t *pool;
    size_t i;

    json_array_foreach(json_object_get(module, "pools"), i, pool)
    {
        table_line(table);
        table_cell(table, "  %s", get_text(pool, "name"));
        table_cell(table, "%lld/%lld busy", get_number(pool, "active"),
                   get_number(pool, "workers"));
        table_cell(table, "%lld", get_number(pool, "finished"));
        table_cell(table, "%lld", get_number(pool, "failed"));
        table_cell(table, "-");
        table_cell(table, "-");
        table_cell(table, "%lld of %lld queued, %lld lost%s%s", get_number(pool, "queued"),
                   get_number(pool, "capacity"), get_number(pool, "lost"),
                   *get_text(pool, "last_error") ? "; last error: " : "",
                   get_text(pool, "last_error"));
    }
}

static void add_module(struct table *table, const json_t *module)
{
    table_line(table);
    table_cell(table, "%s", get_text(module, "name"));
    table_cell(table, "%s", get_text(module, "state"));
    table_colour(table, get_text(module, "status"));
    for (int i = 0; i < 4; i++)
        table_cell(table, "%s", "");
    table_cell(table, "%s%s%s%s%s%lld", get_text(module, "output"),
               *get_text(module, "output") ? "; " : "", get_text(module, "crash"),
               *get_text(module, "crash") ? "; " : "",
               "restarts: ", get_number(module, "restarts"));
    add_tasks(table, module);
    add_pools(table, module);
}

static void print_head(const json_t *status)
{
    char uptime[DURATION_TEXT_SIZE];
    json_t *address;
    size_t i;

    printf("reeved %s, pid %lld: %s, %s, up %s%s%s\n", get_text(status, "version"),
           get_number(status, "pid"), get_text(status, "phase"), get_text(status, "status"),
           get_duration(status, "uptime", uptime, sizeof(uptime)),
           *get_text(status, "cause") ? "; " : "", get_text(status, "cause"));
    json_array_foreach(json_object_get(status, "listen"), i, address)
        printf("health at http://%s/health\n", json_string_value(address));
    putchar('\n');
}

int command_status(const struct ctl *ctl, int count unused, char **words unused)
{
    static const char *const columns[] = {"MODULE", "STATE", ">RUNS", ">FAILED",
                                          ">LAST",  ">NEXT", "NOTES", NULL};
    struct table *table;
    json_t *status, *module;
    size_t i;
    int r = get_status(ctl, &status);

    if (r != 0)
        return r;
    if (ctl->json) {
        print_json(status);
    } else {
        print_head(status);
        table = table_create(ctl, columns);
        json_array_foreach(json_object_get(status, "modules"), i, module) add_module(table, module);
        table_print(table);
    }
    json_decref(status);
    return 0;
}

/* list ------------------------------------------------------------------------------------------
 */

static void list_task(struct table *table, const json_t *module, const json_t *task)
{
    const json_t *next = json_object_get(task, "next");
    const char *schedule = get_text(task, "schedule");
    char time[64];
    json_t *point;
    size_t i;

    table_line(table);
    table_cell(table, "%s/%s", get_text(module, "name"), get_text(task, "name"));
    table_cell(table, "%s", *schedule ? schedule : "on request only");
    if (json_array_size(next) == 0)
        table_cell(table, "-");
    json_array_foreach(next, i, point)
    {
        if (i > 0) {
            table_line(table);
            table_cell(table, "%s", "");
            table_cell(table, "%s", "");
        }
        table_cell(table, "%s", get_local_time(json_string_value(point), time, sizeof(time)));
    }
}

/* Of a module's tasks that which a program would ask for. */
static json_t *list_json(const json_t *status)
{
    json_t *list = json_array(), *module, *task;
    size_t i, j;

    json_array_foreach(json_object_get(status, "modules"), i, module)
        json_array_foreach(json_object_get(module, "tasks"), j, task) json_array_append_new(
            list,
            json_pack("{s:O, s:O, s:O, s:O}", "module", json_object_get(module, "name"), "task",
                      json_object_get(task, "name"), "schedule", json_object_get(task, "schedule"),
                      "next", json_object_get(task, "next")));
    return list;
}

int command_list(const struct ctl *ctl, int count unused, char **words unused)
{
    static const char *const columns[] = {"TASK", "SCHEDULE", "NEXT FIVE RUNS", NULL};
    json_t *status, *module, *task, *list;
    struct table *table;
    size_t i, j;
    int r = get_status(ctl, &status);

    if (r != 0)
        return r;
    if (ctl->json) {
        list = list_json(status);
        print_json(list);
        json_decref(list);
    } else {
        table = table_create(ctl, columns);
        json_array_foreach(json_object_get(status, "modules"), i, module)
            json_array_foreach(json_object_get(module, "tasks"), j, task)
                list_task(table, module, task);
        table_print(table);
    }
    json_decref(status);
    return 0;
}

/* show ------------------------------------------------------------------------------------------
 */

/* Members of an object, a line each; objects in arrays are indented. */
static void show_object(const json_t *object, int depth)
{
    const char *key;
    char text[1400];
    json_t *value, *item;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (json_is_array(value) && json_array_size(value) > 0) {
            printf("%*s%s:\n", depth, "", key);
            json_array_foreach(value, i, item)
            {
                if (json_is_object(item)) {
                    show_object(item, depth + 4);
                    if (i + 1 < json_array_size(value))
                        putchar('\n');
                } else if (json_is_string(item)) {
                    printf("%*s%s\n", depth + 4, "",
                           get_local_time(json_string_value(item), text, sizeof(text)));
                }
            }
            continue;
        }
        if (json_is_string(value)) {
            string_copy(text, sizeof(text), json_string_value(value));
            text_sanitise(text);
        } else if (json_is_integer(value)) {
            snprintf(text, sizeof(text), "%lld", json_integer_value(value));
        } else if (json_is_real(value)) {
            get_duration(object, key, text, sizeof(text));
        } else if (json_is_boolean(value)) {
            string_copy(text, sizeof(text), json_is_true(value) ? "yes" : "no");
        } else {
            continue;
        }
        if (*text != '\0')
            printf("%*s%-*s %s\n", depth, "", 18 - depth, key, text);
    }
}

static const json_t *find_module(const json_t *status, const char *name)
{
    const char *nearest = NULL;
    unsigned best = -1U;
    json_t *module;
    size_t i;

    json_array_foreach(json_object_get(status, "modules"), i, module)
    {
        if (strcmp(get_text(module, "name"), name) == 0)
            return module;
        nearest = name_nearest(name, get_text(module, "name"), nearest, &best);
    }
    fprintf(stderr, "reevectl: there is no module \"%s\"%s%s%s\n", name,
            nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    return NULL;
}

int command_show(const struct ctl *ctl, int count unused, char **words)
{
    const json_t *module;
    json_t *status;
    int r = get_status(ctl, &status);

    if (r != 0)
        return r;
    module = find_module(status, words[0]);
    if (!module)
        r = CTL_EXIT_FAILURE;
    else if (ctl->json)
        print_json(module);
    else
        show_object(module, 0);
    json_decref(status);
    return r;
}

/* tree ------------------------------------------------------------------------------------------
 */

static void print_node(const json_t *node)
{
    const char *done = json_string_value(json_object_get(node, "done"));
    char age[DURATION_TEXT_SIZE], left[DURATION_TEXT_SIZE], name[160];
    long long run = get_number(node, "run");
    int depth = (int)MIN(MAX(get_number(node, "depth"), 0), 64);

    snprintf(name, sizeof(name), "%s",
             *get_text(node, "name") ? get_text(node, "name") : "context");
    if (run > 0)
        snprintf(name + strlen(name), sizeof(name) - strlen(name), "#%lld", run);
    text_sanitise(name);
    printf("%*s%s  %s old", 2 + 2 * depth, "", name, get_duration(node, "age", age, sizeof(age)));
    if (json_is_number(json_object_get(node, "deadline_in")))
        printf(", deadline in %s", get_duration(node, "deadline_in", left, sizeof(left)));
    printf("%s%s\n", done ? ", done: " : "", done ? done : "");
}

static void print_branch(const json_t *module)
{
    const char *cause = get_text(module, "cause");
    char age[DURATION_TEXT_SIZE];
    json_t *node;
    size_t i;

    printf("  %s  %s for %s%s%s%s\n", get_text(module, "name"), get_text(module, "state"),
           get_duration(module, "age", age, sizeof(age)), *cause ? ", stopped because: " : "",
           cause,
           json_is_true(json_object_get(module, "silent")) ? ", its host does not answer" : "");
    json_array_foreach(json_object_get(module, "nodes"), i, node) if (get_number(node, "depth") > 0)
        print_node(node);
    if (get_number(module, "contexts") > (long long)i)
        printf("    and %lld more\n", get_number(module, "contexts") - (long long)i);
}

int command_tree(const struct ctl *ctl, int count unused, char **words unused)
{
    char age[DURATION_TEXT_SIZE];
    json_t *tree, *module;
    size_t i;
    int r = ctl_request(ctl, "GET", "/v1/tree", NULL, NULL, 0, &tree);

    if (r != 0)
        return r;
    if (ctl->json) {
        print_json(tree);
    } else {
        printf("reeved  %s old%s%s\n", get_duration(tree, "age", age, sizeof(age)),
               *get_text(tree, "cause") ? ", stops because: " : "", get_text(tree, "cause"));
        json_array_foreach(json_object_get(tree, "modules"), i, module) print_branch(module);
    }
    json_decref(tree);
    return 0;
}

/* names -----------------------------------------------------------------------------------------
 */

static void print_names(const json_t *module, const char *parts)
{
    json_t *part;
    size_t i;

    json_array_foreach(json_object_get(module, parts), i, part)
        printf("%s/%s\n", get_text(module, "name"), get_text(part, "name"));
}

int command_names(const struct ctl *ctl, int count unused, char **words)
{
    json_t *status, *module;
    size_t i;
    int r;

    if (strcmp(words[0], "modules") != 0 && strcmp(words[0], "tasks") != 0 &&
        strcmp(words[0], "pools") != 0)
        return ctl_usage_error("names wants modules, tasks or pools");
    r = get_status(ctl, &status);
    if (r != 0)
        return r;
    json_array_foreach(json_object_get(status, "modules"), i,
                       module) if (strcmp(words[0], "modules") == 0) puts(get_text(module, "name"));
    else print_names(module, words[0]);
    json_decref(status);
    return 0;
}
