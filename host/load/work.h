/* SPDX-License-Identifier: MIT */
/* The settings of a module's tasks and pools: their defaults, the lines of a section that are
 * theirs, and what must hold of them together. */
#ifndef REEVE_HOST_LOAD_WORK_H
#define REEVE_HOST_LOAD_WORK_H

#include "host/load/loader.h"
#include "host/load/option_lines.h"
#include "settings/work_keys.h"

struct nearest;

/* In the order of the module's tables. */
struct work {
    const struct loaded_module *loaded;
    struct task_settings *tasks;
    struct pool_settings *pools;
};

/* Returns 0 or -ENOMEM. To be given to work_free(), in either case. */
int work_init(const struct loaded_module *loaded, struct work *ret_work);
void work_free(struct work *work);

typedef void (*work_error_fn)(const char *text, void *arg);

/* Applies what the table of keys has, and then the module's own tables. Errors in the latter are
 * told. Returns 0 or -ENOMEM. */
int work_take_defaults(struct work *work, work_error_fn fn, void *arg);

/* A section that says when a task runs says all of it: the module's own schedule is gone. To be
 * called before lines are applied. */
void work_drop_schedules(struct work *work, const struct option_lines *lines);

/* Whether the key is one of a task or a pool. */
bool work_has_key(const struct work *work, const char *key);

/* Applies a line whose key is one. first_line: that of an earlier line with the key, or 0. Errors
 * are told. Returns 0 or -ENOMEM. */
int work_apply(struct work *work, const struct option_line *line, const struct option_line *first,
               work_error_fn fn, void *arg);

/* To be called once all lines are applied: a pool's pause that is written is meant, and a limit
 * that is not written gives way. */
void work_raise_limits(struct work *work, const struct option_lines *lines);

/* The rules for the settings of each task and pool together. line: of the key, or if the section
 * does not have it, of the other one; NULL: it has neither. */
typedef void (*work_conflict_fn)(const char *text, const struct option_line *line, void *arg);
void work_check(const struct work *work, const struct option_lines *lines, work_conflict_fn fn,
                void *arg);

/* Whether the key is a task's jitter, and longer than some of its points of the wall clock are
 * apart, which is then *ret_shortest. */
bool work_is_crowded(const struct work *work, const char *key, rv_duration *ret_shortest);
/* Whether the line is a calendar of a task that does not come again after a real time. */
bool work_is_past(const struct work *work, const char *key, const char *value, int64_t realtime);

/* Offers all keys of tasks and pools. */
void work_offer_keys(const struct work *work, struct nearest *nearest);

#endif
