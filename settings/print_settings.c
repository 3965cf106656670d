/* SPDX-License-Identifier: MIT */
/*
 * Prints the tables of keys for what is made from them when reeve is built: the manual, the
 * completion of shells and the sample of a configuration. A line for each key, with tabs between:
 * table, key, default, example, "repeated", "required", what is allowed, and help.
 */
#include <stdio.h>

#include "settings/key_tables.h"

int main(void)
{
    for (const struct key_table *table = key_tables; table->name; table++)
        for (const struct setting *s = table->keys; s->key; s++) {
            char allowed[SETTING_MESSAGE_SIZE];

            printf("%s\t%s%s\t%s\t%s\t%s\t%s\t%s\t%s\n", table->name, table->prefix, s->key,
                   s->fallback ? s->fallback : "", s->example ? s->example : "",
                   setting_is_repeated(s) ? "repeated" : "",
                   s->flags & SETTING_REQUIRED ? "required" : "",
                   setting_allowed(s, allowed, sizeof(allowed)), s->help);
        }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
