/* SPDX-License-Identifier: MIT */
/*
 * Moving a file, with its output, to where it stays.
 *
 * Properties: a file in done/ or failed/ has its output, even after a power cut at any moment, and is the
 * one that its command has seen. Nothing that exists there is overwritten.
 *
 * Operation: find the first suffix for which neither name is taken, create the output for good, then move
 * the file for good. A cut between the two leaves an output without its file. The file is still in the
 * folder then, and is processed again under the next suffix. A rename moves what has the name at that
 * moment; so it is looked at again afterwards what that was, and a file that was another one by then, or was
 * written to until then, goes back to the folder. What happens to it later is its consumer's (spool_trace.c).
 *
 * Safety: every job creates the output first, and so reserves both names. Only a file that is itself
 * called NAME.output can still take one of them; then the next suffix is tried. A consumer may take the file as
 * soon as it has its new name. Its output is there by then, and stays.
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

/* If the name has been taken again meanwhile, it becomes a file of its own. */
static int put_back(struct rv_context *ctx, struct spool *spool, const struct claim *claim,
                    int target, const struct names *names)
{
    const char *folder = target == spool->done_fd ? "done" : "failed";
    struct names back;
    int r = -EEXIST;

    for (int i = 0; r == -EEXIST && i < SUFFIXES; i++) {
        make_names(claim->name, i, &back);
        r = rv_file_move(target, names->file, spool->directory_fd, back.file, 0);
    }
    if (r == -ENOENT && !exists(target, names->file)) {
        rv_log(ctx, RV_LOG_WARNING,
               "%s was moved to %s/%s, and is newer than what its command has seen; somebody has "
               "taken it from there already, so it is not processed again",
               claim->name, folder, names->file);
        return 0;
    }
    if (r < 0 && exists(target, names->file)) {
        rv_log(ctx, RV_LOG_WARNING,
               "%s was moved to %s/%s, and is newer than what its command has seen; it cannot be "
               "moved back: %s",
               claim->name, folder, names->file, rv_error_text());
        return 0;
    }
    unlinkat(target, names->output, 0);
    return SPOOL_CHANGED;
}

/* Returns as spool_move(), or -EEXIST when a name is taken. */
static int move_as(struct rv_context *ctx, struct spool *spool, const struct claim *claim,
                   struct trace *trace, int target, const struct names *names)
{
    int r = rv_file_create(target, names->output, claim->output, claim->output_size, 0644);

    if (r < 0)
        return r;
    r = rv_file_move(spool->directory_fd, claim->name, target, names->file, 0);
    if (r == -EEXIST || (r < 0 && !exists(target, names->file) && !trace_is_moved(trace))) {
        unlinkat(target, names->output, 0);
        return r;
    }
    if (r < 0)
        rv_log(
            ctx, RV_LOG_WARNING,
            "%s is processed and moved, but a power cut may bring it back, to be processed again: %s",
            claim->name, rv_error_text());
    /* There is an end to it, also on a file system that shows a file otherwise at every look. */
    if (claim->changes >= SPOOL_RUNS_MAX || trace_is_seen(trace, claim, target, names->file))
        return 0;
    return put_back(ctx, spool, claim, target, names);
}

/* With the first suffix that is free. */
static int move_traced(struct rv_context *ctx, struct spool *spool, const struct claim *claim,
                       struct trace *trace)
{
    int target = claim->code == 0 ? spool->done_fd : spool->failed_fd, r = -EEXIST;
    struct names names;

    for (int i = 0; r == -EEXIST && i < SUFFIXES; i++) {
        /* Its command, or somebody else, has removed it. */
        if (file_is_gone(spool->directory_fd, claim->name))
            return 0;
        make_names(claim->name, i, &names);
        if (!exists(target, names.file) && !exists(target, names.output))
            r = move_as(ctx, spool, claim, trace, target, &names);
    }
    if (r < 0 && file_is_gone(spool->directory_fd, claim->name))
        return 0;
    return r;
}

int spool_move(struct rv_context *ctx, struct spool *spool, const struct claim *claim)
{
    struct trace trace;
    int r = trace_begin(&trace, spool, claim);

    if (r == 0 || claim->changes >= SPOOL_RUNS_MAX)
        r = move_traced(ctx, spool, claim, &trace);
    trace_end(&trace);
    return r;
}
