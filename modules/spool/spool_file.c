/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/spool/spool.h"

/* A name may exist in done/ already: so many suffixes are tried. */
#define SUFFIXES 100000

static int open_output(const struct spool *spool, const char *name)
{
    char output[300];

    snprintf(output, sizeof(output), ".%.250s.output", name);
    return openat(spool->directory_fd, output,
                  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
}

static void keep_output(struct rv_context *ctx, const struct spool *spool, const char *name,
                        const struct rv_command_result *result)
{
    int fd = open_output(spool, name);
    ssize_t size = 0;

    if (fd >= 0 && result->output)
        size = write(fd, result->output, result->output_size);
    if (fd < 0 || size < 0)
        rv_log(ctx, RV_LOG_WARNING, "cannot keep the output of %s: %s", name, strerror(errno));
    else if ((size_t)size != result->output_size)
        rv_log(ctx, RV_LOG_WARNING, "the output of %s is cut: the disk is full", name);
    if (fd >= 0)
        close(fd);
}

/* Renames without overwriting: a.txt, a.txt.1, a.txt.2, ... Fills in the name that it got. */
static int move_file(const struct spool *spool, const char *name, int target_fd, char *ret_name,
                     size_t size)
{
    for (int i = 0; i < SUFFIXES; i++) {
        if (i == 0)
            snprintf(ret_name, size, "%s", name);
        else
            snprintf(ret_name, size, "%.240s.%d", name, i);
        if (renameat2(spool->directory_fd, name, target_fd, ret_name, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

static void move_output(struct rv_context *ctx, const struct spool *spool, const char *name,
                        int target_fd, const char *new_name)
{
    char output[300], new_output[320];

    snprintf(output, sizeof(output), ".%.250s.output", name);
    snprintf(new_output, sizeof(new_output), "%.250s.output", new_name);
    if (renameat(spool->directory_fd, output, target_fd, new_output) < 0 && errno != ENOENT)
        rv_log(ctx, RV_LOG_WARNING, "cannot move the output of %s: %s", name, strerror(errno));
}

void spool_release(struct spool *spool, const char *name)
{
    pthread_mutex_lock(&spool->lock);
    for (struct claimed **link = &spool->claims; *link; link = &(*link)->next)
        if (strcmp((*link)->name, name) == 0) {
            struct claimed *claimed = *link;

            *link = claimed->next;
            free(claimed);
            break;
        }
    pthread_mutex_unlock(&spool->lock);
}

static int finish_file(struct rv_context *ctx, struct spool *spool, const char *name, int target)
{
    char new_name[300];
    int r = move_file(spool, name, target, new_name, sizeof(new_name));

    if (r == 0)
        move_output(ctx, spool, name, target, new_name);
    spool_release(spool, name);
    return r < 0 && r != -ENOENT ? rv_fail(r, "move %s", name) : 0;
}

static int run_command(struct rv_context *ctx, const struct spool *spool, const char *name)
{
    char path[4400];
    char *const argv[] = {(char *)"/bin/sh", (char *)"-c", spool->command,
                          (char *)"spool",   path,         NULL};
    struct rv_command_options options = {.size = sizeof(options), .grace = spool->grace};
    struct rv_command_result result;
    int r;

    /* Never a path that the command could take for an option. */
    snprintf(path, sizeof(path), "%s%s/%s", spool->directory[0] == '/' ? "" : "./",
             spool->directory, name);
    r = rv_command_run(ctx, argv, &options, &result);
    keep_output(ctx, spool, name, &result);
    free(result.output);
    return r < 0 ? rv_wrap(r, "%s", name) : 0;
}

/* Its jobs have the terminator too. */
static bool is_of_watch(const struct rv_job *job)
{
    return job->size == strlen(job->data) + 1;
}

int spool_process(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    struct spool *spool = state;
    const char *name = job->data;
    struct stat status;
    char text[RV_ERROR_TEXT_SIZE];
    int r;

    /* A job may come from outside. */
    if (name[0] == '.' || strchr(name, '/'))
        return rv_fail_text(-EINVAL, "\"%s\" is not the name of a file in the folder", name);
    if (fstatat(spool->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        r = -errno;
    else
        r = S_ISREG(status.st_mode) ? 0 : -EINVAL;
    if (r < 0) {
        spool_release(spool, name);
        /* The watch has seen it: somebody took it away again. Who submits a name that is not there is
         * mistaken. */
        return r == -ENOENT && is_of_watch(job) ? 0 : rv_fail(r, "%s/%s", spool->directory, name);
    }
    r = run_command(ctx, spool, name);
    /* What a stop interrupted stays where it is, and claimed: the next start finds it. */
    if (rv_context_err(ctx) != 0 && rv_context_err(ctx) != -ETIMEDOUT)
        return r;
    if (r == 0)
        return finish_file(ctx, spool, name, spool->done_fd);
    if (job->attempt < job->attempts)
        return r;
    snprintf(text, sizeof(text), "%s", rv_error_text());
    if (finish_file(ctx, spool, name, spool->failed_fd) < 0)
        return -EIO;
    return rv_fail_text(r, "moved to failed/: %s", text);
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
