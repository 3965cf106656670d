/* SPDX-License-Identifier: MIT */
/*
 * The spool module's parts: spool_watch.c is its task, which takes files in; spool_file.c its pool,
 * which runs the command for a file; spool_move.c moves a file with its output; spool_claim.c keeps
 * two jobs from taking the same file; spool_look.c tells what a file is; spool_trace.c what happens
 * to one around its move; spool_folder.c opens the directories, and notices when they are others;
 * spool_lock.c keeps a directory to one spool; spool_told.c remembers which files that stay were
 * told of.
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
    bool again; /* a file of this name has arrived meanwhile, for which the watch is to be woken */
    bool arrived; /* the same, until it is queued */
    bool left; /* its result has been left to a later job, and counts as waiting until it is dropped
                */

    /* Which file was found to be complete, while the claim is queued. */
    struct statx queued;

    /* Which file it is: from the moment on at which the job began with it, as the command was given
     * it. */
    struct statx file;
    bool begun;       /* the job has */
    unsigned changes; /* runs in a row during which the file has changed */
    rv_duration took; /* of the last run */

    /* The result of its command. Once it has ended for good, only the move is left to do. */
    bool ended;
    int code; /* 0: the file belongs in done/ */
    char text[RV_ERROR_TEXT_SIZE];
    char *output;
    size_t output_size;
};

/* The return value of spool_move() when the file is no longer the one that the command has seen. */
#define SPOOL_CHANGED 1

/* A file that has changed during so many runs in a row is taken as it is. */
#define SPOOL_RUNS_MAX 5

/* So many moves at once find an instance of inotify that was kept. */
#define SPOOL_SPARES 4

struct told;

struct spool {
    char *directory;
    char *command;
    struct rv_list ignore;
    bool edits;
    uint64_t output_max;
    rv_duration kill_after;

    int directory_fd; /* all names are relative to it */
    int done_fd;
    int failed_fd;
    int inotify_fd;
    int mounts_fd; /* tells of mounts; -1 when it cannot be had */
    int wake_fd;   /* an eventfd: the watch is to scan the directory */

    /* The watch's own. */
    bool full_told;  /* that no more files are taken in */
    bool short_told; /* that descriptors or memory are missing to look at files */
    bool unsettled;  /* there are files that are taken only when nobody has written to them for a
                        while */
    bool created;    /* names have come of which a scan is to find out more */
    bool cautious;   /* the scan is for these: it takes no file that was written to a moment ago */
    bool behind;     /* the queue is full, and files were left to the next scan */
    bool many_told;  /* that there are more files in `told` than it holds */
    struct told *told;

    pthread_mutex_t lock; /* protects the list, the claims' `job`, `again` and `left`, `waiting`,
                           * and the spares */
    struct claim *claims;
    unsigned waiting;         /* claims that were left */
    int spares[SPOOL_SPARES]; /* instances of inotify for moves */
    unsigned spare_count;
};

/* Claims (spool_claim.c) -------------------------------------------------- */

/* For the watch, before it submits a job. Returns 0; -EALREADY when a job has the file; -EBUSY when
 * too many results wait to be moved; or -ENOMEM. *arrived: inotify tells of the file. If a job has
 * it then, it may be another one, which came after the job had moved its own: the watch is woken
 * when the job gives up the claim. When it queues the file after that, *arrived becomes true. */
int claim_queue(struct spool *spool, const char *name, bool *arrived);
/* Whether claim_queue() takes in no file that has no claim yet. */
bool claim_is_full(struct spool *spool);
/* The file that has the name now is the one that the claim, which is queued, is for. */
void claim_note_file(struct spool *spool, const char *name);
/* There is no job after all, or it has ended without having begun. */
void claim_unqueue(struct spool *spool, const char *name);
/* Drops claims that wait for a job and whose file somebody has removed. */
void claim_forget_gone(struct spool *spool);

/* For a job: makes it the owner, at each of its attempts. queued: the watch has submitted it.
 * Returns 0, -EALREADY when another job has the file, or -ENOMEM. */
int claim_take(struct spool *spool, const char *name, uint64_t job, bool queued,
               struct claim **ret_claim);
/* The job has ended, and owns a claim no longer. One whose file is still to be moved is left to the
 * next job for the file, and counts as waiting until it is released, whoever tries to move the file
 * meanwhile. */
void claim_end(struct spool *spool, uint64_t job);
/* Forgets the result, and leaves the rest to a job that runs the command anew: the watch is woken.
 */
void claim_renew(struct spool *spool, struct claim *claim);
/* Forgets the result. */
void claim_forget_result(struct claim *claim);
/* The file is nobody's again. */
void claim_release(struct spool *spool, struct claim *claim);
/* Has the watch scan the directory. */
void claim_wake_watch(struct spool *spool);

/* Files (spool_look.c) ---------------------------------------------------- */

