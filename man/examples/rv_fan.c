/* SPDX-License-Identifier: MIT */
/* Four workers square what comes through one channel into another. */
#include <reeve/fan.h>
#include <reeve/group.h>
#include <stdio.h>

struct pipes {
    struct rv_channel *in, *out;
};

static int square(struct rv_context *ctx, const void *item, void *ret_result, void *arg)
{
    int number = *(const int *)item;

    (void)ctx;
    (void)arg;
    *(int *)ret_result = number * number;
    return 0;
}

static int run_fan(struct rv_context *ctx, void *arg)
{
    struct pipes *pipes = arg;

    return rv_fan_run(ctx, pipes->in, pipes->out, 4, square, NULL);
}

int main(void)
{
    struct rv_context *ctx = rv_context_background();
    struct rv_group *group;
    struct pipes pipes;
    int number, sum = 0, r;

    if (rv_channel_create(sizeof(int), 10, &pipes.in) < 0 ||
        rv_channel_create(sizeof(int), 10, &pipes.out) < 0 || rv_group_create(ctx, &group) < 0)
        return 1;
    for (int i = 1; i <= 10; i++)
        if (rv_channel_send(ctx, pipes.in, &i) < 0)
            return 1;
    rv_channel_close(pipes.in);
    if (rv_group_go(group, run_fan, &pipes) < 0)
        return 1;
    while (rv_channel_recv(ctx, pipes.out, &number) == 0)
        sum += number;
    printf("sum of squares: %d\n", sum);
    rv_channel_unref(pipes.in);
    rv_channel_unref(pipes.out);
    r = rv_group_wait(group);
    rv_group_destroy(group);
    return r < 0 || sum != 385;
}
