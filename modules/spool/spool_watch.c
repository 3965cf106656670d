/* SPDX-License-Identifier: MIT */
/*
 * The task: submits a job for each file that arrives.
 *
 * inotify tells of files that a writer closes, moves in or links in. Scans of the directory find
 * the others: those that were there before, whose events the kernel dropped, or of which it tells
 * nothing. Each file that is found gets a claim first and is looked at then, so that a job that is
 * about to move it is not overlooked.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "modules/spool/spool.h"

/* How often the directory is scanned. inotify tells of files that a writer closes, so this is for
 * events that were missed or never come, and for files that are processed and could not be moved.
 */
#define RESCAN_INTERVAL (60 * RV_SECOND)
/* The same while there are files that may still be written to. */
#define SETTLED_INTERVAL (10 * RV_SECOND)
/* How long a file waits for room in the queue before the directories are looked at again. */
#define SUBMIT_MAX (30 * RV_SECOND)

static void tell_not_full(struct rv_context *ctx, struct spool *spool)
{
    rv_log(ctx, RV_LOG_NOTICE, "files are taken in again");
    spool->full_told = false;
}

/* Each file that stays is told of once. */
static void tell(struct rv_context *ctx, struct spool *spool, const char *name, enum file_look what,
                 int error)
{
    if (what == FILE_UNKNOWN && !spool->short_told)
        rv_log(ctx, RV_LOG_WARNING, "cannot look at %s: %s; files are looked at again every minute",
               name, strerror(-error));
    spool->short_told = what == FILE_UNKNOWN;
    if (what != FILE_ODD && what != FILE_UNREADABLE) {
        told_forget(spool, name);
        return;
    }
    if (!told_first(ctx, spool, name, what))
        return;
    if (what == FILE_ODD)
        rv_log(ctx, RV_LOG_NOTICE, "%s is no regular file, and is left alone", name);
    else
        rv_log(ctx, RV_LOG_WARNING,
               "%s cannot be read: %s; it stays where it is until its owner or mode has changed",
               name, strerror(-error));
}

/* While the queue is full nothing else is looked at, the directories above all: there is an end to
 * that, and the rest is left to a scan. */
static int hand_over(struct rv_context *ctx, struct spool *spool, const char *name)
{
    struct rv_context *limited;
    int r = rv_context_with_timeout(ctx, SUBMIT_MAX, &limited, NULL);

    if (r == 0) {
        r = rv_submit(limited, "process", name, strlen(name));
        rv_context_unref(limited);
    }
    if (r == 0)
        return 0;
    claim_unqueue(spool, name);
    if (r != -ETIMEDOUT || rv_context_err(ctx) != 0)
        return rv_wrap(r, "take in %s", name);
    spool->behind = true;
    return 0;
}

static int submit(struct rv_context *ctx, struct spool *spool, const char *name, bool arrived)
{
    enum file_look what;
    int r = claim_queue(spool, name, &arrived), error = 0;

    if (r == -EBUSY && !spool->full_told)
        rv_log(ctx, RV_LOG_WARNING,
               "no more files are taken in, as too many that are processed cannot be moved");
    if (r == -EBUSY)
        spool->full_told = true;
    else if (spool->full_told && !claim_is_full(spool))
        tell_not_full(ctx, spool);
    /* The file that a writer closes, or moves in, may be another one than the one that waits in the
     * queue. */
    if (r == 0 || (r == -EALREADY && arrived))
        claim_note_file(spool, name);
    /* It stays where it is, for a later scan. */
    if (r < 0)
        return 0;
    /* Only now: the job before gives up its claim when it has moved the file away. */
    what = file_look(spool->directory_fd, name, &error);
    tell(ctx, spool, name, what, error);
    /* A writer that closes such a file, or moves it in, is as good as there is. */
    if (what == FILE_UNCERTAIN && (arrived || file_is_settled(spool->directory_fd, name)))
        what = FILE_COMPLETE;
    if (what == FILE_COMPLETE && spool->cautious && !arrived &&
        !file_is_settled(spool->directory_fd, name))
        what = FILE_UNCERTAIN;
    spool->unsettled = spool->unsettled || what == FILE_UNCERTAIN;
    if (what == FILE_COMPLETE)
        return hand_over(ctx, spool, name);
    claim_unqueue(spool, name);
    return 0;
}

/* Whether a scan looks at the name. Directories are not told of. */
static bool is_candidate(const struct spool *spool, const struct dirent *entry)
{
    struct statx status;

    if (!spool_takes_name(spool, entry->d_name))
        return false;
    return file_stat(spool->directory_fd, entry->d_name, &status) == 0 && !S_ISDIR(status.stx_mode);
}

/* Returns 0 with NULL when descriptors or memory are missing, which may be over at the next scan.
 */
