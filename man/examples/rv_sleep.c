/* SPDX-License-Identifier: MIT */
/* Reads what comes within a second; a cancel of ctx would end the wait as well. */
#include <poll.h>
#include <reeve/sleep.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    int ends[2], r;
    char byte;

    if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1)
        return 1;
    r = rv_poll(rv_context_background(), ends[0], POLLIN, RV_SECOND);
    if (r > 0 && read(ends[0], &byte, 1) == 1)
        printf("read %c\n", byte);
    return r != POLLIN;
}
