/* SPDX-License-Identifier: MIT */
/*
 * The file: a line "SETTLED MODULE TASK" each, between a first and a last line that tell a whole
 * file from a part of one. Every point of the task's schedule until SETTLED, in nanoseconds since
 * the epoch, was run or skipped. Versions up to 0.1 wrote the last start there, which a schedule
 * can go on from as well, and read it as one.
 *
 * It is replaced for good (base/durable.h), so a daemon that dies, and a machine that loses its
 * power, leave the old or the new file. The version before is kept beside it, in case the disk
 * damages the file. Only a file that was read or written well becomes that reserve.
 */
#include "daemon/unit/last_runs_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"

/* A thousand modules with as many tasks as a scoreboard has, all of long names, need less. */
#define FILE_MAX (64 * 1024 * 1024)

#define NAME         "last-runs"
#define OLD_NAME     NAME ".old"
#define DAMAGED_NAME NAME ".damaged"

#define FIRST_LINE "reeve last runs 1"
#define LAST_LINE  "end"

struct last_runs_file {
    char *folder, *path, *old_path, *damaged_path;
    bool whole; /* the file under the name is there and good */
};

int last_runs_file_create(const char *folder, struct last_runs_file **ret_file)
{
    struct last_runs_file *file = calloc(1, sizeof(*file));

    if (!file)
        return -ENOMEM;
    file->folder = strdup(folder);
    file->path = format_new("%s/" NAME, folder);
    file->old_path = format_new("%s/" OLD_NAME, folder);
    file->damaged_path = format_new("%s/" DAMAGED_NAME, folder);
    if (!file->folder || !file->path || !file->old_path || !file->damaged_path) {
        last_runs_file_destroy(file);
        return -ENOMEM;
    }
    *ret_file = file;
    return 0;
}

void last_runs_file_destroy(struct last_runs_file *file)
{
    if (!file)
        return;
    free(file->folder);
    free(file->path);
    free(file->old_path);
    free(file->damaged_path);
    free(file);
}

const char *last_runs_file_path(const struct last_runs_file *file)
{
    return file->path;
}

/* Reading ----------------------------------------------------------------- */

/* Returns 0 or -EBADMSG. */
static int read_line(char *line, const struct last_runs_reader *reader)
{
    char *module = strchr(line, ' '), *task = module ? strchr(module + 1, ' ') : NULL;
    long long settled;

    if (!task)
        return -EBADMSG;
    *module++ = '\0';
    *task++ = '\0';
    if (integer_parse(line, 1, INT64_MAX, &settled) < 0 || *module == '\0' || *task == '\0')
        return -EBADMSG;
    reader->note(module, task, settled, reader->arg);
    return 0;
}

static int read_lines(char *data, const struct last_runs_reader *reader)
{
    char *rest = data, *line = strsep(&rest, "\n");

    if (!line || strcmp(line, FIRST_LINE) != 0)
        return -EBADMSG;
    while ((line = strsep(&rest, "\n")) && strcmp(line, LAST_LINE) != 0)
        if (read_line(line, reader) < 0)
            return -EBADMSG;
    return line ? 0 : -EBADMSG;
}

/* Returns 0, -ENOENT, -EBADMSG, or another negative errno. */
static int read_from(const char *path, const struct last_runs_reader *reader)
{
    cleanup_free char *data = NULL;
    size_t size;
    int r = file_read(path, FILE_MAX, &data, &size);

    if (r == 0)
        r = strlen(data) == size ? read_lines(data, reader) : -EBADMSG;
    if (r < 0)
        reader->forget(reader->arg);
    return r;
}

/* Says nothing about the file: it may be a good one. */
static bool is_of_the_moment(int r)
{
    return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EAGAIN;
}

static int tell_moment(const char *path, int r)
{
    log_error(
        "cannot read %s, with the times of last runs: %s; without it tasks would run too soon or "
        "too late",
        path, strerror(-r));
    return r;
}

/* A file that cannot be used is kept for those who want to see it, and out of the way of the next
 * write. Adds to the message where it is. */
