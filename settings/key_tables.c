/* SPDX-License-Identifier: MIT */
#include "settings/key_tables.h"

#include "settings/keys.h"
#include "settings/work_keys.h"

const struct key_table key_tables[] = {
    {"daemon", "[daemon]", "", daemon_keys},
    {"module", "[module:NAME]", "", module_keys},
    {"TASK", "[module:NAME], for each task", "TASK.", task_keys},
    {"POOL", "[module:NAME], for each pool", "POOL.", pool_keys},
    {NULL, NULL, NULL, NULL},
};
