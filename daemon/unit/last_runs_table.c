/* SPDX-License-Identifier: MIT */
#include "daemon/unit/last_runs_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/hash.h"
#include "base/macro.h"
#include "wire/scoreboard.h"

/* More tasks of a module than that are not remembered: the oldest make place. Their names come from
 * the host, which may make up any; what it can push out is its own. */
#define TASKS_MAX SCOREBOARD_TASKS

/* A clock that is slowed is not set back. */
#define SLEW_MAX (60 * NSEC_PER_SEC)

static void entry_free(struct last_runs_entry *entry)
{
    if (!entry)
        return;
    free(entry->module);
    free(entry->task);
    free(entry);
}

static struct last_runs_entry **bucket_of(const struct last_runs_table *table, const char *module)
{
    return (struct last_runs_entry **)&table->buckets[hash_text(module) % LAST_RUNS_BUCKETS];
}

/* Out of its bucket; whoever calls it takes it out of the entries. */
static void remove_entry(struct last_runs_table *table, struct last_runs_entry *entry)
{
    struct last_runs_entry **place = bucket_of(table, entry->module);

    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    entry_free(entry);
}

struct last_runs_entry *last_runs_table_next(const struct last_runs_table *table,
                                             const char *module,
                                             const struct last_runs_entry *entry)
{
    struct last_runs_entry *next = entry ? entry->next : *bucket_of(table, module);

    while (next && strcmp(next->module, module) != 0)
        next = next->next;
    return next;
}

static struct last_runs_entry *find(const struct last_runs_table *table, const char *module,
                                    const char *task)
{
    struct last_runs_entry *entry = NULL;

    while ((entry = last_runs_table_next(table, module, entry)))
        if (strcmp(entry->task, task) == 0)
            return entry;
    return NULL;
}

static void make_place(struct last_runs_table *table, const char *module)
{
    struct last_runs_entry *entry = NULL, *oldest = NULL;
    size_t tasks = 0, i = 0;

    while ((entry = last_runs_table_next(table, module, entry))) {
        if (tasks++ == 0 || entry->noted < oldest->noted)
            oldest = entry;
    }
    if (tasks < TASKS_MAX)
        return;
    while (table->entries[i] != oldest)
        i++;
    table->entries[i] = table->entries[--table->count];
    remove_entry(table, oldest);
}

static struct last_runs_entry *add(struct last_runs_table *table, const char *module,
                                   const char *task)
{
    struct last_runs_entry **entries, **bucket = bucket_of(table, module),
                                      *entry = calloc(1, sizeof(*entry));

    make_place(table, module);
    entries = array_grow(table->entries, table->count, sizeof(struct last_runs_entry *));
    if (entries)
        table->entries = entries;
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
    return entries[table->count++] = entry;
}

bool last_runs_table_note(struct last_runs_table *table, const char *module,
                          const struct last_runs_entry *seen)
{
    struct last_runs_entry *entry = find(table, module, seen->task);
    bool changed = !entry;

    if (!entry)
        entry = add(table, module, seen->task);
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
        entry->noted = ++table->notes;
    return changed && entry->kept;
}

/* The time that the real clock is ahead of the entry's. */
static int64_t ahead(const struct last_runs_entry *entry)
{
    return entry->by_interval ? clock_realtime() - clock_monotonic() : 0;
}

struct last_runs_known last_runs_entry_known(const struct last_runs_entry *entry)
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

void last_runs_table_clear(struct last_runs_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        entry_free(table->entries[i]);
    table->count = 0;
    memset(table->buckets, 0, sizeof(table->buckets));
}

static int compare_notes(const void *a, const void *b)
{
    const struct last_runs_entry *const *left = a, *const *right = b;

    return (*left)->noted<(*right)->noted ? -1 : (*left)->noted>(*right)->noted;
}

void last_runs_table_sort(struct last_runs_table *table)
{
    if (table->count > 0)
        qsort(table->entries, table->count, sizeof(struct last_runs_entry *), compare_notes);
}

bool last_runs_table_forget(struct last_runs_table *table,
                            bool (*stays)(const char *module, void *arg), void *arg)
{
    size_t strangers = 0, excess, kept = 0;

    for (size_t i = 0; i < table->count; i++)
        strangers += !stays(table->entries[i]->module, arg);
    if (strangers <= LAST_RUNS_STRANGERS_MAX)
        return false;
    excess = strangers - LAST_RUNS_STRANGERS_MAX;
    last_runs_table_sort(table);
    for (size_t i = 0; i < table->count; i++) {
        if (excess == 0 || stays(table->entries[i]->module, arg)) {
            table->entries[kept++] = table->entries[i];
            continue;
        }
        remove_entry(table, table->entries[i]);
        excess--;
    }
    table->count = kept;
    return true;
}
