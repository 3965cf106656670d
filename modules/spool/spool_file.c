/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modules/spool/spool.h"

static void forget_result(struct claim *claim)
{
    free(claim->output);
    claim->output = NULL;
    claim->output_size = 0;
    claim->ended = false;
}

static int run_command(struct rv_context *ctx, const struct spool *spool, struct claim *claim)
{
    char path[4400];
    char *const argv[] = {(char *)"/bin/sh", (char *)"-c", spool->command,
                          (char *)"spool",   path,         NULL};
    struct rv_command_options options = {.size = sizeof(options), .grace = spool->grace};
    struct rv_command_result result;
    int r;

    /* The attempt before may have left one. */
    forget_result(claim);
    /* Never a path that the command could take for an option. */
    snprintf(path, sizeof(path), "%s%s/%s", spool->directory[0] == '/' ? "" : "./",
             spool->directory, claim->name);
    r = rv_command_run(ctx, argv, &options, &result);
    claim->output = result.output;
    claim->output_size = result.output_size;
    return r < 0 ? rv_wrap(r, "%s", claim->name) : 0;
}

/* Its jobs have the terminator too. */
static bool is_of_watch(const struct rv_job *job)
{
    return job->size == strlen(job->data) + 1;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Checks that the file is there. If another file has taken its name since the command ran, forgets the
 * result. Returns 0 or a negative errno. */
static int look_at_file(const struct spool *spool, struct claim *claim)
{
    struct stat status;

    if (fstatat(spool->directory_fd, claim->name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (claim->ended && !is_same(&status, &claim->file))
        forget_result(claim);
    return S_ISREG(status.st_mode) ? 0 : -EINVAL;
}

/* The command has ended for good. Its result is kept until the file has been moved, so that it does not
 * run again. */
static int finish_file(struct rv_context *ctx, struct spool *spool, struct claim *claim,
                       const struct rv_job *job)
{
    const char *folder = claim->code == 0 ? "done" : "failed";
    char text[RV_ERROR_TEXT_SIZE];
    int r = spool_move(ctx, spool, claim), code = claim->code;

    if (r < 0) {
        rv_wrap(r, "%s is processed, and only its move to %s/ is tried again", claim->name, folder);
        claim->ended = true;
        (void)fstatat(spool->directory_fd, claim->name, &claim->file, AT_SYMLINK_NOFOLLOW);
        if (job->attempt == job->attempts)
            claim_leave(spool, claim);
        return r;
    }
    memcpy(text, claim->text, sizeof(text));
    claim_release(spool, claim);
    if (code == 0)
        return 0;
    if (job->attempt == job->attempts)
        return rv_fail_text(code, "moved to failed/: %s", text);
    /* The job that ran the command has failed already. This one was only to move the file. */
    rv_log(ctx, RV_LOG_WARNING, "moved to failed/: %s", text);
    return 0;
}

int spool_process(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    struct spool *spool = state;
    const char *name = job->data;
    struct claim *claim;
    int r;

    /* A job may come from outside. */
    if (name[0] == '.' || strchr(name, '/') || strlen(name) >= sizeof(claim->name))
        return rv_fail_text(-EINVAL, "\"%.255s\" is not the name of a file in the folder", name);
    r = claim_take(spool, name, job->id, is_of_watch(job), &claim);
    if (r < 0)
        return rv_fail(r, "%s/%s", spool->directory, name);
    r = look_at_file(spool, claim);
    if (r < 0) {
        claim_release(spool, claim);
        /* The watch has seen it: somebody took it away again. Who submits a name that is not there is
         * mistaken. */
        return r == -ENOENT && is_of_watch(job) ? 0 : rv_fail(r, "%s/%s", spool->directory, name);
    }
    if (!claim->ended) {
        r = run_command(ctx, spool, claim);
        /* A file that a stop interrupted stays where it is, and claimed: the next start finds it. */
        if (r < 0 && rv_context_err(ctx) != 0 && rv_context_err(ctx) != -ETIMEDOUT)
            return r;
        if (r < 0 && job->attempt < job->attempts)
            return r;
        claim->code = r;
        snprintf(claim->text, sizeof(claim->text), "%s", r < 0 ? rv_error_text() : "");
    }
    return finish_file(ctx, spool, claim, job);
}

bool spool_is_complete(const struct spool *spool, const char *name)
{
    int fd = openat(spool->directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool complete;

    if (fd < 0)
        return false;
    /* A read lease is refused while anybody has the file open for writing. Where there are no
     * leases (a file of another user's, some network file systems) the file counts as complete. */
    complete = fcntl(fd, F_SETLEASE, F_RDLCK) == 0 || errno != EAGAIN;
    if (complete)
        fcntl(fd, F_SETLEASE, F_UNLCK);
    close(fd);
    return complete;
}
