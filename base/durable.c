/* SPDX-License-Identifier: MIT */
/*
 * Replacing and moving files for good.
 *
 * Properties: after a success, name and content are on the disk. A power cut before that leaves the
 * old file or the new one under the name, never a part of one; so does the end of a process that is
 * killed. Writers that replace the same file at once do not mix their contents.
 *
 * Operation: write a temporary file in the same directory, fdatasync() it, rename it, fsync() the
 * directory. A file system that does not know one of the two syncs answers EINVAL, which counts as
 * success: there is no better that it could do.
 *
 * Safety: all writers of a file use the same temporary name, so killed ones leave at most one file
 * behind. A writer creates the temporary file, locks it (flock), and then checks that the name
 * still belongs to it. From then on it owns the name: only the thread that holds the lock of the
 * file with the temporary name may rename or remove it. A writer that finds the name taken waits
 * for the lock. By then either the owner has renamed the file, or it was killed and the file is
 * removed. The lock ends with the rename, so that the next writer writes while this one waits for
 * the directory. On file systems without locks (some network file systems), and where one writer
 * cannot open the files of another, the caller must see to it that there is one writer at a time.
 */
#include "base/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/macro.h"
#include "base/text.h"

/* A writer tries once more whenever another one has been faster. One that loses the temporary name
 * this often has met a program that does not follow the rules. */
#define TRIES 10000

#define PREFIX "."
#define SUFFIX ".new"
/* So much of the name stands between them, and of a longer one its hash: a name of file systems
 * that encrypt has 143 bytes, and the present one may fill them. */
#define START_MAX 100

const char *file_step_text(enum file_step step)
{
    static const char *const texts[] = {
        [FILE_CREATE] = "create a temporary file beside",
        [FILE_WRITE] = "write",
        [FILE_SYNC] = "sync",
        [FILE_RENAME] = "rename",
        [FILE_SYNC_FOLDER] = "sync the directory of",
    };

    return texts[step];
}

/* Syncing ----------------------------------------------------------------- */

