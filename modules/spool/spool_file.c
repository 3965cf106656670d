/* SPDX-License-Identifier: MIT */
/*
 * The job for a file: run its command, then move the file.
 *
 * Properties: a file goes to done/ or failed/ only if a command has seen it as it is then. A
 * command that has ended for good does not run again for the same file because that cannot be
 * moved.
 *
 * Operation: what has the name when the job begins is the job's file: an inode, with its size and
 * time of modification. If another file has the name later, or this one has changed or is open for
 * writing, also while it waits in the queue or for its next attempt, the job ends without moving
 * anything, and the watch submits a new one, whose attempts count anew.
 *
 * A command that changes its own file looks the same, and would run for ever. So a file that has
 * changed in SPOOL_RUNS_MAX runs in a row is taken as it is. A change between two runs is not the
 * command's, and begins the count anew; from the second time on a run is put off, so that there is
 * time for one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "modules/spool/spool.h"

/* How long a run is put off: as long as the one before has taken, within these. */
#define PAUSE_MIN (100 * RV_MILLISECOND)
#define PAUSE_MAX (10 * RV_SECOND)

/* A result of a step beside 0 and errors: the job ends well, and another one has the rest. */
#define LEFT 1

struct work {
    struct rv_context *ctx;
    struct spool *spool;
    const struct rv_job *job;
    struct claim *claim;
};

static bool is_last(const struct rv_job *job)
{
    return job->attempt == job->attempts;
}

/* The file is not as it was, and another job takes it anew. what: has become of it. Returns LEFT.
 */
static int leave_to_another(struct work *work, const char *what)
{
    struct claim *claim = work->claim;

    if (claim->code < 0)
        rv_log(work->ctx, RV_LOG_WARNING,
               "%s; it %s after its command had begun, and is processed again", claim->text, what);
    else
        rv_log(work->ctx, RV_LOG_NOTICE,
               "%s %s after its command had begun, and is processed again", claim->name, what);
    claim_renew(work->spool, claim);
    return LEFT;
}

/* Checks that the command, which gets a path, and the move, which goes by descriptors, mean the
 * same directory. The watch looks too, and restarts the module. */
static int check_folders(struct work *work)
{
    int r = spool_check_folders(work->spool);

    if (r == 0)
        return 0;
    claim_wake_watch(work->spool);
    return rv_wrap(r, "%s stays where it is", work->claim->name);
}

/* Beginning --------------------------------------------------------------- */

/* The file has changed in the runs before. Returns 0 with its present status, or a negative errno.
 */
static int await_others(struct work *work, struct statx *status)
{
    struct claim *claim = work->claim;
    rv_duration pause = claim->took < PAUSE_MIN ? PAUSE_MIN : claim->took;
    int r = 0;

    if (claim->changes > 1 && file_is_unchanged(&claim->file, status)) {
        r = rv_sleep(work->ctx, pause < PAUSE_MAX ? pause : PAUSE_MAX);
        if (r == 0)
            r = file_stat(work->spool->directory_fd, claim->name, status);
    }
    if (r == 0 && !file_is_unchanged(&claim->file, status))
        claim->changes = 0;
    return r;
}

static int begin_job(struct work *work, struct statx *status)
{
    struct claim *claim = work->claim;
    int r;

    /* A result that waits is this file's. */
    if (!claim->ended || !file_is_unchanged(&claim->file, status)) {
        claim_forget_result(claim);
        claim->code = 0;
        r = claim->changes > 0 ? await_others(work, status) : 0;
        if (r < 0)
            return r;
        claim->file = *status;
    }
    claim->begun = true;
    return 0;
}

static int refuse(struct work *work, int r)
{
    struct claim *claim = work->claim;

    /* Its command has failed, and it is gone since. */
    if (r == -ENOENT && claim->begun && claim->code < 0)
        return rv_fail_text(claim->code, "%s", claim->text);
    if (r == -EBADMSG)
        rv_fail_text(r, "%s/%s: it is no regular file", work->spool->directory, claim->name);
    else
        rv_fail(r, "%s/%s", work->spool->directory, claim->name);
    /* The watch has seen it: somebody took it away again. A submitter of a name that is not there
     * is mistaken. */
    if (r == -ENOENT && work->job->own)
        r = LEFT;
    claim_release(work->spool, claim);
    return r;
}

/* Whether somebody writes the file, as far as that can be known: it was complete when its job was
 * queued, and when the attempt before ended. */
