/* SPDX-License-Identifier: MIT */
/*
 * Moving a file, with its output, to where it stays.
 *
 * Properties: a file in done/ or failed/ has its output, even after a power cut at any moment, and
 * is the one that its command has seen. Nothing that exists there is overwritten.
 *
 * Operation: find a suffix for which neither name is taken, where there are no gaps the first,
 * create the output for good, then move the file for good. A cut between the two leaves an output
 * without its file. The file is still in the directory then, and is processed again under the next
 * suffix. A rename moves what has the name at that moment; so it is looked at again afterwards what
 * that was, and a file that was another one by then, or was written to until then, goes back to the
 * directory. Later it is its consumer's (spool_trace.c).
 *
 * Safety: every job creates the output first, and so reserves both names. Only a file that is
 * itself called NAME.output can still take one of them; then the next suffix is tried. A consumer
 * may take the file as soon as it has its new name. Its output is there by then, and stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "modules/spool/spool.h"

/* So many files of a name there may be. A name has room for the digits of the last suffix. */
#define SUFFIXES 1000000

/* For ".output", and for it and ".999999". */
#define OUTPUT_ROOM 7
#define SUFFIX_ROOM (OUTPUT_ROOM + 7)

struct names {
    char file[256];
    char output[256];
};

/* How long a name may be there: an encrypted file system may have less room than the disk below it.
 * Some programs that serve one do not say. */
static int longest_name(int folder)
{
    struct statvfs status;
    const int most = (int)sizeof(((struct names *)NULL)->file) - 1;

    if (fstatvfs(folder, &status) < 0 || status.f_namemax > (unsigned long)most ||
        status.f_namemax < 2 * SUFFIX_ROOM)
        return most;
    return (int)status.f_namemax;
}

/* As much of a name as fits into so many bytes: no character is cut. */
static int fit(const char *name, int most)
{
    int length = (int)strnlen(name, (size_t)most + 1), cut = most;

    if (length <= most)
        return length;
    while (cut > 0 && most - cut < 3 && ((unsigned char)name[cut] & 0xC0) == 0x80)
        cut--;
    return cut;
}

/* a.txt, a.txt.1, a.txt.2, ... and these with .output; long names are cut to fit. */
static void make_names(const char *name, int suffix, int longest, struct names *ret_names)
{
    if (suffix == 0)
        snprintf(ret_names->file, sizeof(ret_names->file), "%.*s", fit(name, longest), name);
    else
        snprintf(ret_names->file, sizeof(ret_names->file), "%.*s.%d",
                 fit(name, longest - SUFFIX_ROOM), name, suffix);
    snprintf(ret_names->output, sizeof(ret_names->output), "%.*s.output",
             fit(ret_names->file, longest - OUTPUT_ROOM), ret_names->file);
}

static bool exists(int folder, const char *name)
{
    struct stat status;

    /* Another error shows up in the call that uses the name. */
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_free(int folder, const char *name, int suffix, struct names *ret_names)
{
    make_names(name, suffix, longest_name(folder), ret_names);
    return !exists(folder, ret_names->file) && !exists(folder, ret_names->output);
}

/* The first suffix from there on that is free, as long as all before it are taken. Returns SUFFIXES
 * when there is none. */
static int find_suffix(int folder, const char *name, int from, struct names *ret_names)
{
    int taken = from - 1, free = from;

    /* Each name is there for years, maybe: twice as far each time, and then back. */
    for (int step = 1; free < SUFFIXES && !is_free(folder, name, free, ret_names); step *= 2) {
        taken = free;
        free += step;
    }
    free = free < SUFFIXES ? free : SUFFIXES;
    while (free - taken > 1) {
        int middle = taken + (free - taken) / 2;

        if (is_free(folder, name, middle, ret_names))
            free = middle;
        else
            taken = middle;
    }
    make_names(name, free, longest_name(folder), ret_names);
    return free;
}

/* If the name has been taken again meanwhile, it becomes a file of its own. */
static int put_back(struct rv_context *ctx, struct spool *spool, const struct claim *claim,
                    int target, const struct names *names)
{
    const char *folder = target == spool->done_fd ? "done" : "failed";
    struct names back;
    int r = -EEXIST;

    for (int i = 0;
         r == -EEXIST && (i = find_suffix(spool->directory_fd, claim->name, i, &back)) < SUFFIXES;
         i++)
        r = rv_file_move(target, names->file, spool->directory_fd, back.file, 0);
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
               claim->name, folder, names->file, rv_error_text(r));
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
            claim->name, rv_error_text(r));
    /* There is an end to it, also on a file system that shows a file otherwise at every look. */
    if (claim->changes >= SPOOL_RUNS_MAX || trace_is_seen(trace, claim, target, names->file))
        return 0;
    return put_back(ctx, spool, claim, target, names);
}

static int move_traced(struct rv_context *ctx, struct spool *spool, const struct claim *claim,
                       struct trace *trace)
{
    int target = claim->code == 0 ? spool->done_fd : spool->failed_fd, r = -EEXIST;
    struct names names;

    for (int i = 0; r == -EEXIST && i < SUFFIXES; i++) {
        /* Its command, or somebody else, has removed it. */
        if (file_is_gone(spool->directory_fd, claim->name))
            return 0;
        i = find_suffix(target, claim->name, i, &names);
        if (i < SUFFIXES)
            r = move_as(ctx, spool, claim, trace, target, &names);
    }
    if (r < 0 && file_is_gone(spool->directory_fd, claim->name))
        return 0;
    return r == -EEXIST
               ? rv_fail_text(r, "there are %d files of that name: take some away", SUFFIXES)
               : r;
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
