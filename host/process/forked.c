/* SPDX-License-Identifier: MIT */
#include "host/process/forked.h"

#include <pthread.h>

static bool forked; /* written by the only thread of a new process */

static void note(void)
{
    forked = true;
}

int forked_watch(void)
{
    return -pthread_atfork(NULL, NULL, note);
}

bool forked_is(void)
{
    return forked;
}
