/* SPDX-License-Identifier: MIT */
/* Operations that wait for the module's thread. */
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "host/module/module_internal.h"
#include "host/report/event.h"

/* With the lock. Ends a reload that waits for runs: the newer one replaces it. A reload that waits
 * for jobs goes on; then both wait for what ret_text says. */
static void overtake_reload(struct host_module *module, char *ret_text, size_t size)
{
    if (module->operation.cancel && module->operation.replaceable)
        rv_context_cancel(module->operation.cancel, -ECANCELED, "newer options have come");
    string_copy(ret_text, size, module->operation.waits);
}

/* With the lock. */
static int queue(struct host_module *module, struct module_op *op)
{
    if (module->ops_waiting == OPS_MAX)
        return -EAGAIN;
    module->ops_waiting++;
    return rv_channel_try_send(module->ops, &op);
}

/* At most one RELOAD is queued, the newest. No STOP can stand between two of them, since the
 * supervisor sends a RELOAD only to a module that is ready. The lock keeps the module's thread from
 * taking the RELOAD meanwhile. */
static int queue_reload(struct host_module *module, struct module_op *copy)
{
    char text[sizeof(module->operation.waits)];
    struct wire_message deferred = {
        .type = WIRE_DEFERRED, .module = module->slot, .number = copy->number, .text = text};
    struct module_op before = {0};
    bool replaced;
    int r = 0;

    pthread_mutex_lock(&module->lock);
    replaced = module->reload_queued != NULL;
    if (replaced) {
        before = *module->reload_queued;
        *module->reload_queued = *copy;
    } else {
        r = queue(module, copy);
        module->reload_queued = r == 0 ? copy : NULL;
    }
    overtake_reload(module, text, sizeof(text));
    pthread_mutex_unlock(&module->lock);
    if (replaced) {
        module_op_free(&before);
        free(copy);
    }
    if (r == 0 && text[0] != '\0')
        event_send(&deferred);
    return r;
}

/* In memory of the module's own. */
static int queue_stop(struct host_module *module, const struct module_op *op)
{
    struct module_op *stop = &module->stop;
    int r = 0;

    pthread_mutex_lock(&module->lock);
    if (!module->stop_queued) {
        *stop = *op;
        module->stop_queued = true;
        r = rv_channel_try_send(module->ops, &stop);
    }
    pthread_mutex_unlock(&module->lock);
    return r;
}

static int queue_end(struct host_module *module, const struct module_op *op)
{
    struct module_op *end = &module->end;

    *end = *op;
    return rv_channel_try_send(module->ops, &end);
}

int module_operate(struct host_module *module, const struct module_op *op)
{
    struct module_op *copy;
    int r;

    if (op->kind == MODULE_OP_STOP)
        return queue_stop(module, op);
    if (op->kind == MODULE_OP_END)
        return queue_end(module, op);
    copy = malloc(sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *op;
    if (op->kind == MODULE_OP_RELOAD) {
        r = queue_reload(module, copy);
    } else {
        pthread_mutex_lock(&module->lock);
        r = queue(module, copy);
        pthread_mutex_unlock(&module->lock);
    }
    if (r < 0)
        free(copy);
    return r;
}
