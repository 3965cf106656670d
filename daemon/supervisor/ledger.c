/* SPDX-License-Identifier: MIT */
/*
 * The file: a line "STARTED MODULE TASK" each, STARTED in nanoseconds since the epoch, between a
 * first and a last line that tell a whole file from a part of one.
 *
 * It is replaced for good (base/durable.h), so a daemon that dies, and a machine that loses its power,
 * leave the old or the new file. The version before is kept beside it, in case the disk damages the file.
 * Writing waits for the disk, so it runs in the background of the loop; changes that come meanwhile are
 * written next.
 */
#include "daemon/supervisor/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/duration.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"

#define FILE_MAX (1024 * 1024)

/* More tasks of a module than that are not remembered: the oldest make place. Their names come from
 * the host, which may make up any; what it can push out is its own. */
#define TASKS_MAX SCOREBOARD_TASKS

/* Starts that come together are written together. */
#define SAVE_DELAY NSEC_PER_SEC

/* After a write that failed. */
#define RETRY_DELAY (2 * NSEC_PER_SEC)

#define NAME         "last-runs"
#define OLD_NAME     NAME ".old"
#define DAMAGED_NAME NAME ".damaged"

#define FIRST_LINE "reeve last runs 1"
#define LAST_LINE  "end"

struct entry {
    char *module;
    char *task;
    int64_t started;
    bool kept;
};

struct ledger {
    char *folder, *path, *old_path, *damaged_path;
    struct entry *entries;
    size_t count;
    bool changed; /* since the last write began; then the timer is armed, or a write is under way */
    bool failing; /* the last write failed, which was told */
    struct loop_timer *timer;
    struct loop_background *writer;
    struct text content;        /* of the write under way */
    enum file_step failed_step; /* of the last write */
};

static void entry_free(struct entry *entry)
{
    free(entry->module);
    free(entry->task);
}

static struct entry *find(const struct ledger *ledger, const char *module, const char *task)
{
    for (size_t i = 0; i < ledger->count; i++)
        if (strcmp(ledger->entries[i].task, task) == 0 &&
            strcmp(ledger->entries[i].module, module) == 0)
            return &ledger->entries[i];
    return NULL;
}

static void make_place(struct ledger *ledger, const char *module)
{
    size_t oldest = 0, tasks = 0;

    for (size_t i = 0; i < ledger->count; i++) {
        if (strcmp(ledger->entries[i].module, module) != 0)
            continue;
        if (tasks++ == 0 || ledger->entries[i].started < ledger->entries[oldest].started)
            oldest = i;
    }
    if (tasks < TASKS_MAX)
        return;
    entry_free(&ledger->entries[oldest]);
    ledger->entries[oldest] = ledger->entries[--ledger->count];
}

static struct entry *add(struct ledger *ledger, const char *module, const char *task)
{
    struct entry *entries, entry = {0};

    make_place(ledger, module);
    entries = reallocarray(ledger->entries, ledger->count + 1, sizeof(*entries));
    if (entries)
        ledger->entries = entries;
    entry.module = strdup(module);
    entry.task = strdup(task);
    if (!entries || !entry.module || !entry.task) {
        entry_free(&entry);
        return NULL;
    }
    entries[ledger->count] = entry;
    return &entries[ledger->count++];
}

/* Returns whether anything that is to be kept has changed. */
static bool note(struct ledger *ledger, const char *module, const char *task, int64_t started,
                 bool kept)
{
    struct entry *entry = find(ledger, module, task);

    if (!entry)
        entry = add(ledger, module, task);
    if (!entry || entry->started == started)
        return false;
    entry->started = started;
    kept = kept || entry->kept;
    entry->kept = kept;
    return kept;
}

static void mark_changed(struct ledger *ledger)
{
    if (!ledger->changed && !ledger_is_writing(ledger))
        loop_timer_arm(ledger->timer, SAVE_DELAY);
    ledger->changed = true;
}

/* Reading ----------------------------------------------------------------------------------------
 */

/* Returns 0 or -EBADMSG. */
static int read_line(struct ledger *ledger, char *line)
{
    char *module = strchr(line, ' '), *task = module ? strchr(module + 1, ' ') : NULL;
    long long started;

    if (!task)
        return -EBADMSG;
    *module++ = '\0';
    *task++ = '\0';
    if (integer_parse(line, 1, INT64_MAX, &started) < 0 || *module == '\0' || *task == '\0')
        return -EBADMSG;
    note(ledger, module, task, started, true);
    return 0;
}

