/* SPDX-License-Identifier: MIT */
/*
 * The directories: the one that is watched, done/ and failed/ in it.
 *
 * Files are moved by descriptors of the directories, and commands get a path. The two can drift
 * apart: the directory or one above it is renamed, a link in the path is changed, something is
 * mounted over it. So what the paths lead to is compared with what is open, before each scan,
 * command and move, and whenever the kernel tells that mounts have changed. Where they differ the
 * module restarts, and opens what is there then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "modules/spool/spool.h"

/* The file that init moves to prove that files can be moved. The done/ of one spool may be the
 * directory of another, and failed/ be common to some: so each has a name of its own. */
#define PROBE_SIZE 40

static const char *advice(int r)
{
    switch (r) {
    case -EXDEV:
        return "; the directory, its done/ and its failed/ have to be in one file system";
    case -EROFS:
        return "; the spool needs a directory that it may write to (for a service, ReadWritePaths=)";
    case -EACCES:
    case -EPERM:
        return "; the module's user needs the right to write there (and `read-write`, where that is set)";
    case -ENOSPC:
    case -EDQUOT:
        return "; make room there";
    default:
        return "";
    }
}

/* Puts what can be done behind the present text. */
static int add_advice(int r)
{
    char text[RV_ERROR_TEXT_SIZE];

    strncpy(text, rv_error_text(r), sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    return rv_fail_text(r, "%s%s", text, advice(r));
}

/* The name of a directory that was made is to be on the disk before anything is kept in it. As far
 * as it goes: the directory above may be one that we cannot read. */
static void sync_parent(int folder)
{
    int parent = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (parent < 0)
        return;
    (void)fsync(parent);
    close(parent);
}

static int open_folder(int parent, const char *path)
{
    bool made = mkdirat(parent, path, 0755) == 0;
    int r = made ? 0 : -errno, fd;

    /* A file system that is read-only may say so of a directory that is there. */
    if (r < 0 && r != -EEXIST && faccessat(parent, path, F_OK, 0) < 0)
        return add_advice(rv_fail(r, "make the directory %s", path));
    fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return rv_fail(-errno, "open the directory %s", path);
    if (made)
        sync_parent(fd);
    return fd;
}

/* Moving ------------------------------------------------------------------ */

/* By its directory, which no other spool has, so that one which a killed host has left is found. */
static void name_probe(const struct spool *spool, char *name)
{
    struct stat status = {0};

    (void)fstat(spool->directory_fd, &status);
    snprintf(name, PROBE_SIZE, ".reeve-probe-%llx", (unsigned long long)status.st_ino);
}

static int try_move(const char *name, int from, int to)
{
    unlinkat(to, name, 0);
    return rv_file_move(from, name, to, name, 0);
}

/* A file in the directory goes to done/ and then to failed/, as those of commands will. */
static int move_probe(const struct spool *spool, const char *name)
{
    static const char content[4096];
    int r;

    unlinkat(spool->directory_fd, name, 0);
    r = rv_file_create(spool->directory_fd, name, content, sizeof(content), 0600);
    if (r < 0)
        return rv_wrap(r, "no file can be made in %s", spool->directory);
    r = try_move(name, spool->directory_fd, spool->done_fd);
    if (r < 0)
        return rv_wrap(r, "files cannot be moved from %s to its done/", spool->directory);
    r = try_move(name, spool->done_fd, spool->failed_fd);
    return r < 0 ? rv_wrap(r, "files cannot be moved to %s/failed", spool->directory) : 0;
}

static int prove_moves(const struct spool *spool)
{
    char name[PROBE_SIZE];
    int r;

    name_probe(spool, name);
    r = move_probe(spool, name);
    if (r < 0)
        r = add_advice(r);
    unlinkat(spool->directory_fd, name, 0);
    unlinkat(spool->done_fd, name, 0);
    unlinkat(spool->failed_fd, name, 0);
    return r;
}

/* Such a directory lets nobody move the files of others, which only a file of somebody else's could
 * prove. */
static void warn_if_sticky(struct rv_context *ctx, const struct spool *spool)
{
    struct stat status;

    if (fstat(spool->directory_fd, &status) == 0 && status.st_mode & S_ISVTX && geteuid() != 0 &&
        status.st_uid != geteuid())
        rv_log(ctx, RV_LOG_WARNING,
               "%s has the sticky bit and is another user's: files that are not our own cannot be "
               "moved out of it",
               spool->directory);
}

/* Watching ---------------------------------------------------------------- */

/* Each limit has an errno that names something else. */
static int start_inotify(struct spool *spool)
{
    int r, other;

    spool->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (spool->inotify_fd >= 0)
        return 0;
    r = -errno;
    /* Descriptors of the process may be what is missing. */
    other = fcntl(spool->directory_fd, F_DUPFD_CLOEXEC, 0);
    if (other >= 0)
        close(other);
    if (r == -EMFILE && other >= 0)
        return rv_fail_text(
            r,
            "watch %s: this user has as many inotify instances as it may; raise the "
            "sysctl fs.inotify.max_user_instances",
            spool->directory);
    if (r == -EMFILE)
        return rv_fail_text(r, "watch %s: too many open files; raise the module's `nofile`",
                            spool->directory);
    return rv_fail(r, "watch %s", spool->directory);
}

static int add_watch(const struct spool *spool)
{
    if (inotify_add_watch(spool->inotify_fd, spool->directory,
                          IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
                              IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) >= 0)
        return 0;
    if (errno == ENOSPC)
        return rv_fail_text(-ENOSPC,
                            "watch %s: this user has as many inotify watches as it may; raise the "
                            "sysctl fs.inotify.max_user_watches",
                            spool->directory);
    return rv_fail(-errno, "watch %s", spool->directory);
}

static int start_watching(struct spool *spool)
{
    int r = start_inotify(spool);

    if (r == 0)
        r = add_watch(spool);
    if (r < 0)
        return r;
    spool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (spool->wake_fd < 0)
        return rv_fail(-errno, "make an eventfd");
    /* Without it the next scan notices. */
    spool->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    return 0;
}

/* ------------------------------------------------------------------------------------------------
 */

static bool is_folder(int fd, const struct stat *status)
{
    struct stat opened;

    return fstat(fd, &opened) == 0 && opened.st_dev == status->st_dev &&
           opened.st_ino == status->st_ino;
}

/* name: of a directory in the one that is watched, or "" for that one. */
static int check_folder(const struct spool *spool, const char *name, int fd)
{
    const char *slash = name[0] == '\0' ? "" : "/";
    struct stat status;
    int r = name[0] == '\0' ? stat(spool->directory, &status)
                            : fstatat(spool->directory_fd, name, &status, 0);

    if (r < 0 && (errno == ENOENT || errno == ENOTDIR))
        return rv_fail_text(-ENOENT, "%s%s%s is gone", spool->directory, slash, name);
    if (r < 0)
        return rv_fail(-errno, "look at %s%s%s", spool->directory, slash, name);
    if (!is_folder(fd, &status))
        return rv_fail_text(-ESTALE, "%s%s%s leads to another directory now", spool->directory,
                            slash, name);
    return 0;
}

int spool_check_folders(const struct spool *spool)
{
    int r = check_folder(spool, "", spool->directory_fd);

    if (r == 0)
        r = check_folder(spool, "done", spool->done_fd);
    return r == 0 ? check_folder(spool, "failed", spool->failed_fd) : r;
}

/* The directories must not be the one in which reeved keeps its own files, the module's working
 * directory, whatever their paths are: they would be processed. Nor must files be moved to where
 * they come from. */
static int refuse_own(const struct spool *spool, int directory_fd, const char *name, int fd)
{
    struct stat state, folder;

    if (stat(".", &state) == 0 && is_folder(fd, &state))
        return rv_fail_text(
            -EINVAL,
            "directory = %s: %s is the state directory, where reeved keeps files of its "
            "own; name a directory in it, such as `directory = spool`",
            spool->directory, name);
    if (fd != directory_fd && fstat(directory_fd, &folder) == 0 && is_folder(fd, &folder))
        return rv_fail_text(
            -EINVAL,
            "directory = %s: its %s leads back to it; remove that link, and a directory "
            "is made",
            spool->directory, name);
    return 0;
}

int spool_check_directory(const struct spool *spool)
{
    static const char *const names[] = {"done", "failed"};
    int directory = open(spool->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = directory < 0 ? 0 : refuse_own(spool, directory, "it", directory);

    for (size_t i = 0; i < 2 && directory >= 0 && r == 0; i++) {
        int fd = openat(directory, names[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            continue;
        r = refuse_own(spool, directory, names[i], fd);
        close(fd);
    }
    if (directory >= 0)
        close(directory);
    return r;
}

static int open_target(const struct spool *spool, const char *name, int *ret_fd)
{
    *ret_fd = open_folder(spool->directory_fd, name);
    if (*ret_fd < 0)
        return rv_wrap(*ret_fd, "in %s", spool->directory);
    return refuse_own(spool, spool->directory_fd, name, *ret_fd);
}

/* Nothing is made in a directory that is not ours. */
static int open_folders(struct rv_context *ctx, struct spool *spool)
{
    int r;

    spool->directory_fd = open_folder(AT_FDCWD, spool->directory);
    if (spool->directory_fd < 0)
        return spool->directory_fd;
    r = refuse_own(spool, spool->directory_fd, "it", spool->directory_fd);
    if (r == 0)
        r = spool_lock(ctx, spool);
    if (r == 0)
        r = open_target(spool, "done", &spool->done_fd);
    return r == 0 ? open_target(spool, "failed", &spool->failed_fd) : r;
}

int spool_open(struct rv_context *ctx, struct spool *spool)
{
    int r;

    spool->directory_fd = spool->done_fd = spool->failed_fd = -1;
    spool->inotify_fd = spool->mounts_fd = spool->wake_fd = -1;
    r = open_folders(ctx, spool);
    if (r == 0)
        r = prove_moves(spool);
    if (r == 0)
        r = start_watching(spool);
    /* The path was followed more than once. */
    if (r == 0)
        r = spool_check_folders(spool);
    if (r == 0)
        warn_if_sticky(ctx, spool);
    return r;
}

void spool_close(struct spool *spool)
{
    const int fds[] = {spool->directory_fd, spool->done_fd,   spool->failed_fd,
                       spool->inotify_fd,   spool->mounts_fd, spool->wake_fd};

    /* A command that is being started has copies of all for a moment. */
    if (spool->directory_fd >= 0)
        (void)flock(spool->directory_fd, LOCK_UN);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    trace_close_spares(spool);
}
