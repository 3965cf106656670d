/* SPDX-License-Identifier: MIT */
/* The keys that every task and pool of a module has: TASK.every, POOL.workers and so on. */
#ifndef REEVE_HOST_LOAD_SETTINGS_H
#define REEVE_HOST_LOAD_SETTINGS_H

#include "host/load/options.h"

typedef void (*settings_error_fn)(const char *text, void *arg);

/* What the module's own tables say. */
void settings_defaults(const struct loaded_module *loaded, struct task_settings *tasks,
                       struct pool_settings *pools, settings_error_fn fn, void *arg);

/* Returns false when the key is not of this kind; errors in its value are told. */
bool settings_apply(const struct loaded_module *loaded, const char *key, const char *value,
                    struct task_settings *tasks, struct pool_settings *pools, settings_error_fn fn,
                    void *arg);

/* What must hold of the settings of each task and pool together. Errors are about a key, or if the section does not have
 * it, the other one. */
typedef void (*settings_conflict_fn)(const char *text, const char *key, const char *other,
                                     void *arg);
void settings_check(const struct loaded_module *loaded, const struct task_settings *tasks,
                    const struct pool_settings *pools, settings_conflict_fn fn, void *arg);

/* Whether the key is a task's jitter, and longer than some of its points of the wall clock are apart, which is then
 * *ret_shortest. */
bool settings_is_crowded(const struct loaded_module *loaded, const struct task_settings *tasks,
                         const char *key, rv_duration *ret_shortest);
/* Whether the line is a calendar of a task that does not come again after a real time. */
bool settings_is_past(const struct loaded_module *loaded, const struct task_settings *tasks,
                      const char *key, const char *value, int64_t realtime);

/* Frees what the settings of so many tasks own, not the array itself. */
void settings_free(struct task_settings *tasks, size_t count);

/* Calls fn for each key, for the manual: of is TASK or POOL; fallback may be NULL. */
typedef void (*settings_visitor)(const char *of, const char *suffix, const char *fallback,
                                 bool list, const char *help, void *arg);
void settings_visit(settings_visitor fn, void *arg);

/* Offers all such keys. */
struct nearest;
void settings_nearest(const struct loaded_module *loaded, struct nearest *nearest);

#endif
