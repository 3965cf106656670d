/* SPDX-License-Identifier: MIT */
#include "settings/key_tables.h"

#include <stdio.h>

#include "base/text.h"
#include "settings/keys.h"
#include "settings/work_keys.h"

const struct key_table key_tables[] = {
    {"daemon", "[daemon]", "[daemon]", "", daemon_keys},
    {"module", "[module:NAME]", "[module:NAME]", "", module_keys},
    {"TASK", "[module:NAME], for each task", "each task", "TASK.", task_keys},
    {"POOL", "[module:NAME], for each pool", "each pool", "POOL.", pool_keys},
    {NULL, NULL, NULL, NULL, NULL},
};

char *key_tables_hint(const struct setting *here, const char *key, char *buffer, size_t size)
{
    string_copy(buffer, size, "");
    for (const struct key_table *table = key_tables; table->name; table++) {
        if (table->keys == here || !setting_find(table->keys, key))
            continue;
        snprintf(buffer, size, "; it is a key of %s%s%s%s", table->whose,
                 *table->prefix ? ", as in " : "", table->prefix, *table->prefix ? key : "");
        break;
    }
    return buffer;
}
