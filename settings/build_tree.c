/* SPDX-License-Identifier: MIT */
#include "settings/build_tree.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* DIRECTORY/../NAME. It is shown to people: without the detour, unless the directory's name is that
 * of a link. */
static void find(const char *directory, const char *name, char *ret_path, size_t size)
{
    cleanup_free char *detour = format_new("%s/../%s", directory, name);
    const char *slash = strrchr(directory, '/');
    struct stat by_detour, direct;

    snprintf(ret_path, size, "%.*s/%s", slash ? (int)(slash - directory) : 0, directory, name);
    if (detour && (stat(detour, &by_detour) < 0 || stat(ret_path, &direct) < 0 ||
                   by_detour.st_dev != direct.st_dev || by_detour.st_ino != direct.st_ino))
        string_copy(ret_path, size, detour);
}

bool build_tree_find(const char *program, struct build_tree *ret_tree)
{
    char directory[PATH_MAX], *slash;

    string_copy(directory, sizeof(directory), program);
    slash = strrchr(directory, '/');
    if (!slash || (size_t)(slash - directory) + sizeof("/../host/reeve-host") > sizeof(directory))
        return false;
    *slash = '\0';
    find(directory, "host/reeve-host", ret_tree->host, sizeof(ret_tree->host));
    find(directory, "daemon/reeved", ret_tree->daemon, sizeof(ret_tree->daemon));
    find(directory, "modules", ret_tree->modules, sizeof(ret_tree->modules));
    return access(ret_tree->host, X_OK) == 0;
}
