/* SPDX-License-Identifier: MIT */
/* A deadline cancels what works below it; the cause says why. */
#include <reeve/context.h>
#include <reeve/sleep.h>
#include <stdio.h>

int main(void)
{
    struct rv_context *parent, *child;
    struct rv_cause cause;

    if (rv_context_with_timeout(rv_context_background(), 10 * RV_MILLISECOND, &parent) < 0 ||
        rv_context_with_cancel(parent, &child) < 0)
        return 1;
    if (rv_sleep(child, RV_HOUR) < 0) {
        rv_context_cause(child, &cause);
        printf("woken early: %s\n", cause.text);
    }
    rv_context_unref(child);
    rv_context_unref(parent);
    return 0;
}
