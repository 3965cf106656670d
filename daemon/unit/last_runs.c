/* SPDX-License-Identifier: MIT */
/*
 * How far schedules have come, in memory. Writing it to the file waits for the disk, so it runs in the
 * background of the loop; changes that come meanwhile are written next.
 *
 * An interval counts on the monotonic clock, so its points are kept on that and become real times only when
 * they are asked for: a time of day that was wrong, and was set since, moves nothing.
 */
#include "daemon/unit/last_runs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/durable.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/last_runs_file.h"

/* More tasks of a module than that are not remembered: the oldest make place. Their names come from
 * the host, which may make up any; what it can push out is its own. */
#define TASKS_MAX SCOREBOARD_TASKS

/* Starts that come together are written together. */
#define SAVE_DELAY NSEC_PER_SEC

/* After a write that failed. */
#define RETRY_DELAY (2 * NSEC_PER_SEC)
#define RETRY_TEXT  "2 s"

/* A clock that is slowed is not set back. */
#define SLEW_MAX (60 * NSEC_PER_SEC)

struct entry {
    struct entry *next; /* in its bucket */
    char *module;
    char *task;
    bool kept;
    bool by_interval;
    /* What comes before the first open point is settled; by interval on the monotonic clock, else real times. */
    int64_t settled;
    int64_t open;         /* 0: not known */
    int64_t passed_until; /* as in last_runs_known, as the next two */
    bool stopped;
    bool set_back; /* the clock has been, and `settled` is a time of before that */
    uint32_t failures;
    int64_t seen_at; /* real time; 0: in another life */
    uint64_t noted;  /* counts the changes of all, to know the oldest */
};

/* All tasks of a module are in one bucket. */
#define BUCKETS 256

struct last_runs {
    struct last_runs_file *file;
    struct entry **entries;
    struct entry *buckets[BUCKETS];
    size_t count;
    uint64_t notes; /* so far */
    bool changed; /* since the last write began; then the timer is armed, or a write is under way */
    bool failing; /* the last write failed, which was told */
    struct loop_timer *timer;
    struct loop_background *writer;
    struct text content;        /* of the write under way */
    enum file_step failed_step; /* of the last write */
    void (*flushed)(void *arg); /* NULL: nobody waits for the last write */
    void *flushed_arg;
};

static void entry_free(struct entry *entry)
{
    if (!entry)
        return;
    free(entry->module);
    free(entry->task);
    free(entry);
}

static struct entry **bucket_of(const struct last_runs *last_runs, const char *module)
{
    return (struct entry **)&last_runs->buckets[hash_text(module) % BUCKETS];
}

/* Out of its bucket; whoever calls it takes it out of the entries. */
static void remove_entry(struct last_runs *last_runs, struct entry *entry)
{
    struct entry **place = bucket_of(last_runs, entry->module);

    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    entry_free(entry);
}

/* The module's next entry after this one, or its first after NULL; NULL at the end. */
static struct entry *next_of(const struct last_runs *last_runs, const char *module,
                             const struct entry *entry)
{
    struct entry *next = entry ? entry->next : *bucket_of(last_runs, module);

    while (next && strcmp(next->module, module) != 0)
        next = next->next;
    return next;
}

static struct entry *find(const struct last_runs *last_runs, const char *module, const char *task)
{
    struct entry *entry = NULL;

    while ((entry = next_of(last_runs, module, entry)))
        if (strcmp(entry->task, task) == 0)
            return entry;
    return NULL;
}

static void make_place(struct last_runs *last_runs, const char *module)
{
    struct entry *entry = NULL, *oldest = NULL;
    size_t tasks = 0, i = 0;

    while ((entry = next_of(last_runs, module, entry))) {
        if (tasks++ == 0 || entry->noted < oldest->noted)
            oldest = entry;
    }
    if (tasks < TASKS_MAX)
        return;
    while (last_runs->entries[i] != oldest)
        i++;
    last_runs->entries[i] = last_runs->entries[--last_runs->count];
    remove_entry(last_runs, oldest);
}

