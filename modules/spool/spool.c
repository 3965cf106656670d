/* SPDX-License-Identifier: MIT */
/*
 * spool - runs a command for each file that arrives in a directory
 *
 * A file is taken when it has been renamed in, linked in or closed, and no writer has it open. Its
 * command is run with the file's path as $1; then the file is moved to done/, or after all retries
 * to failed/, with the command's output beside it as NAME.output. Nothing there is overwritten:
 * where NAME or NAME.output exists both get a suffix, NAME.1 and NAME.1.output. Names that begin
 * with a dot, those that `ignore` matches, and directories are left alone. So is what is no regular
 * file, a symbolic link say, and a file that the module may not read; each is told of once in the
 * log, and a file is taken when its mode or owner lets it be read. Nothing goes to failed/ that no
 * command has seen: if none could be started, the file stays.
 *
 * The command leaves the file where it is, and writes nothing else into the directory: that would
 * be another file that has arrived, also if it is there for a moment only, as the one that `sed -i`
 * makes. If a command removes its file, nothing is moved and no output is kept.
 *
 * The directory must be one that the daemon may write to: beside the state directory reeve.service
 * needs a drop-in with ReadWritePaths=, as for the one below. It has to be in one file system with
 * its done/ and failed/. A start proves that files can be moved, and fails with the reason where
 * they cannot.
 *
 * A program may take files out of done/ and failed/ as soon as they are there. Their outputs are
 * there before them. Changes there start nothing again.
 *
 * Files that change
 *
 * A command has a file, and not a name. One that is open for writing when its turn comes waits
 * until it is complete. A file that is replaced, written to, or open for writing when its command
 * ends is not moved: its command runs again, with all its attempts, once it is complete. The log
 * says so; the output of the run before is dropped. Only versions that are gone before a command
 * has begun with them are never seen. Still, give each file a name of its own.
 *
 * A command that changes or replaces its own file looks the same. Tell of it by `edits = yes`: then
 * whatever has become of the file while its command ran is taken for the command's work. Without
 * that such a command runs 5 times for a file; then the file is taken as it is, with a warning.
 * Changes of somebody else count only as long as none of them falls between two runs, which are
 * further apart from the third on.
 *
 * Files that run again
 *
 * Commands run at least once: when the host dies or stops in the middle, or the machine loses its
 * power, the file is still in the directory, and the next start takes it up again. A command that
 * must not act twice on the same file has to notice that itself. Nothing in done/ runs again, so a
 * file is moved there only when its output is on the disk; after a power cut no file in done/ or
 * failed/ lacks it. An output without a file beside it is of a job that is under way, or was cut
 * off before its file was moved.
 *
 * If a file cannot be moved, because the disk is full, say, its command does not run again for
 * that: only the move is tried again, with the job's retries and then once a minute. A stop of the
 * module tries it once more, and says if the result is lost with it; then the next start runs the
 * command again.
 *
 * Dropping files
 *
 * The file itself is on the disk only if the program that drops it makes sure of that: fsync, then
 * rename. A file that was only copied may be empty after a power cut, and is then processed as an
 * empty one. From a shell, for a directory `in`:
 *
 *     cp report.csv in/.report.csv && sync in/.report.csv &&
 *         mv in/.report.csv in/report.csv && sync in
 *
 * The first sync is for the content, the second for the name. Until it has its name without a dot
 * the file is not taken. Programs that upload under another name are served by `ignore`: *.filepart
 * (WinSCP), *.part, *.crdownload and *.tmp are usual.
 *
 * A hard link that is made in the directory is taken at once as long as the file has its other
 * name, else when it has not been written to for 10 seconds; while somebody writes it by its other
 * name, within a minute of the end of that.
 *
 * A file whose writer closes it and opens it again later is taken in between, and again at the end.
 * For a file of another user the kernel does not tell whether somebody writes it; on some network
 * file systems and on FUSE it never does. There a file is taken when its writer on this machine
 * closes it or moves it in, or else by a scan when it has not been written to for 10 seconds.
 *
 * On NFS, FUSE and other file systems that somebody changes elsewhere, and for changes below an
 * overlay, the kernel tells nothing of new files: a scan finds them, once a minute. It does not see
 * writers there either: below an overlay a file that is still written counts as complete. A file
 * that has changed when its command ends is processed again, but a writer that pauses for longer is
 * not noticed. So rename files in.
 *
 * The directory itself
 *
 * A directory has one spool: a second one, of this reeved or another, does not start, and says
 * which process has it. On file systems without locks (some network file systems) that is not
 * noticed. The state directory itself is none: reeved's own files are there. done/ may be the
 * directory of another spool, with `ignore = *.output`.
 *
 * When its path leads to another directory, because it or one above it was renamed or removed, a
 * link in the path was changed, or something was mounted over it, over done/ or over failed/,
 * nothing is run or moved any more, and the module restarts with the directory that is there then.
 * That is noticed before each command and each move, at once for mounts, and within a minute else.
 *
 * Options
 *
 *     directory = PATH     the directory, made with done/ and failed/ in it; required
 *     command = TEXT       run by /bin/sh -c, with the file as "$1"; required
 *     ignore = PATTERN     names to leave alone, as a shell's pattern (*, ?, [...]); may be
 *                          repeated
 *     edits = BOOL         the command changes its file, which is no reason to run again.
 *                          Default: no
 *     output-max = SIZE    how much of a command's output is kept, up to 16M; what it leaves out
 *                          is told in the log. Default: 64K
 *     kill-after = DURATION
 *                          between SIGTERM and SIGKILL; 0: SIGKILL follows at once. Default: 3s.
 *                          Set process.grace to more than this
 *
 * Tasks and pools
 *
 *     watch                runs as long as the module does; when the directory goes away, or its
 *                          path leads to another one, the module restarts, which makes or opens
 *                          it again
 *     process              the commands: process.workers = 2 at once, process.retries = 2 more
 *                          attempts after process.backoff = 1s and twice that, process.timeout =
 *                          10min for one. The data of a job are the name of a file in the
 *                          directory, without the directory: `echo report.csv | reevectl submit
 *                          invoices/process --wait` processes it now. A name that the spool
 *                          never takes is refused without further attempts
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

#include <errno.h>
#include <string.h>

static int check(struct rv_context *ctx, const void *state)
{
    const struct spool *spool = state;
    int r = spool_check_directory(spool);

    if (r < 0)
        r = rv_fail_option(ctx, "directory", "%s", rv_error_text(r));
    for (size_t i = 0; i < spool->ignore.count; i++)
        if (spool->ignore.items[i][0] == '\0' || strchr(spool->ignore.items[i], '/'))
            r = rv_fail_option(ctx, "ignore",
                               "ignore = %s: expected a pattern for names, without a slash",
                               spool->ignore.items[i]);
    return r;
}

static int init(struct rv_context *ctx, void *state)
{
    struct spool *spool = state;
    int r;

    pthread_mutex_init(&spool->lock, NULL);
    r = spool_open(ctx, spool);
    if (r < 0) {
        spool_close(spool);
        pthread_mutex_destroy(&spool->lock);
    }
    return r;
}

/* Results that could not be moved are lost with the process: one last try, until the first that
 * fails. */
