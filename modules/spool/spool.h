/* SPDX-License-Identifier: MIT */
/*
 * The spool module's parts: spool.c is its task, which takes files in; spool_file.c its pool, which runs
 * the command for a file; spool_move.c moves a file with its output; spool_claim.c keeps two jobs from
 * taking the same file.
 */
#ifndef REEVE_MODULES_SPOOL_H
#define REEVE_MODULES_SPOOL_H

#include <pthread.h>
#include <reeve/module.h>
#include <stdbool.h>
#include <sys/stat.h>

/* A file that has a job, or whose result waits to be moved. The job that took the claim owns it. */
struct claim {
    struct claim *next;
    char name[256];
    uint64_t job; /* that owns it, or one of the values in spool_claim.c */
    bool again;   /* a file of this name has arrived meanwhile */
    bool
        left; /* its result has been left to a later job, and counts as waiting until it is dropped */

    /* What came of its command. Once it has ended for good, only the move is left to do. */
    bool ended;
    int code; /* 0: the file belongs in done/ */
    char text[RV_ERROR_TEXT_SIZE];
    char *output;
    size_t output_size;
    struct stat file; /* as it was when it could not be moved */
};

struct spool {
    char *directory;
    char *command;
    rv_duration grace;

    int directory_fd; /* all names are relative to it */
    int done_fd;
    int failed_fd;
    int inotify_fd;
    int wake_fd;          /* an eventfd: the watch is to scan the folder */
    bool full_told;       /* that no more files are taken in; the watch's own */
    pthread_mutex_t lock; /* protects the list, the claims' `job`, `again` and `left`, and
                           * `waiting` */
    struct claim *claims;
    unsigned waiting; /* claims that were left */
};

/* Claims (spool_claim.c) ----------------------------------------------------------------------- */

/* For the watch, before it submits a job. Returns 0; -EALREADY when a job has the file; -EBUSY when too
 * many results wait to be moved; or -ENOMEM. arrived: inotify tells of the file. If a job has it then, it
 * may be another one, which came after the job had moved its own: the watch is woken when the job gives
 * up the claim. */
int claim_queue(struct spool *spool, const char *name, bool arrived);
/* Whether claim_queue() takes in no file that has no claim yet. */
bool claim_is_full(struct spool *spool);
/* There is no job after all. */
void claim_unqueue(struct spool *spool, const char *name);
/* Drops waiting results whose file somebody has removed. */
void claim_forget_gone(struct spool *spool);

/* For a job: makes it the owner, at each of its attempts. queued: the watch has submitted it. Returns 0,
 * -EALREADY when another job has the file, or -ENOMEM. */
int claim_take(struct spool *spool, const char *name, uint64_t job, bool queued,
               struct claim **ret_claim);
/* Leaves an ended claim to the next job for its file. It counts as waiting until it is released, whoever
 * tries to move the file meanwhile. */
void claim_leave(struct spool *spool, struct claim *claim);
/* The file is nobody's again. */
void claim_release(struct spool *spool, struct claim *claim);

/* Files ---------------------------------------------------------------------------------------- */

/* The pool's function: runs the command for the file that the job names, and moves the file when
 * its end is certain. */
int spool_process(struct rv_context *ctx, const struct rv_job *job, void *state);

/* Moves the file of a command that has ended to done/ or failed/, with its output, for good. A file that
 * is not there any more is no error. Returns 0 or a negative errno with a text. */
int spool_move(struct rv_context *ctx, struct spool *spool, const struct claim *claim);

/* Whether there is nothing of that name in the folder. */
bool spool_is_gone(const struct spool *spool, const char *name);

/* Whether a file at the scan is complete: nobody has it open for writing (F_SETLEASE). */
bool spool_is_complete(const struct spool *spool, const char *name);

#endif