static struct entry *add(struct last_runs *last_runs, const char *module, const char *task)
{
    struct entry **entries, **bucket = bucket_of(last_runs, module),
                            *entry = calloc(1, sizeof(*entry));

    make_place(last_runs, module);
    entries = array_grow(last_runs->entries, last_runs->count, sizeof(struct entry *));
    if (entries)
        last_runs->entries = entries;
    if (entry) {
        entry->module = strdup(module);
        entry->task = strdup(task);
    }
    if (!entries || !entry || !entry->module || !entry->task) {
        entry_free(entry);
        return NULL;
    }
    while (*bucket)
        bucket = &(*bucket)->next;
    *bucket = entry;
    return entries[last_runs->count++] = entry;
}

/* Returns whether anything that is to be kept has changed. */
static bool note(struct last_runs *last_runs, const char *module, const struct entry *seen)
{
    struct entry *entry = find(last_runs, module, seen->task);
    bool changed = !entry;

    if (!entry)
        entry = add(last_runs, module, seen->task);
    if (!entry)
        return false;
    changed = changed || entry->settled != seen->settled || entry->by_interval != seen->by_interval;
    entry->settled = seen->settled;
    entry->by_interval = seen->by_interval;
    entry->open = seen->open;
    entry->passed_until = seen->passed_until;
    entry->stopped = seen->stopped;
    entry->set_back = seen->set_back;
    entry->failures = seen->failures;
    entry->seen_at = seen->seen_at;
    entry->kept = entry->kept || seen->kept;
    if (changed)
        entry->noted = ++last_runs->notes;
    return changed && entry->kept;
}

/* What a real time is ahead of the entry's clock. */
static int64_t ahead(const struct entry *entry)
{
    return entry->by_interval ? clock_realtime() - clock_monotonic() : 0;
}

/* In real times, which are no earlier than the epoch. */
static struct last_runs_known to_known(const struct entry *entry)
{
    int64_t by = ahead(entry);

    return (struct last_runs_known){
        .settled = MAX(entry->settled + by, INT64_C(1)),
        .open = entry->open > 0 ? MAX(entry->open + by, INT64_C(1)) : 0,
        .passed_until = entry->passed_until,
        .stopped = entry->stopped,
        .set_back = entry->set_back || entry->seen_at > clock_realtime() + SLEW_MAX,
        .failures = entry->failures,
    };
}

static void mark_changed(struct last_runs *last_runs)
{
    if (!last_runs->changed && !last_runs_is_writing(last_runs))
        loop_timer_arm(last_runs->timer, SAVE_DELAY);
    last_runs->changed = true;
}

/* The file --------------------------------------------------------------------------------------- */

static void clear(struct last_runs *last_runs)
{
    for (size_t i = 0; i < last_runs->count; i++)
        entry_free(last_runs->entries[i]);
    last_runs->count = 0;
    memset(last_runs->buckets, 0, sizeof(last_runs->buckets));
}

static void note_read(const char *module, char *task, int64_t settled, void *arg)
{
    note(arg, module, &(struct entry){.task = task, .settled = settled, .kept = true});
}

static void forget_read(void *arg)
{
    clear(arg);
}

static int read_file(struct last_runs *last_runs)
{
    const struct last_runs_reader reader = {note_read, forget_read, last_runs};
    int r = last_runs_file_read(last_runs->file, &reader);

    if (r > 0)
        mark_changed(last_runs);
    return r < 0 ? r : 0;
}

/* The oldest change first: reading the lines again in their order tells which is the older. */
static int compare_notes(const void *a, const void *b)
{
    const struct entry *const *left = a, *const *right = b;

    return (*left)->noted<(*right)->noted ? -1 : (*left)->noted>(*right)->noted;
}

