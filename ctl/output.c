/* SPDX-License-Identifier: MIT */
#include "ctl/output.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

bool output_wait(int milliseconds)
{
    struct pollfd reader = {.fd = STDOUT_FILENO};

    /* A terminal that is gone is POLLHUP, a pipe without readers POLLERR. */
    if (poll(&reader, 1, milliseconds) <= 0)
        return !ferror(stdout);
    raise(SIGPIPE);
    /* That is ignored. */
    return false;
}
