/* SPDX-License-Identifier: MIT */
/* The options that a module declares, as a table of settings. */
#ifndef REEVE_HOST_LOAD_OPTION_TABLE_H
#define REEVE_HOST_LOAD_OPTION_TABLE_H

#include <reeve/option.h>

#include "base/setting.h"

#define OPTION_KEY_SIZE 64

/* In the order of the module's table; ended as tables are. */
struct option_table {
    struct setting *settings;
    char (*keys)[OPTION_KEY_SIZE];
    size_t count;
};

/* Whether there is such a type, and a member of that size can have it. */
bool option_is_typed(const struct rv_option *option);

/* The key of an option's name: "a_b" is "a-b". */
void option_key(const char *name, char *key, size_t size);

/* Of options that have a name and are typed. Returns 0 or -ENOMEM. To be given to
 * option_table_free(), in either case. */
int option_table_create(const struct rv_option *options, size_t count,
                        struct option_table *ret_table);
void option_table_free(struct option_table *table);
#define cleanup_option_table _cleanup_(option_table_free)

#endif