/* Looks a name up; "": the descriptor itself. Symbolic links are not followed. Returns 0 or a
 * negative errno. */
int file_stat(int folder, const char *name, struct statx *ret_status);

/* Whether both are one file, whatever its content: a name that was removed and made again is
 * another one, also when it got the number of the old one, where the file system knows when a file
 * was made. */
bool file_is_same(const struct statx *a, const struct statx *b);

/* The same, with the same content as far as size and time of modification tell. */
bool file_is_unchanged(const struct statx *a, const struct statx *b);

enum file_look {
    FILE_COMPLETE,
    FILE_UNCERTAIN, /* whether anybody has it open for writing cannot be known */
    FILE_GROWING,   /* somebody has it open for writing */
    FILE_GONE,
    FILE_ODD, /* no regular file */
    FILE_UNREADABLE,
    FILE_UNKNOWN, /* descriptors or memory are missing to tell */
};

/* Looks at a file. Of one that is unreadable or unknown *ret_error says why, a negative errno. */
enum file_look file_look(int folder, const char *name, int *ret_error);

/* The same of a regular file that is open for reading: complete, uncertain or growing. */
enum file_look file_look_at(int fd);

/* Whether it is some time since the file was written to. */
bool file_is_settled(int folder, const char *name);

/* Whether there is nothing of that name in the directory. */
bool file_is_gone(int folder, const char *name);

/* Whether the spool takes files of that name at all. */
bool spool_takes_name(const struct spool *spool, const char *name);

/* Changes around a move (spool_trace.c) ----------------------------------- */

struct trace {
    struct spool *spool;
    int file;               /* open for reading; -1 when it cannot be */
    int events;             /* inotify's; -1 when it cannot be had */
    int watch;              /* the descriptor of its watch */
    bool moved;             /* the file has got its new name */
    bool gaps;              /* events were lost */
    uint32_t before, after; /* what was told of before that, and since */
};

/* Before the move. Returns 0, or SPOOL_CHANGED when the file is not the claim's as its command has
 * seen it, or is open for writing. trace_end() is to be called in either case. */
int trace_begin(struct trace *trace, struct spool *spool, const struct claim *claim);
/* Whether the file is known to have got another name. */
bool trace_is_moved(struct trace *trace);
/* After it. Whether what was moved, as `name` in `target`, is the file that the command has seen,
 * with nobody who had opened it to write before. */
bool trace_is_seen(struct trace *trace, const struct claim *claim, int target, const char *name);
void trace_end(struct trace *trace);
/* At the module's end. */
void trace_close_spares(struct spool *spool);

/* Directories (spool_folder.c) ------------------------------------------------ */

/* Whether the directories, as far as they are there, are some that no spool may have. Returns 0 or
 * -EINVAL with a text; looks only. */
int spool_check_directory(const struct spool *spool);

/* Makes and opens the directories, proves that files can be moved, and watches. Returns 0 or a
 * negative errno with a text; then spool_close() is to be called all the same. */
int spool_open(struct rv_context *ctx, struct spool *spool);
void spool_close(struct spool *spool);

/* Whether the directories are still those that their paths lead to. Returns 0 or a negative errno
 * with a text. */
int spool_check_folders(const struct spool *spool);

/* Keeps the directory, which is open, for this spool until it is closed (spool_lock.c). Returns 0,
 * also where there are no locks, or -EBUSY with a text when another spool has it. */
int spool_lock(struct rv_context *ctx, const struct spool *spool);

/* The events that were told (spool_told.c), all of it for the watch ------- */

/* A scan begins: what it does not come across is forgotten at its end. */
void told_begin(struct spool *spool);
void told_end(struct spool *spool);
/* Returns whether this was not told of that file yet, and remembers it. */
bool told_first(struct rv_context *ctx, struct spool *spool, const char *name, enum file_look what);
/* Whether the file is among those that cannot be read. */
bool told_unreadable(const struct spool *spool, const char *name);
void told_forget(struct spool *spool, const char *name);
/* How many cannot be read. */
unsigned told_count(const struct spool *spool);

/* Tasks and pools --------------------------------------------------------- */

/* The task's function. It ends only with an error, after which the module is to be restarted. */
int spool_watch(struct rv_context *ctx, void *state);

/* The pool's function: runs the command for the file that the job names, and moves the file when
 * its end is certain. */
int spool_process(struct rv_context *ctx, const struct rv_job *job, void *state);

/* The job has no further attempt: gives up its claim, or leaves it to the next job when its file is
 * still to be moved. */
void spool_ended(const struct rv_job *job, int code, void *state);

/* Moves the file of a command that has ended to done/ or failed/, with its output, for good. A file
 * that is not there any more is no error. From there on it is its consumer's. Returns 0;
 * SPOOL_CHANGED when by then the name was another file's, or the file was written to, which is then
 * in the directory; or a negative errno with a text. */
int spool_move(struct rv_context *ctx, struct spool *spool, const struct claim *claim);

#endif
