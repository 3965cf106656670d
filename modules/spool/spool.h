/* SPDX-License-Identifier: MIT */
/* The spool module's parts: spool.c its task, spool_file.c what is done with a file. */
#ifndef REEVE_MODULES_SPOOL_H
#define REEVE_MODULES_SPOOL_H

#include <pthread.h>
#include <reeve/module.h>

/* A file that is being worked on, or waits for it: so that no file is taken twice. */
struct claimed {
    struct claimed *next;
    char name[256];
};

struct spool {
    char *directory;
    char *command;
    rv_duration grace;

    int directory_fd; /* all names are relative to it */
    int done_fd;
    int failed_fd;
    int inotify_fd;
    pthread_mutex_t lock; /* protects claims */
    struct claimed *claims;
};

/* The pool's function: runs the command for the file that the job names, and moves the file when
 * its end is certain. */
int spool_process(struct rv_context *ctx, const struct rv_job *job, void *state);

/* The file is nobody's again. */
void spool_release(struct spool *spool, const char *name);

/* Whether a file at the scan is complete: nobody has it open for writing (F_SETLEASE). */
bool spool_is_complete(const struct spool *spool, const char *name);

#endif
