/* SPDX-License-Identifier: MIT */
/* A deadline cancels what works below it, as the handle of a context does; the cause says why. */
#include <reeve/context.h>
#include <reeve/sleep.h>
#include <stdio.h>

int main(void)
{
    struct rv_context *parent, *child;
    struct rv_cancel *cancel;
    struct rv_cause cause;

    if (rv_context_with_timeout(rv_context_background(), 10 * RV_MILLISECOND, &parent, NULL) < 0 ||
        rv_context_with_cancel(parent, &child, NULL) < 0)
        return 1;
    if (rv_sleep(child, RV_HOUR) < 0) {
        rv_context_cause(child, &cause);
        printf("woken early: %s\n", cause.text);
    }
    rv_context_unref(child);
    if (rv_context_with_cancel(rv_context_background(), &child, &cancel) < 0)
        return 1;
    rv_context_cancel(cancel, 0, "the user has %s", "left");
    if (rv_sleep(child, RV_HOUR) < 0) {
        rv_context_cause(child, &cause);
        printf("not even begun: %s\n", cause.text);
    }
    rv_context_unref(child);
    rv_context_unref(parent);
    return 0;
}
