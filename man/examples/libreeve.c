/* SPDX-License-Identifier: MIT */
/* Three functions in parallel; the first error would cancel the others. */
#include <reeve/group.h>
#include <reeve/sleep.h>

static int work(struct rv_context *ctx, void *arg)
{
    return rv_sleep(ctx, *(rv_duration *)arg);
}

int main(void)
{
    rv_duration times[] = {RV_MILLISECOND, 2 * RV_MILLISECOND, 3 * RV_MILLISECOND};
    struct rv_group *group;
    int r = 0;

    if (rv_group_create(rv_context_background(), &group) < 0)
        return 1;
    for (int i = 0; i < 3 && r == 0; i++)
        r = rv_group_go(group, work, &times[i]);
    if (r == 0)
        r = rv_group_wait(group);
    rv_group_destroy(group);
    return r < 0;
}