static void move_left(struct spool *spool)
{
    int r = spool_check_folders(spool);

    for (const struct claim *claim = spool->claims; claim; claim = claim->next) {
        if (!claim->left || !claim->ended)
            continue;
        if (r >= 0)
            r = spool_move(NULL, spool, claim);
        if (r < 0)
            rv_log(
                NULL, RV_LOG_WARNING,
                "%s is processed, but cannot be moved: %s; the next start runs its command again",
                claim->name, rv_error_text(r));
    }
}

static void fini(void *state)
{
    struct spool *spool = state;

    move_left(spool);
    told_begin(spool);
    told_end(spool);
    /* Of jobs that a stop kept from starting, or interrupted. */
    while (spool->claims)
        claim_release(spool, spool->claims);
    spool_close(spool);
    pthread_mutex_destroy(&spool->lock);
}

RV_MODULE(
        .name = "spool", .version = "1",
        .summary = "Runs a command for each file that arrives in a directory",
        .state_size = sizeof(struct spool),
        .options = RV_OPTIONS(
            RV_OPTION_PATH(struct spool, directory, .required = true, .help = "directory to watch"),
            RV_OPTION_STRING(struct spool, command, .required = true,
                             .help = "command for /bin/sh -c, with the file as \"$1\""),
            RV_OPTION_LIST(struct spool, ignore,
                           .help = "pattern of names to leave alone; may be repeated"),
            RV_OPTION_BOOL(struct spool, edits, .fallback = "no",
                           .help = "the command changes its file, which is no reason to run again"),
            RV_OPTION_SIZE(struct spool, output_max, .fallback = "64K", .minimum = 1,
                           .maximum = 16 << 20, .help = "bytes of the output to keep"),
            RV_OPTION_DURATION(struct spool, kill_after, .fallback = "3s",
                               .help = "time between SIGTERM and SIGKILL; 0: none")),
        .tasks = RV_TASKS({.name = "watch",
                           .run = spool_watch,
                           .every = "1s",
                           /* The directory is gone: init makes it again, or says why it cannot. */
                           .on_error = RV_ON_ERROR_RESTART,
                           .help = "takes in files as they arrive"}),
        .pools = RV_POOLS({.name = "process",
                           .run = spool_process,
                           .workers = 2,
                           .queue = 256,
                           .retries = 2,
                           .timeout = "10min",
                           .backoff = "1s",
                           .ended = spool_ended,
                           .help = "runs the command for a file"}),
        .check = check, .init = init, .fini = fini, );
