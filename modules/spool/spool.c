/* SPDX-License-Identifier: MIT */
/*
 * spool - runs a command for each file that arrives in a folder
 *
 * A file is complete when it was renamed in, or was closed and no writer has it open. Its command
 * is run with the file's path as $1; then the file is moved to done/, or after all retries to
 * failed/, with the command's output beside it as NAME.output. Nothing there is overwritten: where
 * NAME or NAME.output exists both get a suffix, NAME.1 and NAME.1.output. Names that begin with a
 * dot, folders and anything that is not a regular file are left alone.
 *
 * So the command leaves the file where it is, and writes nothing else into the folder: that would
 * be another file that has arrived. If a command removes its file, nothing is moved and no output is
 * kept. The folder must be one that the daemon may write to: beside the state folder reeve.service
 * needs a drop-in with ReadWritePaths=, as for the one below.
 *
 * Commands run at least once: when the host dies or stops in the middle, or the machine loses its
 * power, the file is still in the folder, and the next start takes it up again. A command that must
 * not act twice on the same file has to notice that itself. Nothing in done/ runs again, so a file is
 * moved there only when its output is on the disk; after a power cut no file in done/ or failed/ lacks
 * it. An output without a file beside it is of a job that is under way, or was cut off before its file
 * was moved.
 *
 * If a file cannot be moved, because the disk is full, say, its command does not run again for that:
 * only the move is tried again, with the job's retries and then once a minute. A restart of the module
 * forgets the result, and then the command runs again.
 *
 * The file itself is on the disk only if the program that drops it makes sure of that: fsync, then rename.
 * A file that was only copied may be empty after a power cut, and is then processed as an empty one.
 * From a shell, for a folder `in`:
 *
 *     cp report.csv in/.report.csv && sync in/.report.csv &&
 *         mv in/.report.csv in/report.csv && sync in
 *
 * The first sync is for the content, the second for the name. Until it has its name without a dot
 * the file is not taken. Give each file a name of its own: one that arrives under the name of a file
 * whose command still runs takes that file's place, and is moved in its stead.
 *
 * Options
 *
 *     directory = PATH     the folder, made with done/ and failed/ in it; required
 *     command = TEXT       run by /bin/sh -c, with the file as "$1"; required
 *     grace = DURATION     between SIGTERM and SIGKILL. Default: 3s
 *
 * Tasks and pools
 *
 *     watch                runs as long as the module does; when the folder goes away the module
 *                          restarts, which makes it again
 *     process              the commands: process.workers = 2 at once, process.retries = 2 more
 *                          attempts after process.backoff = 1s and twice that, process.timeout =
 *                          10min for one
 *
 * A stop lets commands under way end for up to the module's `drain`, and then cancels them.
 *
 * Example
 *
 *     [module:invoices]
 *     load = spool
 *     directory = /srv/invoices
 *     command = pdftotext "$1" -
 */
#include "modules/spool/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often the folder is scanned. inotify tells of files that a writer closes, so this is for events that
 * were missed, and for files that are processed and could not be moved. */
#define RESCAN_INTERVAL (60 * RV_SECOND)

static bool is_wanted(const struct spool *spool, const char *name)
{
    struct stat status;

    return name[0] != '.' &&
           fstatat(spool->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode);
}

static void tell_not_full(struct rv_context *ctx, struct spool *spool)
{
    rv_log(ctx, RV_LOG_NOTICE, "files are taken in again");
    spool->full_told = false;
}

static int submit(struct rv_context *ctx, struct spool *spool, const char *name, bool arrived)
{
    int r = claim_queue(spool, name, arrived);

    if (r == -EBUSY && !spool->full_told)
        rv_log(ctx, RV_LOG_WARNING,
               "no more files are taken in, as too many that are processed cannot be moved");
    if (r == -EBUSY)
        spool->full_told = true;
    else if (spool->full_told && !claim_is_full(spool))
        tell_not_full(ctx, spool);
    /* It stays where it is, for a later scan. */
    if (r < 0)
        return 0;
    /* Only now: the job before gives up its claim when it has moved the file away. */
    if (!is_wanted(spool, name)) {
        claim_unqueue(spool, name);
        return 0;
    }
    /* With the terminator, by which its job is known as ours. */
    r = rv_submit(ctx, "process", name, strlen(name) + 1);
    if (r < 0) {
        claim_unqueue(spool, name);
        return rv_wrap(r, "take in %s", name);
    }
    return 0;
}

/* Removed, though we have it open. */
static bool is_gone(const struct spool *spool)
{
    struct stat status;

    return fstat(spool->directory_fd, &status) == 0 && status.st_nlink == 0;
}

/* All that is there already; for what came before the watch, and after the kernel dropped events.
 */
static int scan(struct rv_context *ctx, struct spool *spool)
{
    int fd = openat(spool->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!directory) {
        if (fd >= 0)
            close(fd);
        return rv_fail(-errno, "scan %s", spool->directory);
    }
    if (is_gone(spool))
        r = rv_fail_text(-ENOENT, "%s is gone", spool->directory);
    claim_forget_gone(spool);
    while (r == 0 && (entry = readdir(directory)))
        if (is_wanted(spool, entry->d_name) && spool_is_complete(spool, entry->d_name))
            r = submit(ctx, spool, entry->d_name, false);
    closedir(directory);
    return r;
}

