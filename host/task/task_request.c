/* SPDX-License-Identifier: MIT */
/* A run that somebody outside asks for. */
#include <string.h>

#include "base/text.h"
#include "host/module/module.h"
#include "host/task/task.h"

void task_request(struct host_module *module, const char *task, uint64_t request)
{
    struct task_runner *found = NULL;
    char waits[MODULE_WAITS_SIZE];
    bool ready;

    pthread_mutex_lock(&module->lock);
    ready = module->ready;
    string_copy(waits, sizeof(waits), module->operation.waits);
    for (size_t i = 0; ready && i < module->code.task_count; i++)
        if (strcmp(task_name(module->task_runners[i]), task) == 0)
            found = module->task_runners[i];
    /* Under the lock, so that the runner cannot go away meanwhile; it does not block. */
    if (found)
        task_run(found, request);
    pthread_mutex_unlock(&module->lock);
    if (!ready)
        module_refuse_for_now(module, request, WIRE_RESULT_RUN, waits);
    else if (!found)
        module_refuse_unknown(module, request, WIRE_RESULT_RUN, "task", task);
}
