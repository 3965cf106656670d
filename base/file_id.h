/* SPDX-License-Identifier: MIT */
/* Which file it was that a path named: another file at the same path, or another content, has
 * another identity. */
#ifndef REEVE_BASE_FILE_ID_H
#define REEVE_BASE_FILE_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct file_id {
    dev_t device;
    ino_t inode;
    int64_t mtime; /* real time, in nanoseconds */
};

static inline struct file_id file_id_of(const struct stat *status)
{
    return (struct file_id){
        .device = status->st_dev,
        .inode = status->st_ino,
        .mtime = status->st_mtim.tv_sec * INT64_C(1000000000) + status->st_mtim.tv_nsec,
    };
}

/* The same inode, whatever was written to it since. */
static inline bool file_id_same_inode(const struct file_id *a, const struct file_id *b)
{
    return a->device == b->device && a->inode == b->inode;
}

static inline bool file_id_equal(const struct file_id *a, const struct file_id *b)
{
    return file_id_same_inode(a, b) && a->mtime == b->mtime;
}

#endif