static int take_event(struct rv_context *ctx, struct spool *spool,
                      const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        rv_log(ctx, RV_LOG_WARNING, "the kernel dropped events: scanning the folder");
        return scan(ctx, spool);
    }
    if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
        return rv_fail_text(-ENOENT, "%s is gone", spool->directory);
    if (event->len == 0)
        return 0;
    if (event->mask & IN_ISDIR) {
        bool away = event->mask & (IN_DELETE | IN_MOVED_FROM);

        /* Of the folder itself the kernel tells only when nobody has it open any more, as we do. */
        if (away && (strcmp(event->name, "done") == 0 || strcmp(event->name, "failed") == 0))
            return rv_fail_text(-ENOENT, "%s/%s is gone", spool->directory, event->name);
        return 0;
    }
    if (!(event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)))
        return 0;
    /* A second writer may still have it. */
    if (event->mask & IN_CLOSE_WRITE && !spool_is_complete(spool, event->name))
        return 0;
    return submit(ctx, spool, event->name, true);
}

static int take_events(struct rv_context *ctx, struct spool *spool)
{
    _Alignas(struct inotify_event) char buffer[16 * 1024];
    ssize_t size = read(spool->inotify_fd, buffer, sizeof(buffer));
    int r = 0;

    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : rv_fail(-errno, "inotify");
    for (char *p = buffer; r == 0 && p < buffer + size;) {
        const struct inotify_event *event = (const struct inotify_event *)(void *)p;

        p += sizeof(*event) + event->len;
        r = take_event(ctx, spool, event);
    }
    return r;
}

enum { INOTIFY, WAKE };

/* Returns what is ready, -EAGAIN when it is time for a scan, or another negative errno. */
static int wait_for_more(struct rv_context *ctx, struct spool *spool)
{
    struct rv_clause clauses[] = {
        [INOTIFY] = RV_READY(spool->inotify_fd, POLLIN),
        [WAKE] = RV_READY(spool->wake_fd, POLLIN),
    };
    uint64_t count;
    int r = rv_select(ctx, clauses, 2, RESCAN_INTERVAL);

    if (r == WAKE)
        (void)!read(spool->wake_fd, &count, sizeof(count));
    return r;
}

static int watch(struct rv_context *ctx, void *state)
{
    struct spool *spool = state;
    int r = scan(ctx, spool);

    while (r == 0) {
        rv_progress(ctx, "watching %s", spool->directory);
        r = wait_for_more(ctx, spool);
        if (r == INOTIFY)
            r = take_events(ctx, spool);
        else if (r == WAKE || r == -EAGAIN)
            r = scan(ctx, spool);
    }
    return r;
}

/* The name of a folder that was made is to be on the disk before anything is kept in it. As far as it
 * goes: the folder above may be one that we cannot read. */
static void sync_parent(int folder)
{
    int parent = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (parent < 0)
        return;
    (void)fsync(parent);
    close(parent);
}

static int open_folder(int parent, const char *path)
{
    bool made = mkdirat(parent, path, 0755) == 0;
    int fd;

    if (!made && errno != EEXIST)
        return rv_fail(-errno, "make the folder %s", path);
    fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return rv_fail(-errno, "open the folder %s", path);
    if (made)
        sync_parent(fd);
    return fd;
}

static int open_folders(struct spool *spool)
{
    spool->directory_fd = open_folder(AT_FDCWD, spool->directory);
    if (spool->directory_fd < 0)
        return spool->directory_fd;
    spool->done_fd = open_folder(spool->directory_fd, "done");
    if (spool->done_fd < 0)
        return spool->done_fd;
    spool->failed_fd = open_folder(spool->directory_fd, "failed");
    if (spool->failed_fd < 0)
        return spool->failed_fd;
    spool->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (spool->inotify_fd < 0 ||
        inotify_add_watch(spool->inotify_fd, spool->directory,
                          IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                              IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0)
        return rv_fail(-errno, "watch %s", spool->directory);
    spool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return spool->wake_fd < 0 ? rv_fail(-errno, "make an eventfd") : 0;
}

static void close_folders(struct spool *spool)
{
    const int fds[] = {spool->directory_fd, spool->done_fd, spool->failed_fd, spool->inotify_fd,
                       spool->wake_fd};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_mutex_destroy(&spool->lock);
}

static int init(struct rv_context *ctx, void *state)
{
    struct spool *spool = state;
    int r;

    (void)ctx;
    spool->directory_fd = spool->done_fd = spool->failed_fd = -1;
    spool->inotify_fd = spool->wake_fd = -1;
    pthread_mutex_init(&spool->lock, NULL);
    r = open_folders(spool);
    if (r < 0)
        close_folders(spool);
    return r;
}

static void fini(void *state)
{
    struct spool *spool = state;

    /* Of jobs that a stop kept from starting, or interrupted. */
    while (spool->claims)
        claim_release(spool, spool->claims);
    close_folders(spool);
}

RV_MODULE(.name = "spool", .version = "1",
          .summary = "Runs a command for each file that arrives in a folder",
          .state_size = sizeof(struct spool),
          .options = RV_OPTIONS(
              RV_OPTION_PATH(struct spool, directory, .required = true, .help = "folder to watch"),
              RV_OPTION_STRING(struct spool, command, .required = true,
                               .help = "command for /bin/sh -c, with the file as \"$1\""),
              RV_OPTION_DURATION(struct spool, grace, .fallback = "3s",
                                 .help = "time between SIGTERM and SIGKILL")),
          .tasks = RV_TASKS({.name = "watch",
                             .run = watch,
                             .every = "1s",
                             /* The folder is gone: init makes it again, or says why it cannot. */
                             .on_error = "restart",
                             .help = "takes in files as they arrive"}),
          .pools = RV_POOLS({.name = "process",
                             .run = spool_process,
                             .workers = 2,
                             .queue = 256,
                             .retries = 2,
                             .timeout = "10min",
                             .backoff = "1s",
                             .help = "runs the command for a file"}),
          .init = init, .fini = fini, );
