/* SPDX-License-Identifier: MIT */
/*
 * Binding a section's lines to a module's state, its tasks and its pools. Every error is told, each
 * with its line; nothing of the module runs.
 */
#ifndef REEVE_HOST_LOAD_OPTIONS_H
#define REEVE_HOST_LOAD_OPTIONS_H

#include "host/load/loader.h"
#include "host/load/option_lines.h"
#include "host/load/work.h"

/* All that a section says. The state's strings are owned here. */
struct bound_options {
    void *state; /* of the module's state_size; NULL when that is 0 */
    struct work work;
    char **strings;
    size_t string_count;
    void **arrays; /* of lists */
    size_t array_count;
};

/* One error: line 0 for one that has none. unknown: nobody has such a key; nearest
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

/* Returns the number of errors, each of which was told, or -ENOMEM. A time that has passed is told
 * and not counted. */
int options_bind(const struct loaded_module *loaded, const struct option_lines *lines,
                 option_error_fn fn, void *arg, struct bound_options *ret_bound);
void options_free(struct bound_options *bound);

/* Copies what options of `from` are bound to over those of the state at `state`, and nothing else.
 */
void options_copy(const struct loaded_module *loaded, const struct bound_options *from,
                  void *state);

#endif
