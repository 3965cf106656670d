/* SPDX-License-Identifier: MIT */
/*
 * Moving a file, with its output, to where it stays.
 *
 * Properties: a file in done/ or failed/ has its output, even after a power cut at any moment. Nothing
 * that exists there is overwritten.
 *
 * Operation: find the first suffix for which neither name is taken, create the output for good, then move
 * the file for good. A cut between the two leaves an output without its file. The file is still in the
 * folder then, and is processed again under the next suffix.
 *
 * Safety: every job creates the output first, and so reserves both names. Only a file that is itself
 * called NAME.output can still take one of them; then the next suffix is tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "modules/spool/spool.h"

/* How many suffixes are tried for a name that exists already. */
#define SUFFIXES 100000

struct names {
    char file[256];
    char output[256];
};

/* a.txt, a.txt.1, a.txt.2, ... and these with .output; long names are cut to fit. */
static void make_names(const char *name, int suffix, struct names *ret_names)
{
    if (suffix == 0)
        snprintf(ret_names->file, sizeof(ret_names->file), "%s", name);
    else
        snprintf(ret_names->file, sizeof(ret_names->file), "%.240s.%d", name, suffix);
    snprintf(ret_names->output, sizeof(ret_names->output), "%.248s.output", ret_names->file);
}

static bool exists(int folder, const char *name)
{
    struct stat status;

    /* Another error shows up in the call that uses the name. */
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

bool spool_is_gone(const struct spool *spool, const char *name)
{
    struct stat status;

    return fstatat(spool->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* Another file may have come under the name in the meantime. */
static bool has_moved(const struct stat *file, int target, const char *name)
{
    struct stat status;

    return fstatat(target, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           status.st_dev == file->st_dev && status.st_ino == file->st_ino;
}

/* Returns 0, -EEXIST when a name is taken, or another negative errno. */
static int move_as(struct rv_context *ctx, struct spool *spool, const struct claim *claim,
                   int target, const struct names *names)
{
    struct stat file;
    int r;

    if (fstatat(spool->directory_fd, claim->name, &file, AT_SYMLINK_NOFOLLOW) < 0)
        return rv_fail(-errno, "move %s", claim->name);
    r = rv_file_create(target, names->output, claim->output, claim->output_size, 0644);

    if (r < 0)
        return r;
    r = rv_file_move(spool->directory_fd, claim->name, target, names->file, 0);
    if (r == 0)
        return 0;
    if (has_moved(&file, target, names->file)) {
        rv_log(
            ctx, RV_LOG_WARNING,
            "%s is processed and moved, but a power cut may bring it back, to be processed again: %s",
            claim->name, rv_error_text());
        return 0;
    }
    unlinkat(target, names->output, 0);
    return r;
}

int spool_move(struct rv_context *ctx, struct spool *spool, const struct claim *claim)
{
    int target = claim->code == 0 ? spool->done_fd : spool->failed_fd, r = -EEXIST;
    struct names names;

    for (int i = 0; r == -EEXIST && i < SUFFIXES; i++) {
        /* Its command, or somebody else, has removed it. */
        if (spool_is_gone(spool, claim->name))
            return 0;
        make_names(claim->name, i, &names);
        if (!exists(target, names.file) && !exists(target, names.output))
            r = move_as(ctx, spool, claim, target, &names);
    }
    if (r < 0 && spool_is_gone(spool, claim->name))
        return 0;
    return r;
}
