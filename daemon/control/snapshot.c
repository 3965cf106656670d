/* SPDX-License-Identifier: MIT */
#include "daemon/control/snapshot.h"

#include <stdlib.h>
#include <string.h>

const char *health_name(enum health health)
{
    static const char *const names[] = {"pass", "warn", "fail"};

    return names[health];
}

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (size_t i = 0; i < snapshot->module_count; i++) {
        free(snapshot->modules[i].name);
        free(snapshot->modules[i].tasks);
        free(snapshot->modules[i].records);
        free(snapshot->modules[i].pools);
        free(snapshot->modules[i].crash);
        free(snapshot->modules[i].last_restart);
    }
    free(snapshot->modules);
    free(snapshot);
}
