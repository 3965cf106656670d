/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <reeve/error.h>
#include <reeve/file.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "base/macro.h"

/* Opens the directory that a path's last name is in. Returns a descriptor or a negative errno. */
static int open_parent(int dir, const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char parent[PATH_MAX] = ".";
    int fd;

    if (name[0] == '\0')
        return rv_fail_text(-EINVAL, "\"%s\" is not the path of a file", path);
    if (slash) {
        size_t length = slash == path ? 1 : (size_t)(slash - path);

        if (length >= sizeof(parent))
            return rv_fail(-ENAMETOOLONG, "open the directory of %s", path);
        memcpy(parent, path, length);
        parent[length] = '\0';
    }
    fd = openat(dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Names can be made in a directory that may not be read. */
    if (fd < 0 && errno == EACCES)
        fd = openat(dir, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return rv_fail(-errno, "open the directory of %s", path);
    *ret_name = name;
    return fd;
}

static int write_file(int dir, const char *path, const struct file_content *content)
{
    const char *name;
    cleanup_close int parent = open_parent(dir, path, &name);
    enum file_step step;
    int r;

    if (parent < 0)
        return parent;
    r = file_replace(parent, name, content, &step);
    return r < 0 ? rv_fail(r, "%s %s", file_step_text(step), path) : 0;
}

int rv_file_replace(int dir, const char *path, const void *data, size_t size, mode_t mode)
{
    struct file_content content = {.data = data, .size = size, .mode = mode};

    return write_file(dir, path, &content);
}

int rv_file_create(int dir, const char *path, const void *data, size_t size, mode_t mode)
{
    struct file_content content = {.data = data, .size = size, .mode = mode, .only_new = true};

    return write_file(dir, path, &content);
}

static bool is_same(int a, int b)
{
    struct stat first, second;

    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_ino == second.st_ino &&
           first.st_dev == second.st_dev;
}

int rv_file_move(int dir, const char *path, int new_dir, const char *new_path, unsigned flags)
{
    const char *name, *new_name;
    cleanup_close int parent = -1, new_parent = -1;
    enum file_step step;
    int r;

    if (flags & ~RV_FILE_REPLACE)
        return rv_fail_text(-EINVAL, "rv_file_move() has no flags %#x", flags);
    parent = open_parent(dir, path, &name);
    if (parent < 0)
        return parent;
    new_parent = open_parent(new_dir, new_path, &new_name);
    if (new_parent < 0)
        return new_parent;
    r = file_move(parent, name, is_same(parent, new_parent) ? parent : new_parent, new_name,
                  !(flags & RV_FILE_REPLACE), &step);
    if (r == 0)
        return 0;
    if (step == FILE_RENAME)
        return rv_fail(r, "rename %s to %s", path, new_path);
    return rv_fail(r, "%s %s", file_step_text(step), step == FILE_SYNC ? path : new_path);
}