static int open_scan(struct rv_context *ctx, struct spool *spool, DIR **ret_directory)
{
    int fd = openat(spool->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    *ret_directory = fd < 0 ? NULL : fdopendir(fd);
    if (*ret_directory)
        return 0;
    r = -errno;
    if (fd >= 0)
        close(fd);
    if (r != -EMFILE && r != -ENFILE && r != -ENOMEM)
        return rv_fail(r, "scan %s", spool->directory);
    tell(ctx, spool, spool->directory, FILE_UNKNOWN, r);
    return 0;
}

/* All that is there already; for what came before the watch, and after the kernel dropped events.
 */
static int scan(struct rv_context *ctx, struct spool *spool)
{
    DIR *directory = NULL;
    struct dirent *entry;
    int r = spool_check_folders(spool);

    if (r == 0)
        r = open_scan(ctx, spool, &directory);
    if (!directory)
        return r;
    claim_forget_gone(spool);
    told_begin(spool);
    while (r == 0 && !spool->behind && (entry = readdir(directory)))
        if (is_candidate(spool, entry))
            r = submit(ctx, spool, entry->d_name, false);
    if (!spool->behind)
        told_end(spool);
    closedir(directory);
    return r;
}

/* A name that is linked in gives no other event, and a file that is made gives one when its writer
 * closes it. Which of them it is, only a second name tells. Without one there is a scan soon, which
 * takes nothing that somebody may still write where a lease does not show that. */
static int take_created(struct rv_context *ctx, struct spool *spool, const char *name)
{
    struct statx status;

    if (file_stat(spool->directory_fd, name, &status) < 0 || !S_ISREG(status.stx_mode))
        return 0;
    spool->created = true;
    return status.stx_nlink > 1 ? submit(ctx, spool, name, true) : 0;
}

static int take_event(struct rv_context *ctx, struct spool *spool,
                      const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        rv_log(ctx, RV_LOG_WARNING, "the kernel dropped events: scanning the directory");
        return scan(ctx, spool);
    }
    if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
        return rv_fail_text(-ENOENT, "%s is gone", spool->directory);
    if (event->len == 0)
        return 0;
    if (event->mask & IN_ISDIR) {
        bool away = event->mask & (IN_DELETE | IN_MOVED_FROM);

        /* Of the directory itself the kernel tells only when nobody has it open any more, as we do.
         */
        if (away && (strcmp(event->name, "done") == 0 || strcmp(event->name, "failed") == 0))
            return rv_fail_text(-ENOENT, "%s/%s is gone", spool->directory, event->name);
        return 0;
    }
    if (event->mask & (IN_DELETE | IN_MOVED_FROM))
        told_forget(spool, event->name);
    if (!spool_takes_name(spool, event->name))
        return 0;
    if (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO))
        return submit(ctx, spool, event->name, true);
    if (event->mask & IN_CREATE)
        return take_created(ctx, spool, event->name);
    if (event->mask & IN_ATTRIB && told_unreadable(spool, event->name))
        return submit(ctx, spool, event->name, true);
    return 0;
}

static int take_events(struct rv_context *ctx, struct spool *spool)
{
    _Alignas(struct inotify_event) char buffer[16 * 1024];
    ssize_t size = read(spool->inotify_fd, buffer, sizeof(buffer));
    int r = 0;

    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : rv_fail(-errno, "inotify");
    for (char *p = buffer; r == 0 && !spool->behind && p < buffer + size;) {
        const struct inotify_event *event = (const struct inotify_event *)(void *)p;

        p += sizeof(*event) + event->len;
        r = take_event(ctx, spool, event);
    }
    return r;
}

enum { INOTIFY, WAKE, MOUNTS, SOURCES };

/* Returns what is ready, -EAGAIN when it is time for a scan, or another negative errno. */
static int wait_for_more(struct rv_context *ctx, struct spool *spool, rv_time next_scan)
{
    struct rv_clause clauses[SOURCES] = {
        [INOTIFY] = RV_READY(spool->inotify_fd, POLLIN),
        [WAKE] = RV_READY(spool->wake_fd, POLLIN),
        [MOUNTS] = RV_READY(spool->mounts_fd, POLLPRI),
    };
    rv_duration left = next_scan - rv_now();
    uint64_t count;
    int r;

    /* However much comes in. */
    if (left <= 0)
        return -EAGAIN;
    r = rv_select(ctx, clauses, SOURCES, left);
    if (r == WAKE)
        (void)!read(spool->wake_fd, &count, sizeof(count));
    return r;
}

static void tell_progress(struct rv_context *ctx, const struct spool *spool)
{
    unsigned count = told_count(spool);

    if (count > 0)
        rv_progress(ctx, "watching %s; %u file%s cannot be read", spool->directory, count,
                    count == 1 ? "" : "s");
    else
        rv_progress(ctx, "watching %s", spool->directory);
}

int spool_watch(struct rv_context *ctx, void *state)
{
    struct spool *spool = state;
    rv_time next_scan = 0, next_look = RV_NEVER;
    int r = 0, ready = -EAGAIN;

    while (r == 0) {
        if (ready == WAKE || ready == -EAGAIN) {
            spool->cautious = ready == -EAGAIN && !spool->behind && rv_now() < next_scan;
            spool->unsettled = spool->behind = spool->created = false;
            r = scan(ctx, spool);
            next_look = RV_NEVER;
            if (spool->cautious && spool->unsettled)
                next_look = rv_now() + SETTLED_INTERVAL;
            else if (!spool->cautious)
                next_scan = rv_now() + (spool->unsettled ? SETTLED_INTERVAL : RESCAN_INTERVAL);
        } else if (ready == INOTIFY) {
            r = take_events(ctx, spool);
            if (spool->created && next_look == RV_NEVER)
                next_look = rv_now() + SETTLED_INTERVAL;
        } else if (ready == MOUNTS) {
            r = spool_check_folders(spool);
        } else {
            r = ready;
        }
        if (r == 0) {
            tell_progress(ctx, spool);
            ready = spool->behind
                        ? -EAGAIN
                        : wait_for_more(ctx, spool, next_look < next_scan ? next_look : next_scan);
        }
    }
    return r;
}
