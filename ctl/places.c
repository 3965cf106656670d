/* SPDX-License-Identifier: MIT */
#include "ctl/places.h"
#include "base/text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder above that of this program; "" when that cannot be told. */
static void find_top(char *top, size_t size)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

    program[MAX(length, 0)] = '\0';
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(program, '/');

        if (slash)
            *slash = '\0';
    }
    string_copy(top, size, program);
}

/* That is as safe as running this program from there: who can write there can replace it too. */
static bool find_in_build_tree(char *program, char *modules, size_t size)
{
    char top[PATH_MAX];

    find_top(top, sizeof(top));
    snprintf(program, size, "%.4000s/host/reeve-host", top);
    snprintf(modules, size, "%.4000s/modules", top);
    return *top != '\0' && access(program, X_OK) == 0;
}

void places_find_host(char *ret_program, size_t size)
{
    char modules[PATH_MAX], program[PATH_MAX];

    string_copy(ret_program, size,
                find_in_build_tree(program, modules, sizeof(program)) ? program
                                                                      : REEVE_HOST_PROGRAM);
}

void places_find_daemon(char *ret_program, size_t size)
{
    char modules[PATH_MAX], host[PATH_MAX], top[PATH_MAX];

    find_top(top, sizeof(top));
    if (find_in_build_tree(host, modules, sizeof(host)))
        snprintf(ret_program, size, "%.4000s/daemon/reeved", top);
    else
        string_copy(ret_program, size, "reeved");
}

void places_find(struct config_places *ret_places)
{
    static char modules[PATH_MAX];
    char program[PATH_MAX];

    config_places_init(ret_places);
    if (find_in_build_tree(program, modules, sizeof(program)) &&
        !secure_getenv("REEVE_MODULE_PATH"))
        ret_places->modules = modules;
}