static void sort(struct last_runs *last_runs)
{
    if (last_runs->count > 0)
        qsort(last_runs->entries, last_runs->count, sizeof(struct entry *), compare_notes);
}

static int compose(struct last_runs *last_runs)
{
    struct text *text = &last_runs->content;

    sort(last_runs);
    last_runs_file_begin(text);
    for (size_t i = 0; i < last_runs->count; i++)
        if (last_runs->entries[i]->kept)
            last_runs_file_line(text, last_runs->entries[i]->module, last_runs->entries[i]->task,
                                to_known(last_runs->entries[i]).settled);
    last_runs_file_end(text);
    return text->failed ? -ENOMEM : 0;
}

/* Waits for the disk: on a thread of its own, or when the loop has ended. */
static int write_file(void *arg)
{
    struct last_runs *last_runs = arg;

    return last_runs_file_write(last_runs->file, &last_runs->content, &last_runs->failed_step);
}

static void save_due(void *arg);

static void conclude(struct last_runs *last_runs, int r, const char *step)
{
    text_free(&last_runs->content);
    /* The end is told whatever was told before, of a write that was to be tried again. */
    if (r < 0 && last_runs->flushed)
        log_error("the times of last runs were not written: cannot %s %s: %s; after the next start "
                  "tasks may run too soon or too late",
                  step, last_runs_file_path(last_runs->file), strerror(-r));
    else if (r < 0 && !last_runs->failing)
        log_warning(
            "cannot keep the times of last runs: cannot %s %s: %s; after a restart of reeved, "
            "tasks may run too soon or too late. It is tried again every " RETRY_TEXT,
            step, last_runs_file_path(last_runs->file), strerror(-r));
    else if (r == 0 && last_runs->failing)
        log_notice("the times of last runs are kept again in %s",
                   last_runs_file_path(last_runs->file));
    last_runs->failing = r < 0;
    last_runs->changed = last_runs->changed || r < 0;
    if (last_runs->flushed && (r < 0 || !last_runs->changed))
        last_runs->flushed(last_runs->flushed_arg);
    else if (last_runs->flushed)
        save_due(last_runs);
    else if (last_runs->changed)
        loop_timer_arm(last_runs->timer, r < 0 ? RETRY_DELAY : SAVE_DELAY);
}

static void written(int r, void *arg)
{
    struct last_runs *last_runs = arg;

    conclude(last_runs, r, file_step_text(last_runs->failed_step));
}

static void save_due(void *arg)
{
    struct last_runs *last_runs = arg;
    int r = compose(last_runs);

    if (r < 0) {
        conclude(last_runs, r, "find memory to write");
        return;
    }
    r = loop_background_start(last_runs->writer);
    if (r < 0 && !last_runs->flushed) {
        conclude(last_runs, r, "get a thread to write");
        return;
    }
    last_runs->changed = false;
    /* At the end there is nobody left whom the disk can hold up for long, and no later time. */
    if (r < 0) {
        last_runs->failed_step = FILE_WRITE;
        written(write_file(last_runs), last_runs);
    }
}

void last_runs_flush(struct last_runs *last_runs, void (*done)(void *arg), void *arg)
{
    last_runs->flushed = done;
    last_runs->flushed_arg = arg;
    loop_timer_disarm(last_runs->timer);
    if (last_runs_is_writing(last_runs))
        return;
    if (last_runs->changed)
        save_due(last_runs);
    else
        done(arg);
}

void last_runs_abandon(struct last_runs *last_runs)
{
    /* The thread goes on with it, until the process ends. */
    static struct last_runs *abandoned;

    abandoned = last_runs;
    loop_background_abandon(abandoned->writer);
    loop_timer_destroy(TAKE_PTR(abandoned->timer));
}

static void nobody_waits(void *arg _unused_)
{
}

