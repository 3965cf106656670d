/* SPDX-License-Identifier: MIT */
#include "ctl/places.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"
#include "settings/build_tree.h"

static bool find_build_tree(struct build_tree *ret_tree)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

    program[MAX(length, 0)] = '\0';
    return build_tree_find(program, ret_tree) == 0;
}

void places_find_host(char *ret_program, size_t size)
{
    struct build_tree tree;

    string_copy(ret_program, size, find_build_tree(&tree) ? tree.host : REEVE_HOST_PROGRAM);
}

void places_find_daemon(char *ret_program, size_t size)
{
    struct build_tree tree;

    string_copy(ret_program, size, find_build_tree(&tree) ? tree.daemon : "reeved");
}

void places_find(struct config_places *ret_places)
{
    static struct build_tree tree;

    config_places_init(ret_places);
    if (find_build_tree(&tree) && !secure_getenv("REEVE_MODULE_PATH"))
        ret_places->modules = tree.modules;
}
