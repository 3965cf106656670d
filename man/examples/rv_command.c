/* SPDX-License-Identifier: MIT */
/* Runs a program for at most ten seconds, and shows what it said. */
#include <reeve/command.h>
#include <reeve/error.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    char program[] = "uname", option[] = "-s", *argv[] = {program, option, NULL};
    struct rv_command_result result;
    struct rv_context *ctx;
    int r;

    if (rv_context_with_timeout(rv_context_background(), 10 * RV_SECOND, &ctx, NULL) < 0)
        return 1;
    r = rv_command_run(ctx, argv, NULL, &result);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", argv[0], rv_error_text(r));
    else
        fputs(result.output, stdout);
    free(result.output);
    rv_context_unref(ctx);
    return r < 0;
}