/* There is no loop any more. What a flush could not write is not tried again. */
static void save_at_the_end(struct last_runs *last_runs)
{
    int r;

    loop_background_wait(last_runs->writer, INT64_MAX);
    if (!last_runs->changed || last_runs->flushed)
        return;
    last_runs->flushed = nobody_waits;
    last_runs->changed = false;
    r = compose(last_runs);
    last_runs->failed_step = FILE_WRITE;
    written(r < 0 ? r : write_file(last_runs), last_runs);
}

/* ------------------------------------------------------------------------------------------------
 */

/* Returns false for a task without a schedule, unless it is stopped for an error. */
static bool read_task(struct scoreboard_task *task, struct entry *ret_seen)
{
    *ret_seen = (struct entry){
        .task = task->name,
        .kept = task->kept,
        .by_interval = task->open > 0 && task->interval > 0,
        .failures = task->failures_in_row,
        .passed_until = task->passes != SCOREBOARD_PASSES_NONE ? clock_realtime() : 0,
        .stopped = task->passes == SCOREBOARD_PASSES_STOPPED,
        .set_back = task->settled_realtime > 0,
        .seen_at = clock_realtime(),
    };
    ret_seen->open = ret_seen->by_interval ? task->open : task->open_realtime;
    ret_seen->settled = ret_seen->open - (ret_seen->by_interval ? task->interval : 1);
    if (ret_seen->open <= 0)
        ret_seen->settled = clock_realtime();
    if (ret_seen->set_back)
        ret_seen->settled = MAX(ret_seen->settled, task->settled_realtime);
    return ret_seen->open > 0 || ret_seen->stopped;
}

static void read_board(struct last_runs *last_runs, const char *module,
                       const struct scoreboard *board, uint32_t slot, bool dead)
{
    bool changed = false;

    for (unsigned i = 0; scoreboard_next_task(board, slot, &i); i++) {
        struct scoreboard_task task;
        struct entry seen;
        bool whole = scoreboard_read_task(board, i, &task);

        if (!task.head.used)
            break;
        if (!whole || task.module != slot || task.name[0] == '\0' || !read_task(&task, &seen))
            continue;
        text_sanitise(task.name);
        seen.failures += dead && scoreboard_task_is_running(&task) && seen.failures < UINT32_MAX;
        changed = note(last_runs, module, &seen) || changed;
    }
    if (changed)
        mark_changed(last_runs);
}

void last_runs_read_board(struct last_runs *last_runs, const char *module,
                          const struct scoreboard *board, uint32_t slot)
{
    read_board(last_runs, module, board, slot, false);
}

void last_runs_close_board(struct last_runs *last_runs, const char *module,
                           const struct scoreboard *board, uint32_t slot)
{
    read_board(last_runs, module, board, slot, true);
}

const char *last_runs_path(const struct last_runs *last_runs)
{
    return last_runs_file_path(last_runs->file);
}

bool last_runs_is_writing(const struct last_runs *last_runs)
{
    return loop_background_is_busy(last_runs->writer);
}

void last_runs_each(const struct last_runs *last_runs, const char *module,
                    void (*fn)(const char *task, const struct last_runs_known *known, void *arg),
                    void *arg)
{
    const struct entry *entry = NULL;

    while ((entry = next_of(last_runs, module, entry))) {
        const struct last_runs_known known = to_known(entry);

        fn(entry->task, &known, arg);
    }
}

void last_runs_revive(struct last_runs *last_runs, const char *module)
{
    struct entry *entry = NULL;

    while ((entry = next_of(last_runs, module, entry)))
        entry->stopped = false;
}

void last_runs_forget(struct last_runs *last_runs, bool (*stays)(const char *module, void *arg),
                      void *arg)
{
    size_t strangers = 0, excess, kept = 0;

    for (size_t i = 0; i < last_runs->count; i++)
        strangers += !stays(last_runs->entries[i]->module, arg);
    if (strangers <= LAST_RUNS_STRANGERS_MAX)
        return;
    excess = strangers - LAST_RUNS_STRANGERS_MAX;
    sort(last_runs);
    for (size_t i = 0; i < last_runs->count; i++) {
        if (excess == 0 || stays(last_runs->entries[i]->module, arg)) {
            last_runs->entries[kept++] = last_runs->entries[i];
            continue;
        }
        remove_entry(last_runs, last_runs->entries[i]);
        excess--;
    }
    last_runs->count = kept;
    mark_changed(last_runs);
}

