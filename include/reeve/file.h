/* SPDX-License-Identifier: MIT */
/*
 * Files that a power cut leaves whole.
 *
 * A file that was written and then renamed may be empty under its new name after a power cut, as
 * the kernel writes names and contents to the disk in an order of its own. These functions return
 * when the content, and then the name, is on the disk.
 *
 * They block for as long as the disk takes, and the end of a context does not cut that short: a
 * timeout of a task or job that calls them should leave time for a slow disk. Any thread may call
 * them.
 *
 * A path is relative to dir, a descriptor of a directory, as for openat(2); with AT_FDCWD of
 * <fcntl.h> it is relative to the working directory, which is the state directory for a module. The
 * text of an error names the path and the step that failed: "write beat: No space left on device".
 */
#ifndef REEVE_FILE_H
#define REEVE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include <reeve/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes a file as a whole, in place of the one with that path, if any: readers see the old file or
 * the new one. mode is as for open(2), so the umask is taken from it. Permissions and owner of the
 * old file are not kept; a symbolic link is itself replaced. While it writes there is a file
 * `.NAME.new` in the same directory; one that a killed process left there is removed. Several
 * threads and processes may replace the same file at once: the last one wins.
 *
 * Returns 0 or a negative errno. After an error the old file is as it was, with one exception: if
 * the last step, the sync of the directory, fails, the new file is in place, and a power cut may
 * bring the old one back.
 */
int rv_file_replace(int dir, const char *path, const void *data, size_t size,
                    mode_t mode) RV_MUST_CHECK_;

/* As rv_file_replace(), but never in place of another file: -EEXIST when the path is taken. After
 * an error nothing is left of the new file. */
int rv_file_create(int dir, const char *path, const void *data, size_t size,
                   mode_t mode) RV_MUST_CHECK_;

/* A flag of rv_file_move(): a file that has the new path is replaced. */
#define RV_FILE_REPLACE 1u

/*
 * Renames a finished file for good: its content is synced, then it is renamed, then both
 * directories are synced. Without RV_FILE_REPLACE nothing is overwritten: -EEXIST when the new path
 * is taken. On file systems that cannot promise this otherwise (some network file systems), the
 * file gets its new name before it loses the old one, and a power cut may leave it with both.
 *
 * Returns 0; -EINVAL for an unknown flag; or another negative errno, such as -EXDEV for a path on
 * another file system. After an error the file is where it was, with one exception: if the last
 * step, the sync of the directories, fails, it has moved, and a power cut may move it back.
 */
int rv_file_move(int dir, const char *path, int new_dir, const char *new_path,
                 unsigned flags) RV_MUST_CHECK_;

#ifdef __cplusplus
}
#endif

#endif
