/* SPDX-License-Identifier: MIT */
/*
 * Why contexts are done: a code and a text, shared by all that one cancel has ended.
 *
 * A cancel must not lose its text for want of memory, as it is then that people want to know. So a
 * few causes are there from the start. Each has a bit in `spares_used`, which whoever takes it sets
 * and whoever gives the last reference back clears.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "lib/context.h"

static struct shared_cause spares[32];
static _Atomic uint32_t spares_used;

static struct shared_cause *take_spare(void)
{
    uint32_t used = atomic_load(&spares_used);
    int i;

    do {
        if (used == UINT32_MAX)
            return NULL;
        i = __builtin_ctz(~used);
    } while (!atomic_compare_exchange_weak(&spares_used, &used, used | UINT32_C(1) << i));
    return &spares[i];
}

struct shared_cause *cause_create(int code, const char *text)
{
    struct shared_cause *cause = malloc(sizeof(*cause));

    if (!cause)
        cause = take_spare();
    if (!cause)
        return NULL;
    atomic_init(&cause->references, 1);
    cause->cause.code = code;
    string_copy(cause->cause.text, sizeof(cause->cause.text), text);
    return cause;
}

struct shared_cause *cause_ref(struct shared_cause *cause)
{
    if (cause)
        atomic_fetch_add_explicit(&cause->references, 1, memory_order_relaxed);
    return cause;
}

void cause_unref(struct shared_cause *cause)
{
    if (!cause || atomic_fetch_sub_explicit(&cause->references, 1, memory_order_acq_rel) > 1)
        return;
    if (cause >= spares && cause < spares + ARRAY_SIZE(spares))
        atomic_fetch_and(&spares_used, ~(UINT32_C(1) << (cause - spares)));
    else
        free(cause);
}

int rv_context_cause(const struct rv_context *ctx, struct rv_cause *ret_cause)
{
    char name[128];

    *ret_cause = (struct rv_cause){.code = rv_context_err(ctx)};
    if (ret_cause->code == 0)
        return 0;
    /* Written before err was, and not changed after. */
    if (ctx->cause)
        *ret_cause = ctx->cause->cause;
    else if (ret_cause->code == -ETIMEDOUT)
        string_copy(ret_cause->text, sizeof(ret_cause->text), "its deadline has passed");
    else
        string_copy(ret_cause->text, sizeof(ret_cause->text),
                    error_name(ret_cause->code, name, sizeof(name)));
    return ret_cause->code;
}
