/* SPDX-License-Identifier: MIT */
/* A process that computes and nothing else, until it is killed or whoever started it has ended. */
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(void)
{
    pid_t parent = getppid();
    volatile uint64_t steps = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return 1;
    for (;;)
        steps++;
}