int last_runs_create(struct loop *loop, const char *folder, struct last_runs **ret_ledger)
{
    struct last_runs *last_runs = calloc(1, sizeof(*last_runs));
    int r;

    if (!last_runs)
        return -ENOMEM;
    r = last_runs_file_create(folder, &last_runs->file);
    if (r == 0)
        r = loop_timer_create(loop, save_due, last_runs, &last_runs->timer);
    if (r == 0)
        r = loop_background_create(loop, write_file, written, last_runs, &last_runs->writer);
    if (r == 0)
        r = read_file(last_runs);
    if (r < 0) {
        last_runs_destroy(last_runs);
        return r;
    }
    *ret_ledger = last_runs;
    return 0;
}

void last_runs_destroy(struct last_runs *last_runs)
{
    if (!last_runs)
        return;
    if (last_runs->writer)
        save_at_the_end(last_runs);
    clear(last_runs);
    free(last_runs->entries);
    loop_background_destroy(last_runs->writer);
    loop_timer_destroy(last_runs->timer);
    text_free(&last_runs->content);
    last_runs_file_destroy(last_runs->file);
    free(last_runs);
}

/* "started" is what earlier versions wrote, and understand. */
static json_t *save_entry(const struct entry *entry)
{
    const struct last_runs_known known = to_known(entry);

    return json_pack("{s:s, s:s, s:I, s:b, s:I, s:I, s:I, s:b, s:I}", "module", entry->module,
                     "task", entry->task, "started", (json_int_t)known.settled, "kept", entry->kept,
                     "open", (json_int_t)known.open, "passed_until", (json_int_t)known.passed_until,
                     "failures", (json_int_t)known.failures, "stopped", known.stopped, "seen_at",
                     (json_int_t)entry->seen_at);
}

json_t *last_runs_save(const struct last_runs *last_runs)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < last_runs->count; i++)
        if (json_array_append_new(list, save_entry(last_runs->entries[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static int load_entry(json_t *item, const char **ret_module, struct entry *ret_entry)
{
    json_int_t settled, open = 0, passed_until = 0, failures = 0, seen_at = 0;
    const char *task;
    int kept, stopped = 0;

    if (json_unpack(item, "{s:s, s:s, s:I, s:b, s?I, s?I, s?I, s?b, s?I}", "module", ret_module,
                    "task", &task, "started", &settled, "kept", &kept, "open", &open,
                    "passed_until", &passed_until, "failures", &failures, "stopped", &stopped,
                    "seen_at", &seen_at) < 0 ||
        settled <= 0 || open < 0 || passed_until < 0 || failures < 0 || failures > UINT32_MAX)
        return -EBADMSG;
    *ret_entry = (struct entry){
        .task = (char *)(uintptr_t)task,
        .settled = settled,
        .open = open,
        .passed_until = passed_until,
        .stopped = stopped,
        .seen_at = seen_at,
        .failures = (uint32_t)failures,
        .kept = kept,
    };
    return 0;
}

int last_runs_load(struct last_runs *last_runs, const json_t *state, struct serialize_error *error)
{
    for (size_t i = 0; i < json_array_size(state); i++) {
        const char *module;
        struct entry entry;

        if (load_entry(json_array_get(state, i), &module, &entry) < 0) {
            snprintf(error->text, sizeof(error->text), "the time of a last run cannot be read");
            return -EBADMSG;
        }
        /* Without a last_runs it is only checked. */
        if (last_runs && note(last_runs, module, &entry))
            mark_changed(last_runs);
    }
    return 0;
}
