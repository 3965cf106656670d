/* SPDX-License-Identifier: MIT */
#include "host/control/session.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/process.h"
#include "wire/message.h"

/* A process that is killed may have forked since the directory was read; each sweep leaves less. */
#define SWEEPS 8

/* Opened before a sandbox or a module is in the way; NULL: it could not be. */
static DIR *processes;

/* Given up for what is to be read in the end, as a module may have used up all descriptors. */
static int spare = -1;

/* As we were given it: a module may change its environment. "": none. */
static char mark[128];

void session_prepare(void)
{
    processes = opendir("/proc");
    spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)process_find_variable(getpid(), WIRE_MARK, mark, sizeof(mark));
}

/* In our session, or begun by us and gone from it. */
static bool is_ours(pid_t pid)
{
    char other[sizeof(mark)];

    if (pid == getpid())
        return false;
    return getsid(pid) == getsid(0) ||
           (mark[0] != '\0' && process_find_variable(pid, WIRE_MARK, other, sizeof(other)) &&
            strcmp(mark, other) == 0);
}

static int kill_sweep(void)
{
    struct dirent *entry;
    int killed = 0;

    if (!processes)
        return 0;
    rewinddir(processes);
    while ((entry = readdir(processes))) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

        if (pid > 0 && is_ours(pid) && kill(pid, SIGKILL) == 0)
            killed++;
    }
    return killed;
}

void session_kill_others(void)
{
    /* Only of a session of one's own: with --run it is the terminal's. */
    if (getsid(0) != getpid())
        return;
    if (spare >= 0)
        close(TAKE_FD(spare));
    for (int i = 0; i < SWEEPS && kill_sweep() > 0; i++)
        ;
}