static bool is_written(const struct work *work)
{
    const struct claim *claim = work->claim;
    int folder = work->spool->directory_fd, error;

    switch (file_look(folder, claim->name, &error)) {
    case FILE_GROWING:
        return true;
    case FILE_UNCERTAIN:
        return work->job->own && work->job->attempt == 1 &&
               !file_is_unchanged(&claim->queued, &claim->file) &&
               !file_is_settled(folder, claim->name);
    default:
        return false;
    }
}

/* Returns 0 when nobody does; LEFT; or a negative errno. */
static int refuse_written(struct work *work, bool seen)
{
    struct claim *claim = work->claim;

    /* The move finds out by itself. */
    if (claim->ended || !is_written(work))
        return 0;
    if (seen) {
        claim->changes = 0;
        return leave_to_another(work, "was opened for writing");
    }
    /* The submitter is to know. */
    if (!work->job->own)
        return rv_fail_text(-ETXTBSY, "%s is open for writing", claim->name);
    rv_log(work->ctx, RV_LOG_INFO,
           "%s was opened for writing before its command began, and is taken when it is complete",
           claim->name);
    claim->begun = false;
    claim_renew(work->spool, claim);
    return LEFT;
}

/* Returns 0 when the claim is that of the job's file, which is complete; LEFT; or a negative errno.
 */
static int begin(struct work *work)
{
    bool seen = work->claim->begun;
    struct claim *claim = work->claim;
    struct statx status;
    int r = file_stat(work->spool->directory_fd, claim->name, &status);

    if (r == 0 && !S_ISREG(status.stx_mode))
        r = -EBADMSG;
    if (r < 0)
        return refuse(work, r);
    if (!claim->begun) {
        r = begin_job(work, &status);
        if (r == -ENOENT)
            return refuse(work, r);
        if (r < 0)
            return rv_fail(r, "%s", claim->name);
    } else if (!file_is_unchanged(&claim->file, &status)) {
        return leave_to_another(work, "has changed");
    }
    return refuse_written(work, seen);
}

/* Running ----------------------------------------------------------------- */

static int run_command(struct work *work)
{
    const struct spool *spool = work->spool;
    struct claim *claim = work->claim;
    char path[4400];
    char *const argv[] = {(char *)"/bin/sh", (char *)"-c", spool->command,
                          (char *)"spool",   path,         NULL};
    struct rv_command_options options = {.size = sizeof(options),
                                         .output_max = (size_t)spool->output_max,
                                         .grace = spool->kill_after};
    struct rv_command_result result;
    rv_time start = rv_now();
    int r;

    /* The attempt before may have left one. */
    claim_forget_result(claim);
    /* Never a path that the command could take for an option. */
    snprintf(path, sizeof(path), "%s%s/%s", spool->directory[0] == '/' ? "" : "./",
             spool->directory, claim->name);
    r = rv_command_run(work->ctx, argv, &options, &result);
    claim->took = rv_now() - start;
    claim->output = result.output;
    claim->output_size = result.output_size;
    claim->code = r;
    /* Its text says how the command has ended, and not why. */
    if (r == -ETIMEDOUT && result.output)
        rv_fail_text(r, "%s: its command was ended by its timeout", claim->name);
    else if (r < 0)
        rv_wrap(r, "%s", claim->name);
    snprintf(claim->text, sizeof(claim->text), "%s", r < 0 ? rv_error_text(r) : "");
    if (result.truncated)
        rv_log(work->ctx, RV_LOG_WARNING,
               "%s: its command's output is longer than `output-max`: the middle of it is not kept",
               claim->name);
    return r;
}

/* The file is another one, or has another content, than before the run. Returns 0 when it is taken
 * as it is, or LEFT. */
static int take_changed(struct work *work, const struct statx *status)
{
    const struct spool *spool = work->spool;
    struct claim *claim = work->claim;
    bool same = file_is_same(&claim->file, status);

    claim->file = *status;
    if (spool->edits && S_ISREG(status->stx_mode))
        return 0;
    claim->changes++;
    if (claim->changes < SPOOL_RUNS_MAX || !S_ISREG(status->stx_mode))
        return leave_to_another(work, same ? "has changed" : "was replaced");
    rv_log(work->ctx, RV_LOG_WARNING,
           "%s has changed during %u runs of its command in a row, and is taken as it is; if the "
           "command changes it, set `edits = yes`",
           claim->name, claim->changes);
    return 0;
}

