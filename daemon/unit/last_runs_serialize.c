/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "daemon/unit/last_runs_internal.h"

/* "started" is what earlier versions wrote, and understand. */
static json_t *save_entry(const struct last_runs_entry *entry)
{
    const struct last_runs_known known = last_runs_entry_known(entry);

    return json_pack("{s:s, s:s, s:I, s:b, s:I, s:I, s:I, s:b, s:I}", "module", entry->module,
                     "task", entry->task, "started", (json_int_t)known.settled, "kept", entry->kept,
                     "open", (json_int_t)known.open, "passed_until", (json_int_t)known.passed_until,
                     "failures", (json_int_t)known.failures, "stopped", known.stopped, "seen_at",
                     (json_int_t)entry->seen_at);
}

json_t *last_runs_save(const struct last_runs *last_runs)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < last_runs->table.count; i++)
        if (json_array_append_new(list, save_entry(last_runs->table.entries[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static int load_entry(json_t *item, const char **ret_module, struct last_runs_entry *ret_entry)
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
    *ret_entry = (struct last_runs_entry){
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
        struct last_runs_entry entry;

        if (load_entry(json_array_get(state, i), &module, &entry) < 0) {
            snprintf(error->text, sizeof(error->text), "the time of a last run cannot be read");
            return -EBADMSG;
        }
        /* Without a record to put it into it is only checked. */
        if (last_runs && last_runs_table_note(&last_runs->table, module, &entry))
            last_runs_mark_changed(last_runs);
    }
    return 0;
}
