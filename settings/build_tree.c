/* SPDX-License-Identifier: MIT */
#include "settings/build_tree.h"

#include <errno.h>
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

/* Whether only those may write there that may write to the program's directory. */
static bool is_as_safe(const char *path, const struct stat *directory)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return errno == ENOENT;
    if (status.st_uid != 0 && status.st_uid != geteuid() && status.st_uid != directory->st_uid)
        return false;
    if (status.st_mode & S_IWGRP &&
        !(directory->st_mode & S_IWGRP && status.st_gid == directory->st_gid))
        return false;
    return !(status.st_mode & S_IWOTH) || directory->st_mode & S_IWOTH;
}

/* The file, its directory, and the one above that. */
static bool is_path_as_safe(const char *path, const struct stat *directory)
{
    char part[PATH_MAX], *slash;

    string_copy(part, sizeof(part), path);
    for (int i = 0; i < 3; i++) {
        if (!is_as_safe(part, directory))
            return false;
        slash = strrchr(part, '/');
        if (!slash || slash == part)
            break;
        *slash = '\0';
    }
    return true;
}

int build_tree_find(const char *program, struct build_tree *ret_tree)
{
    char directory[PATH_MAX], *slash;
    struct stat status;

    string_copy(directory, sizeof(directory), program);
    slash = strrchr(directory, '/');
    if (!slash || (size_t)(slash - directory) + sizeof("/../host/reeve-host") > sizeof(directory))
        return -ENOENT;
    *slash = '\0';
    find(directory, "host/reeve-host", ret_tree->host, sizeof(ret_tree->host));
    find(directory, "daemon/reeved", ret_tree->daemon, sizeof(ret_tree->daemon));
    find(directory, "modules", ret_tree->modules, sizeof(ret_tree->modules));
    if (stat(directory, &status) < 0 || access(ret_tree->host, X_OK) < 0)
        return -ENOENT;
    return is_path_as_safe(ret_tree->host, &status) && is_path_as_safe(ret_tree->daemon, &status)
               ? 0
               : -EPERM;
}
