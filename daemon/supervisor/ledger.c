/* SPDX-License-Identifier: MIT */
/*
 * The file: a line "STARTED MODULE TASK" each, STARTED in nanoseconds since the epoch, between a
 * first and a last line that tell a whole file from a part of one.
 *
 * It is written under another name and renamed, so that a daemon that dies leaves the old or the new
 * one. The loop may not wait for a disk, so it is not synced there; a machine that loses its power
 * may then find an empty file under the right name, and so one that is a minute older is kept beside
 * it.
 */
#include "daemon/supervisor/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
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

/* The kernel writes back what is older than half a minute (vm.dirty_expire_centisecs). */
#define SETTLED (60 * NSEC_PER_SEC)

#define FIRST_LINE "reeve last runs 1"
#define LAST_LINE  "end"

struct entry {
    char *module;
    char *task;
    int64_t started;
    bool kept;
};

struct ledger {
    char *path, *new_path, *old_path;
    struct entry *entries;
    size_t count;
    bool changed;       /* since it was written; then the timer is armed */
    int64_t written_at; /* monotonic; 0: in an earlier life */
    bool failing;       /* the last write failed, which was told */
    struct loop_timer *timer;
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
    if (r < 0 && r != -ENOENT)
        log_warning("%s, with the times of last runs, is not used: %s", path,
                    r == -EBADMSG ? "it is damaged" : strerror(-r));
    return r;
}

/* Writing ----------------------------------------------------------------------------------------
 */

static int write_new(const struct ledger *ledger, bool wait)
{
    cleanup_text struct text text = {0};
    cleanup_close int fd = -1;
    int r;

    text_append(&text, FIRST_LINE "\n");
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->entries[i].kept)
            text_append_format(&text, "%" PRId64 " %s %s\n", ledger->entries[i].started,
                               ledger->entries[i].module, ledger->entries[i].task);
    text_append(&text, LAST_LINE "\n");
    if (text.failed)
        return -ENOMEM;
    fd = open(ledger->new_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    r = write_all(fd, text.data, text.length);
    if (r == 0 && wait && fsync(fd) < 0)
        r = -errno;
    return r;
}

/* The old file stays until the one that follows it has had the time to reach the disk. */
static int replace(struct ledger *ledger)
{
    int64_t now = clock_monotonic();

    /* Between the two renames there is no file but the old one, which is read then. */
    if ((ledger->written_at == 0 || now - ledger->written_at > SETTLED) &&
        rename(ledger->path, ledger->old_path) < 0 && errno != ENOENT)
        return -errno;
    if (rename(ledger->new_path, ledger->path) < 0)
        return -errno;
    ledger->written_at = now;
    return 0;
}

static void save(struct ledger *ledger, bool wait)
{
    int r = write_new(ledger, wait);

    if (r == 0)
        r = replace(ledger);
    ledger->changed = r < 0;
    if (r < 0 && !ledger->failing)
        log_warning(
            "cannot keep the times of last runs in %s: %s; after a restart of reeved, tasks "
            "may run too soon or too late",
            ledger->path, strerror(-r));
    else if (r == 0 && ledger->failing)
        log_notice("the times of last runs are kept again in %s", ledger->path);
    ledger->failing = r < 0;
}

static void save_due(void *arg)
{
    struct ledger *ledger = arg;

    save(ledger, false);
    if (ledger->changed)
        loop_timer_arm(ledger->timer, RETRY_DELAY);
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
    if (!changed || ledger->changed)
        return;
    ledger->changed = true;
    loop_timer_arm(ledger->timer, SAVE_DELAY);
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
    int r;

    if (!ledger)
        return -ENOMEM;
    ledger->path = format_new("%s/last-runs", folder);
    ledger->new_path = format_new("%s/last-runs.new", folder);
    ledger->old_path = format_new("%s/last-runs.old", folder);
    if (!ledger->path || !ledger->new_path || !ledger->old_path ||
        loop_timer_create(loop, save_due, ledger, &ledger->timer) < 0) {
        ledger_destroy(ledger);
        return -ENOMEM;
    }
    r = read_from(ledger, ledger->path);
    /* It must not take the place of the one before, when that is good. */
    if (r == -EBADMSG)
        unlink(ledger->path);
    if (r < 0)
        read_from(ledger, ledger->old_path);
    *ret_ledger = ledger;
    return 0;
}

void ledger_destroy(struct ledger *ledger)
{
    if (!ledger)
        return;
    if (ledger->changed)
        save(ledger, true);
    clear(ledger);
    free(ledger->entries);
    loop_timer_destroy(ledger->timer);
    free(ledger->path);
    free(ledger->new_path);
    free(ledger->old_path);
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
            ledger->changed = true;
    }
    if (ledger && ledger->changed)
        loop_timer_arm(ledger->timer, SAVE_DELAY);
    return 0;
}
