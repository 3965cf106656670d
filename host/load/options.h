/* SPDX-License-Identifier: MIT */
/*
 * Binding a section's lines to a module's state, its tasks and its pools. Every error is told, each
 * with its line; nothing of the module runs.
 */
#ifndef REEVE_HOST_LOAD_OPTIONS_H
#define REEVE_HOST_LOAD_OPTIONS_H

#include "host/load/loader.h"
#include "host/schedule/schedule.h"

/* A line of the section, as the supervisor sent it. */
struct option_line {
    char *key;
    char *value;
    char *file;
    unsigned line;
    bool credential; /* the value is never to be shown */
};

struct option_lines {
    struct option_line *items;
    size_t count;
};

/* Copies. Returns 0 or -ENOMEM. */
int option_lines_add(struct option_lines *lines, const char *key, const char *value,
                     const char *file, unsigned line, bool credential);
void option_lines_free(struct option_lines *lines);

/* The key of an option's name: "a_b" is "a-b". */
void option_key(const char *name, char *key, size_t size);

enum task_overlap { TASK_OVERLAP_SKIP, TASK_OVERLAP_QUEUE };
enum task_on_error { TASK_ON_ERROR_CONTINUE, TASK_ON_ERROR_RESTART, TASK_ON_ERROR_STOP };
enum task_on_stop { TASK_ON_STOP_CANCEL, TASK_ON_STOP_FINISH };

struct task_settings {
    struct schedule_rule schedule;
    rv_duration timeout;
    rv_duration grace; /* between a cancel and being called hung */
    enum task_overlap overlap;
    enum task_on_error on_error;
    enum task_on_stop on_stop;
    uint32_t given; /* a bit for each key that the section has; of settings.c */
};

/* Of a pool for which nobody says anything else. */
#define POOL_BACKOFF (100 * RV_MILLISECOND)

struct pool_settings {
    int64_t workers;
    int64_t queue;
    int64_t retries;
    rv_duration timeout;
    rv_duration backoff; /* 0: POOL_BACKOFF */
    rv_duration backoff_max;
    rv_duration grace; /* as of a task */
    uint32_t given;
};

/* All that a section says. The state's strings are owned here. */
struct bound_options {
    void *state; /* of the module's state_size; NULL when that is 0 */
    struct task_settings *tasks;
    size_t task_count;
    struct pool_settings *pools;
    char **strings;
    size_t string_count;
    void **arrays; /* of lists */
    size_t array_count;
};

/* What is told of an error: line 0 for one that has none. unknown: nobody has such a key; nearest
 * may be NULL. */
struct option_error {
    const char *key;
    const char *file;
    unsigned line;
    const char *text;
    bool unknown;
    const char *nearest;
    bool past; /* it does not come again: no error, unless somebody asks for a check */
};

typedef void (*option_error_fn)(const struct option_error *error, void *arg);

/* Returns the number of errors, each of which was told, or -ENOMEM. What is past is told and not counted. */
int options_bind(const struct loaded_module *loaded, const struct option_lines *lines,
                 option_error_fn fn, void *arg, struct bound_options *ret_bound);
void options_free(struct bound_options *bound);

/* Copies what options of `from` are bound to over those of the state at `state`, and nothing else.
 */
void options_copy(const struct loaded_module *loaded, const struct bound_options *from,
                  void *state);

#endif
