/* SPDX-License-Identifier: MIT */
/*
 * Files that survive a power cut: each is on the disk before it has its name.
 *
 * The kernel writes names and contents to the disk in an order of its own. A file that was written
 * and then renamed, without a sync between the two, may be empty under its new name after a power
 * cut.
 *
 * All of this blocks for as long as the disk takes. Any thread may call it; no memory is allocated.
 */
#ifndef REEVE_BASE_DURABLE_H
#define REEVE_BASE_DURABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The step that failed. If it is FILE_RENAME or an earlier one, the old file is as it was. */
enum file_step {
    FILE_CREATE,      /* of the temporary file */
    FILE_WRITE,       /* of its content */
    FILE_SYNC,        /* of its content */
    FILE_RENAME,      /* to its name */
    FILE_SYNC_FOLDER, /* of its name: whether a power cut would undo the rename is unknown */
};

/* "write", "sync the directory of" and the like, for a message that continues with the file's name.
 */
const char *file_step_text(enum file_step step);

struct file_content {
    const void *data;
    size_t size;
    mode_t mode;   /* as for open(2): the umask is taken from it */
    bool only_new; /* never replace a file: -EEXIST */
    /* The name under which the replaced file stays, or NULL. A failure to keep it is no error. */
    const char *keep;
};

/*
 * Makes a file with this content, in place of the one that has the name, if any. Readers see the
 * old file or the new one. folder is a descriptor opened for reading (with O_PATH more than the
 * directory has to be synced), and name is a name in it, without a slash. While it writes, there is
 * a temporary file `.NAME.new` beside it; one that a killed writer left there is removed. Several
 * threads and processes may replace the same file at once: the last one wins.
 *
 * Returns 0 when content and name are on the disk, as far as the file system can be asked to put
 * them there; else a negative errno, and *ret_step is what failed. With only_new a failure at any
 * step leaves nothing under the name.
 */
int file_replace(int folder, const char *name, const struct file_content *content,
                 enum file_step *ret_step);

/*
 * Renames a finished file, within a directory or to another one, and makes content and name
 * durable: the content before the rename, both directories after it. With only_new it never
 * replaces a file.
 *
 * Returns 0 or a negative errno with *ret_step: -EEXIST when the name is taken, -ENOENT when there
 * is no such file, -EXDEV for another file system. Where a file system cannot rename without
 * replacing, the file is linked to its new name first, and a power cut may leave it with both
 * names.
 */
int file_move(int folder, const char *name, int new_folder, const char *new_name, bool only_new,
              enum file_step *ret_step);

#endif
