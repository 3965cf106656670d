/* SPDX-License-Identifier: MIT */
/* The first error cancels the rest, and is what the wait returns. */
#include <errno.h>
#include <reeve/group.h>
#include <reeve/sleep.h>
#include <stdio.h>

static int fail(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    return rv_fail(-ENOENT, "fetch %s", (const char *)arg);
}

static int wait_long(struct rv_context *ctx, void *arg)
{
    (void)arg;
    return rv_sleep(ctx, RV_HOUR);
}

int main(void)
{
    char page[] = "a page";
    struct rv_group *group;
    int r;

    if (rv_group_create(rv_context_background(), &group) < 0)
        return 1;
    r = rv_group_go(group, wait_long, NULL);
    if (r == 0)
        r = rv_group_go(group, fail, page);
    if (r == 0)
        r = rv_group_wait(group);
    rv_group_destroy(group);
    printf("%s\n", rv_error_text(r));
    return r != -ENOENT;
}
