/* SPDX-License-Identifier: MIT */
/*
 * The tree is copied under its lock and sent without: a socket that is full must not hold up a
 * cancel.
 */
#include "host/module/context_tree.h"
#include "host/report/event.h"

#include <errno.h>
#include <stdlib.h>

#include "base/text.h"

#define NODES_MAX 256

struct node {
    unsigned depth;
    int err;
    rv_time created;
    rv_time deadline;
    uint64_t run;
    char name[SCOREBOARD_NAME_SIZE];
};

struct picture {
    const struct host_module *module;
    size_t count; /* all that there are */
    struct node nodes[NODES_MAX];
};

static const char *name_of(const struct host_module *module, const struct rv_context_info *info)
{
    if (info->depth == 0)
        return module->name;
    if (info->context == module->tasks)
        return "tasks";
    if (info->context == module->work)
        return "work";
    return info->labels.task ? info->labels.task : "";
}

static int take(const struct rv_context_info *info, void *arg)
{
    struct picture *picture = arg;
    struct node *node;

    if (picture->count++ >= NODES_MAX)
        return 0;
    node = &picture->nodes[picture->count - 1];
    *node = (struct node){.depth = info->depth,
                          .err = info->err,
                          .created = info->created,
                          .deadline = info->deadline,
                          .run = info->labels.run};
    string_copy(node->name, sizeof(node->name), name_of(picture->module, info));
    return 0;
}

void context_tree_send(const struct host_module *module, uint64_t request)
{
    struct wire_message result = {
        .type = WIRE_RESULT, .module = module->slot, .request = request, .text = ""};
    struct picture *picture = malloc(sizeof(*picture));
    rv_time now = rv_now();

    if (!picture) {
        result.code = -ENOMEM;
        event_send(&result);
        return;
    }
    picture->module = module;
    picture->count = 0;
    rv_context_visit(module->root, take, picture);
    for (size_t i = 0; i < MIN(picture->count, (size_t)NODES_MAX); i++) {
        const struct node *node = &picture->nodes[i];
        struct wire_message message = {.type = WIRE_NODE,
                                       .module = module->slot,
                                       .request = request,
                                       .line = node->depth,
                                       .code = node->err,
                                       .number = node->run,
                                       .deadline = node->deadline,
                                       .duration = now - node->created,
                                       .name = node->name};

        event_send(&message);
    }
    result.number = picture->count;
    event_send(&result);
    free(picture);
}