static int read_lines(struct ledger *ledger, char *data)
{
    char *rest = data, *line = strsep(&rest, "\n");

    if (!line || strcmp(line, FIRST_LINE) != 0)
        return -EBADMSG;
    while ((line = strsep(&rest, "\n")) && strcmp(line, LAST_LINE) != 0)
        if (read_line(ledger, line) < 0)
            return -EBADMSG;
    return line ? 0 : -EBADMSG;
}

static void clear(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++)
        entry_free(&ledger->entries[i]);
    ledger->count = 0;
}

/* Returns 0, -ENOENT, -EBADMSG, or another negative errno. */
static int read_from(struct ledger *ledger, const char *path)
{
    cleanup_free char *data = NULL;
    size_t size;
    int r = file_read(path, FILE_MAX, &data, &size);

    if (r == 0)
        r = strlen(data) == size ? read_lines(ledger, data) : -EBADMSG;
    if (r < 0)
        clear(ledger);
    return r;
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

/* "is missing" and the like. */
static void describe_wrong(int r, char *buffer, size_t size)
{
    if (r == -ENOENT)
        snprintf(buffer, size, "is missing");
    else if (r == -EBADMSG)
        snprintf(buffer, size, "is damaged");
    else
        snprintf(buffer, size, "cannot be read (%s)", strerror(-r));
}

/* A damaged file must not become the reserve at the next write. It is kept for those who want to see it. */
static void set_aside(const struct ledger *ledger)
{
    if (rename(ledger->path, ledger->damaged_path) < 0)
        unlink(ledger->path);
}

static const char *where_kept(int wrong)
{
    return wrong == -EBADMSG ? " (kept as " DAMAGED_NAME ")" : "";
}

/* Says which file is used instead, and how an operator can help. */
static void tell_reserve(const struct ledger *ledger, int wrong)
{
    char what[128], when[64];

    describe_wrong(wrong, what, sizeof(what));
    describe_time(ledger->old_path, when, sizeof(when));
    if (wrong == -ENOENT)
        log_notice(
            "%s, with the times of last runs, %s: %s, written at %s, is used instead. To forget "
            "all last runs, stop reeved and remove both",
            ledger->path, what, OLD_NAME, when);
    else
        log_warning(
            "%s, with the times of last runs, %s%s: %s, written at %s, is used instead. Tasks that "
            "ran after that time may run once more. If this happens again, check the disk",
            ledger->path, what, where_kept(wrong), OLD_NAME, when);
}

static void tell_nothing(const struct ledger *ledger, int wrong, int old_wrong)
{
    char what[128], old_what[128];

    describe_wrong(wrong, what, sizeof(what));
    describe_wrong(old_wrong, old_what, sizeof(old_what));
    log_warning(
        "%s, with the times of last runs, %s%s, and %s %s: tasks start as if they had never run. "
        "If you have a copy of the file, stop reeved and put it back. If this happens again, "
        "check the disk",
        ledger->path, what, where_kept(wrong), OLD_NAME, old_what);
}

static void read_files(struct ledger *ledger)
{
    int r = read_from(ledger, ledger->path), old;

    if (r == 0)
        return;
    if (r == -EBADMSG)
        set_aside(ledger);
    old = read_from(ledger, ledger->old_path);
    if (old == 0) {
        tell_reserve(ledger, r);
        /* So that there are two again. */
        mark_changed(ledger);
    } else if (r != -ENOENT || old != -ENOENT) {
        tell_nothing(ledger, r, old);
    }
}

/* Writing ----------------------------------------------------------------------------------------
 */

static int compose(struct ledger *ledger)
{
    struct text *text = &ledger->content;

    text_append(text, FIRST_LINE "\n");
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].kept)
            text_append_format(text, "%" PRId64 " %s %s\n", ledger->entries[i].started,
                               ledger->entries[i].module, ledger->entries[i].task);
    text_append(text, LAST_LINE "\n");
    return text->failed ? -ENOMEM : 0;
}

