/* SPDX-License-Identifier: MIT */
/* The live contexts of all processes. */
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/table.h"

/* The nodes above that: which node of each depth came last. */
struct path {
    const char *names[66];
};

/* Those without a name of a task or pool are the runtime's own, or made by the module's code. */
static const char *name_of(const struct path *path, const json_t *node, int depth)
{
    const char *parent = depth > 0 && path->names[depth - 1] ? path->names[depth - 1] : "";

    if (*get_text(node, "name"))
        return get_text(node, "name");
    if (depth == 2 && strcmp(parent, "tasks") == 0)
        return "(call by a schedule)";
    if (depth == 2 && strcmp(parent, "work") == 0)
        return "(pool)";
    if (depth == 3 && strcmp(parent, "(pool)") == 0)
        return "(job's deadline)";
    return "(without a name)";
}

static void print_node(struct path *path, const json_t *node)
{
    const char *done = json_string_value(json_object_get(node, "done"));
    const json_t *deadline = json_object_get(node, "deadline_in");
    char age[DURATION_TEXT_SIZE], left[DURATION_TEXT_SIZE], name[160];
    long long run = get_number(node, "run");
    int depth = (int)MIN(MAX(get_number(node, "depth"), 0), 64);

    path->names[depth] = name_of(path, node, depth);
    snprintf(name, sizeof(name), "%s", path->names[depth]);
    if (run > 0)
        snprintf(name + strlen(name), sizeof(name) - strlen(name), "#%lld", run);
    text_sanitise(name);
    printf("%*s%s  %s old", 2 + 2 * depth, "", name, get_duration(node, "age", age, sizeof(age)));
    if (json_number_value(deadline) > 0)
        printf(", deadline in %s", get_duration(node, "deadline_in", left, sizeof(left)));
    else if (json_is_number(deadline))
        printf(", past its deadline");
    printf("%s%s\n", done ? ", done: " : "", done ? done : "");
}

static void print_branch(const json_t *module)
{
    const char *cause = get_text(module, "cause");
    char age[DURATION_TEXT_SIZE];
    struct path path = {0};
    json_t *node;
    size_t i;

    printf("  %s  %s for %s%s%s%s\n", get_text(module, "name"), get_text(module, "state"),
           get_duration(module, "age", age, sizeof(age)), *cause ? ", stopped because: " : "",
           cause,
           json_is_true(json_object_get(module, "silent")) ? ", its host does not answer" : "");
    json_array_foreach(json_object_get(module, "nodes"), i, node) if (get_number(node, "depth") > 0)
        print_node(&path, node);
    if (get_number(module, "contexts") > (long long)i)
        printf("    and %lld more\n", get_number(module, "contexts") - (long long)i);
}

int command_tree(const struct ctl *ctl, int count _unused_, char **words _unused_)
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