static void set_aside(const struct last_runs_file *file, struct text *message)
{
    if (rename(file->path, file->damaged_path) == 0)
        text_append(message, " (kept as " DAMAGED_NAME ")");
    else
        text_append_format(message, " (and cannot be renamed to " DAMAGED_NAME ": %s)",
                           strerror(errno));
}

/* "is missing" and the like. */
static void describe_wrong(int r, struct text *message)
{
    if (r == -ENOENT)
        text_append(message, "is missing");
    else if (r == -EBADMSG)
        text_append(message, "is damaged");
    else
        text_append_format(message, "cannot be read: %s", strerror(-r));
}

/* "2026-01-31 12:00:00 UTC": when the file was written. */
static void describe_time(const char *path, char *buffer, size_t size)
{
    struct stat status;
    struct tm tm;

    if (stat(path, &status) < 0 || !gmtime_r(&status.st_mtime, &tm) ||
        strftime(buffer, size, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(buffer, size, "an unknown time");
}

/* Says which file is used instead, and how an operator can help. */
static void tell_reserve(const struct last_runs_file *file, bool missing, const char *wrong)
{
    char when[64];

    describe_time(file->old_path, when, sizeof(when));
    if (missing)
        log_notice(
            "%s, with the times of last runs, %s: %s, written at %s, is used instead. To forget "
            "all last runs, stop reeved and remove both",
            file->path, wrong, OLD_NAME, when);
    else
        log_warning(
            "%s, with the times of last runs, %s: %s, written at %s, is used instead. Tasks that "
            "ran after that time may run once more. If this happens again, check the disk",
            file->path, wrong, OLD_NAME, when);
}

static void tell_nothing(const struct last_runs_file *file, const char *wrong, int old)
{
    cleanup_text struct text old_wrong = {0};

    describe_wrong(old, &old_wrong);
    log_warning(
        "%s, with the times of last runs, %s, and %s %s: tasks start as if they had never run. "
        "If you have a copy of the file, stop reeved and put it back. If this happens again, "
        "check the disk",
        file->path, wrong, OLD_NAME, text_string(&old_wrong));
}

int last_runs_file_read(struct last_runs_file *file, const struct last_runs_reader *reader)
{
    cleanup_text struct text wrong = {0};
    int r = read_from(file->path, reader), old;

    file->whole = r == 0;
    if (r == 0)
        return false;
    if (is_of_the_moment(r))
        return tell_moment(file->path, r);
    old = read_from(file->old_path, reader);
    if (is_of_the_moment(old))
        return tell_moment(file->old_path, old);
    describe_wrong(r, &wrong);
    if (r != -ENOENT)
        set_aside(file, &wrong);
    if (old == 0)
        tell_reserve(file, r == -ENOENT, text_string(&wrong));
    else if (r != -ENOENT || old != -ENOENT)
        tell_nothing(file, text_string(&wrong), old);
    /* So that there are two again. */
    return old == 0;
}

/* Writing ----------------------------------------------------------------- */

void last_runs_file_begin(struct text *text)
{
    text_append(text, FIRST_LINE "\n");
}

void last_runs_file_line(struct text *text, const char *module, const char *task, int64_t settled)
{
    text_append_format(text, "%" PRId64 " %s %s\n", settled, module, task);
}

void last_runs_file_end(struct text *text)
{
    text_append(text, LAST_LINE "\n");
}

int last_runs_file_write(struct last_runs_file *file, const struct text *content,
                         enum file_step *ret_step)
{
    cleanup_close int folder = open(file->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct file_content replacement = {
        .data = content->data,
        .size = content->length,
        .mode = 0600,
        .keep = file->whole ? OLD_NAME : NULL,
    };
    int r;

    *ret_step = FILE_CREATE;
    if (folder < 0)
        return -errno;
    if (content->length > FILE_MAX) {
        *ret_step = FILE_WRITE;
        return -EFBIG;
    }
    r = file_replace(folder, NAME, &replacement, ret_step);
    file->whole = file->whole || r == 0 || *ret_step == FILE_SYNC_FOLDER;
    return r;
}