/* Waits for the disk: on a thread of its own, or when the loop has ended. */
static int write_file(void *arg)
{
    struct ledger *ledger = arg;
    cleanup_close int folder = open(ledger->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct file_content content = {
        .data = ledger->content.data,
        .size = ledger->content.length,
        .mode = 0600,
        .keep = OLD_NAME,
    };

    ledger->failed_step = FILE_CREATE;
    return folder < 0 ? -errno : file_replace(folder, NAME, &content, &ledger->failed_step);
}

static void conclude(struct ledger *ledger, int r, const char *step)
{
    text_free(&ledger->content);
    if (r < 0 && !ledger->failing)
        log_warning(
            "cannot keep the times of last runs: cannot %s %s: %s; after a restart of reeved, "
            "tasks may run too soon or too late. It is tried again every %lld s",
            step, ledger->path, strerror(-r), (long long)(RETRY_DELAY / NSEC_PER_SEC));
    else if (r == 0 && ledger->failing)
        log_notice("the times of last runs are kept again in %s", ledger->path);
    ledger->failing = r < 0;
    ledger->changed = ledger->changed || r < 0;
    if (ledger->changed)
        loop_timer_arm(ledger->timer, r < 0 ? RETRY_DELAY : SAVE_DELAY);
}

static void written(int r, void *arg)
{
    struct ledger *ledger = arg;

    conclude(ledger, r, file_step_text(ledger->failed_step));
}

static void save_due(void *arg)
{
    struct ledger *ledger = arg;
    int r = compose(ledger);

    if (r == 0)
        r = loop_background_start(ledger->writer);
    if (r < 0)
        conclude(ledger, r, "get a thread to write");
    else
        ledger->changed = false;
}

/* There is no loop any more. */
static void save_at_the_end(struct ledger *ledger)
{
    int r;

    loop_background_wait(ledger->writer);
    if (!ledger->changed)
        return;
    r = compose(ledger);
    ledger->failed_step = FILE_WRITE;
    written(r < 0 ? r : write_file(ledger), ledger);
}

/* ------------------------------------------------------------------------------------------------
 */

void ledger_read_board(struct ledger *ledger, const char *module, const struct scoreboard *board,
                       uint32_t slot)
{
    bool changed = false;

    for (unsigned i = 0; i < SCOREBOARD_TASKS; i++) {
        struct scoreboard_task task;
        bool whole = scoreboard_read_task(board, i, &task);

        if (!task.head.used)
            break;
        if (!whole || task.module != slot || task.started_realtime <= 0 || task.name[0] == '\0')
            continue;
        text_sanitise(task.name);
        changed = note(ledger, module, task.name, task.started_realtime, task.kept) || changed;
    }
    if (changed)
        mark_changed(ledger);
}

bool ledger_is_writing(const struct ledger *ledger)
{
    return loop_background_is_busy(ledger->writer);
}

void ledger_each(const struct ledger *ledger, const char *module,
                 void (*fn)(const char *task, int64_t started, void *arg), void *arg)
{
    for (size_t i = 0; i < ledger->count; i++)
        if (strcmp(ledger->entries[i].module, module) == 0)
            fn(ledger->entries[i].task, ledger->entries[i].started, arg);
}

int ledger_create(struct loop *loop, const char *folder, struct ledger **ret_ledger)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    int r = -ENOMEM;

    if (!ledger)
        return -ENOMEM;
    ledger->folder = strdup(folder);
    ledger->path = format_new("%s/" NAME, folder);
    ledger->old_path = format_new("%s/" OLD_NAME, folder);
    ledger->damaged_path = format_new("%s/" DAMAGED_NAME, folder);
    if (ledger->folder && ledger->path && ledger->old_path && ledger->damaged_path)
        r = loop_timer_create(loop, save_due, ledger, &ledger->timer);
    if (r == 0)
        r = loop_background_create(loop, write_file, written, ledger, &ledger->writer);
    if (r < 0) {
        ledger_destroy(ledger);
        return r;
    }
    read_files(ledger);
    *ret_ledger = ledger;
    return 0;
}

void ledger_destroy(struct ledger *ledger)
{
    if (!ledger)
        return;
    if (ledger->writer)
        save_at_the_end(ledger);
    clear(ledger);
    free(ledger->entries);
    loop_background_destroy(ledger->writer);
    loop_timer_destroy(ledger->timer);
    text_free(&ledger->content);
    free(ledger->folder);
    free(ledger->path);
    free(ledger->old_path);
    free(ledger->damaged_path);
    free(ledger);
}

json_t *ledger_save(const struct ledger *ledger)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < ledger->count; i++) {
        const struct entry *entry = &ledger->entries[i];

        if (json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:I, s:b}", "module", entry->module, "task",
                                            entry->task, "started", (json_int_t)entry->started,
                                            "kept", entry->kept)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int ledger_load(struct ledger *ledger, const json_t *state, struct state_error *error)
{
    for (size_t i = 0; i < json_array_size(state); i++) {
        json_t *item = json_array_get(state, i);
        const char *module, *task;
        json_int_t started;
        int kept;

        if (json_unpack(item, "{s:s, s:s, s:I, s:b}", "module", &module, "task", &task, "started",
                        &started, "kept", &kept) < 0 ||
            started <= 0) {
            snprintf(error->text, sizeof(error->text), "the time of a last run cannot be read");
            return -EBADMSG;
        }
        /* Without a ledger it is only checked. */
        if (ledger && note(ledger, module, task, started, kept))
            mark_changed(ledger);
    }
    return 0;
}