/* The state of the file after its command ran. Returns 0 when it is the same, or LEFT. */
static int look_after_run(struct work *work)
{
    struct claim *claim = work->claim;
    int folder = work->spool->directory_fd, error;
    struct statx status;

    /* An error shows up again when the file is moved. */
    if (file_stat(folder, claim->name, &status) < 0)
        return 0;
    /* The command is over, so that is somebody else. */
    if (file_look(folder, claim->name, &error) == FILE_GROWING) {
        claim->file = status;
        claim->changes = 0;
        return leave_to_another(work, "was opened for writing");
    }
    return file_is_unchanged(&claim->file, &status) ? 0 : take_changed(work, &status);
}

/* Returns 0 when the command has ended for good; LEFT; or a negative errno. */
static int run(struct work *work)
{
    struct claim *claim = work->claim;
    int r = run_command(work), stopped = rv_context_err(work->ctx);

    /* A file that a stop interrupted stays where it is, and claimed: the next start finds it. */
    if (r < 0 && stopped != 0 && stopped != -ETIMEDOUT)
        return r;
    /* No command has seen it. */
    if (!claim->output)
        return rv_fail_text(r, "%s; it stays where it is", claim->text);
    r = check_folders(work);
    if (r == 0)
        r = look_after_run(work);
    if (r != 0 || claim->code == 0)
        return r;
    if (!is_last(work->job) || file_is_gone(work->spool->directory_fd, claim->name))
        return rv_fail_text(claim->code, "%s", claim->text);
    return 0;
}

/* ------------------------------------------------------------------------------------------------
 */

/* The command has ended for good. Its result is kept until the file has been moved, so that it does
 * not run again. */
static int finish(struct work *work)
{
    struct claim *claim = work->claim;
    const char *folder = claim->code == 0 ? "done" : "failed";
    char text[RV_ERROR_TEXT_SIZE];
    int r = spool_move(work->ctx, work->spool, claim), code = claim->code;

    if (r == SPOOL_CHANGED) {
        claim->changes++;
        (void)file_stat(work->spool->directory_fd, claim->name, &claim->file);
        return leave_to_another(work, "has changed");
    }
    if (r < 0) {
        rv_wrap(r, "%s is processed, and only its move to %s/ is tried again", claim->name, folder);
        claim->ended = true;
        return r;
    }
    memcpy(text, claim->text, sizeof(text));
    claim_release(work->spool, claim);
    if (code == 0)
        return 0;
    if (is_last(work->job))
        return rv_fail_text(code, "moved to failed/: %s", text);
    /* The job that ran the command has failed already. This one was only to move the file. */
    rv_log(work->ctx, RV_LOG_WARNING, "moved to failed/: %s", text);
    return 0;
}

static int work_on(struct work *work)
{
    int r = check_folders(work);

    if (r == 0)
        r = begin(work);
    if (r == 0 && !work->claim->ended)
        r = run(work);
    return r == 0 ? finish(work) : r;
}

/* A job may come from outside, with a line's end that belongs to the name only if there is such a
 * file. Returns 0 or -EBADMSG. */
static int take_name(const struct spool *spool, const struct rv_job *job, char name[256])
{
    size_t length = strlen(job->data);
    bool good = length > 0 && length < 256 && !strchr(job->data, '/') && length == job->size;

    if (good)
        memcpy(name, job->data, length + 1);
    if (good && name[length - 1] == '\n' && !job->own && file_is_gone(spool->directory_fd, name))
        name[length - 1] = '\0';
    if (good && name[0] != '\0' && spool_takes_name(spool, name))
        return 0;
    length = strcspn(job->data, "\n");
    return rv_fail_text(-EBADMSG, "\"%.*s\" is not the name of a file that the spool takes",
                        length < 255 ? (int)length : 255, (const char *)job->data);
}

int spool_process(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    struct work work = {.ctx = ctx, .spool = state, .job = job};
    char name[sizeof(work.claim->name)];
    int pin, r = take_name(work.spool, job, name);

    if (r < 0)
        return r;
    r = claim_take(work.spool, name, job->id, job->own, &work.claim);
    if (r < 0)
        return rv_fail(r, "%s/%s", work.spool->directory, name);
    /* While it is open, no other file gets its number, also on file systems that make numbers up.
     * Without it there are the number and the times alone. */
    pin = openat(work.spool->directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    r = work_on(&work);
    if (pin >= 0)
        close(pin);
    return r == LEFT ? 0 : r;
}

void spool_ended(const struct rv_job *job, int code, void *state)
{
    (void)code;
    if (job->attempt > 0)
        claim_end(state, job->id);
    else if (job->own)
        claim_unqueue(state, job->data);
}