static int sync_by(int (*call)(int fd), int fd)
{
    while (call(fd) < 0) {
        if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* Syncs the file system of a file, or all of them if nothing in it is open. */
static int sync_file_system(int file)
{
    int r = file < 0 ? -EBADF : sync_by(syncfs, file);

    if (r != -EBADF)
        return r;
    sync();
    return 0;
}

/* file is any file in the directory, or -1. */
static int sync_folder(int folder, int file)
{
    int r = sync_by(fsync, folder);

    /* A directory that we may write to but not read is open as a path alone (O_PATH). */
    return r == -EBADF ? sync_file_system(file) : r;
}

/* Syncs the content of a file that may be of any type, mode and owner. *ret_fd is -1 when it cannot
 * be opened. */
static int sync_content(int folder, const char *name, int *ret_fd)
{
    *ret_fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*ret_fd >= 0)
        return sync_by(fdatasync, *ret_fd);
    /* A symbolic link, or a socket, is nothing but its name. */
    if (errno == ELOOP || errno == ENXIO)
        return 0;
    /* A file that we may not read can only be synced with its whole file system. */
    return errno == EACCES ? sync_file_system(folder) : -errno;
}

/* The temporary file ------------------------------------------------------ */

static void name_temporary(const char *name, char *buffer, size_t size)
{
    char start[START_MAX + 1];

    string_copy(start, sizeof(start), name);
    if (strlen(name) <= START_MAX) {
        snprintf(buffer, size, PREFIX "%s" SUFFIX, start);
        return;
    }
    /* Others may begin alike, and where there are no locks nothing else keeps their writers apart.
     */
    snprintf(buffer, size, PREFIX "%s-%016" PRIx64 SUFFIX, start, hash_text(name));
}

/* Best effort: see the top. */
static void lock(int fd)
{
    while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
        ;
}

static bool has_name(int fd, int folder, const char *name)
{
    struct stat open_file, named;

    return fstat(fd, &open_file) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/* For writing where that may be, since network file systems lock nothing else. */
static int open_left(int folder, const char *name)
{
    const int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = openat(folder, name, O_RDWR | flags);

    return fd < 0 && errno != ENOENT && errno != ELOOP ? openat(folder, name, O_RDONLY | flags)
                                                       : fd;
}

/* Waits for the owner of a temporary name, and removes the file if the owner was killed. */
static int remove_left(int folder, const char *name)
{
    cleanup_close int fd = open_left(folder, name);

    /* A link, or a file that we may not read, is not of a writer that we could wait for. */
    if (fd < 0 && errno != ELOOP && errno != EACCES)
        return errno == ENOENT ? 0 : -errno;
    if (fd >= 0) {
        lock(fd);
        if (!has_name(fd, folder, name))
            return 0;
    }
    return unlinkat(folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Returns a descriptor that owns the temporary name, or a negative errno. */
static int create_temporary(int folder, const char *name, mode_t mode)
{
    for (int i = 0; i < TRIES; i++) {
        cleanup_close int fd =
            openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        int r;

        if (fd < 0 && errno != EEXIST)
            return -errno;
        if (fd >= 0) {
            lock(fd);
            if (has_name(fd, folder, name))
                return TAKE_FD(fd);
        } else {
            r = remove_left(folder, name);
            if (r < 0)
                return r;
        }
    }
    return -EBUSY;
}

/* Renaming ---------------------------------------------------------------- */

static bool is_one_file(int folder, const char *name, int other_folder, const char *other_name)
{
    struct stat one, other;

    return fstatat(folder, name, &one, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(other_folder, other_name, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
           one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

/* For file systems that do not know RENAME_NOREPLACE. */
static int link_and_unlink(int folder, const char *name, int new_folder, const char *new_name)
{
    struct stat status;
    int r;

    if (linkat(folder, name, new_folder, new_name, 0) == 0) {
        /* By now the old name may be another file's, which is not to be removed unseen. */
        if (!is_one_file(folder, name, new_folder, new_name) || unlinkat(folder, name, 0) == 0)
            return 0;
        r = -errno;
        unlinkat(new_folder, new_name, 0);
        return r;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return -errno;
    /* No links either: a file that somebody puts there after this look is replaced. */
    if (fstatat(new_folder, new_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    if (errno != ENOENT)
        return -errno;
    return renameat(folder, name, new_folder, new_name) < 0 ? -errno : 0;
}

static int rename_file(int folder, const char *name, int new_folder, const char *new_name,
                       bool only_new)
{
    if (!only_new)
        return renameat(folder, name, new_folder, new_name) < 0 ? -errno : 0;
    if (renameat2(folder, name, new_folder, new_name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
        return link_and_unlink(folder, name, new_folder, new_name);
    return -errno;
}

/* A failure here is no reason not to replace the file. The link makes sure that there is a file
 * under the name all the time. If there is no old file, the one that was kept before stays. */
static void keep_old(int folder, const char *name, const char *keep)
{
    if (linkat(folder, name, folder, keep, 0) == 0 || errno == ENOENT)
        return;
    if (errno == EEXIST) {
        unlinkat(folder, keep, 0);
        if (linkat(folder, name, folder, keep, 0) == 0)
            return;
    }
    renameat(folder, name, folder, keep);
}

/* ------------------------------------------------------------------------------------------------
 */

static int fill(int fd, const struct file_content *content, enum file_step *ret_step)
{
    int r;

    *ret_step = FILE_WRITE;
    r = write_all(fd, content->data, content->size);
    if (r < 0)
        return r;
    *ret_step = FILE_SYNC;
    return sync_by(fdatasync, fd);
}

int file_replace(int folder, const char *name, const struct file_content *content,
                 enum file_step *ret_step)
{
    char temporary[NAME_MAX + 1];
    cleanup_close int fd = -1;
    int r;

    name_temporary(name, temporary, sizeof(temporary));
    *ret_step = FILE_CREATE;
    fd = create_temporary(folder, temporary, content->mode);
    if (fd < 0)
        return fd;
    r = fill(fd, content, ret_step);
    if (r == 0) {
        *ret_step = FILE_RENAME;
        if (content->keep)
            keep_old(folder, name, content->keep);
        r = rename_file(folder, temporary, folder, name, content->only_new);
    }
    if (r < 0) {
        unlinkat(folder, temporary, 0);
        return r;
    }
    flock(fd, LOCK_UN);
    *ret_step = FILE_SYNC_FOLDER;
    r = sync_folder(folder, fd);
    if (r < 0 && content->only_new && has_name(fd, folder, name))
        unlinkat(folder, name, 0);
    return r;
}

int file_move(int folder, const char *name, int new_folder, const char *new_name, bool only_new,
              enum file_step *ret_step)
{
    cleanup_close int fd = -1;
    int r;

    *ret_step = FILE_SYNC;
    r = sync_content(folder, name, &fd);
    if (r < 0)
        return r;
    *ret_step = FILE_RENAME;
    r = rename_file(folder, name, new_folder, new_name, only_new);
    if (r < 0)
        return r;
    /* The new name first: a cut between the two leaves the file with both names rather than none.
     */
    *ret_step = FILE_SYNC_FOLDER;
    r = sync_folder(new_folder, fd);
    return r == 0 && folder != new_folder ? sync_folder(folder, fd) : r;
}
