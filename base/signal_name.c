/* SPDX-License-Identifier: MIT */
#include "base/signal_name.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

const char *signal_name(int number)
{
    static _Thread_local char text[32];
    const char *name = sigabbrev_np(number);

    if (name)
        snprintf(text, sizeof(text), "SIG%s", name);
    else if (number == SIGRTMIN)
        return "SIGRTMIN";
    else if (number > SIGRTMIN && number <= SIGRTMAX)
        snprintf(text, sizeof(text), "SIGRTMIN+%d", number - SIGRTMIN);
    else
        snprintf(text, sizeof(text), "signal %d", number);
    return text;
}
