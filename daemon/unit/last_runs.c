/* SPDX-License-Identifier: MIT */
/*
 * The record of last runs. Writing it to the file waits for the disk, so it runs in the background
 * of the loop; changes that come meanwhile are written next.
 */
#include "daemon/unit/last_runs_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/durable.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/last_runs_file.h"

/* Starts that come together are written together. */
#define SAVE_DELAY NSEC_PER_SEC

/* After a write that failed. */
#define RETRY_DELAY (2 * NSEC_PER_SEC)
#define RETRY_TEXT  "2 s"

void last_runs_mark_changed(struct last_runs *last_runs)
{
    if (!last_runs->changed && !last_runs_is_writing(last_runs))
        loop_timer_arm(last_runs->timer, SAVE_DELAY);
    last_runs->changed = true;
}

/* The file ---------------------------------------------------------------- */

static void note_read(const char *module, char *task, int64_t settled, void *arg)
{
    last_runs_table_note(arg, module,
                         &(struct last_runs_entry){.task = task, .settled = settled, .kept = true});
}

static void forget_read(void *arg)
{
    last_runs_table_clear(arg);
}

static int read_file(struct last_runs *last_runs)
{
    const struct last_runs_reader reader = {note_read, forget_read, &last_runs->table};
    int r = last_runs_file_read(last_runs->file, &reader);

    if (r > 0)
        last_runs_mark_changed(last_runs);
    return r < 0 ? r : 0;
}

static int compose(struct last_runs *last_runs)
{
    struct text *text = &last_runs->content;

    last_runs_table_sort(&last_runs->table);
    last_runs_file_begin(text);
    for (size_t i = 0; i < last_runs->table.count; i++)
        if (last_runs->table.entries[i]->kept)
            last_runs_file_line(text, last_runs->table.entries[i]->module,
                                last_runs->table.entries[i]->task,
                                last_runs_entry_known(last_runs->table.entries[i]).settled);
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

/* There is no loop any more. A change that a flush could not write is not tried again. */
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

const char *last_runs_path(const struct last_runs *last_runs)
{
    return last_runs_file_path(last_runs->file);
}

bool last_runs_is_writing(const struct last_runs *last_runs)
{
    return loop_background_is_busy(last_runs->writer);
}

void last_runs_revive(struct last_runs *last_runs, const char *module)
{
    struct last_runs_entry *entry = NULL;

    while ((entry = last_runs_table_next(&last_runs->table, module, entry)))
        entry->stopped = false;
}

void last_runs_each(const struct last_runs *last_runs, const char *module,
                    void (*fn)(const char *task, const struct last_runs_known *known, void *arg),
                    void *arg)
{
    const struct last_runs_entry *entry = NULL;

    while ((entry = last_runs_table_next(&last_runs->table, module, entry))) {
        const struct last_runs_known known = last_runs_entry_known(entry);

        fn(entry->task, &known, arg);
    }
}

void last_runs_forget(struct last_runs *last_runs, bool (*stays)(const char *module, void *arg),
                      void *arg)
{
    if (last_runs_table_forget(&last_runs->table, stays, arg))
        last_runs_mark_changed(last_runs);
}

int last_runs_create(struct loop *loop, const char *folder, struct last_runs **ret_last_runs)
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
    *ret_last_runs = last_runs;
    return 0;
}

void last_runs_destroy(struct last_runs *last_runs)
{
    if (!last_runs)
        return;
    if (last_runs->writer)
        save_at_the_end(last_runs);
    last_runs_table_clear(&last_runs->table);
    free(last_runs->table.entries);
    loop_background_destroy(last_runs->writer);
    loop_timer_destroy(last_runs->timer);
    text_free(&last_runs->content);
    last_runs_file_destroy(last_runs->file);
    free(last_runs);
}
