/* SPDX-License-Identifier: MIT */
/* Opens a connection when it is first needed, once. */
#include <reeve/once.h>
#include <stdio.h>

static struct rv_once once = RV_ONCE_INIT;

static int open_connection(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    puts("opening");
    *(int *)arg = 1;
    return 0;
}

int main(void)
{
    int connection = 0;

    for (int i = 0; i < 3; i++)
        if (rv_once_do(rv_context_background(), &once, open_connection, &connection) < 0)
            return 1;
    rv_once_destroy(&once);
    return connection != 1;
}
