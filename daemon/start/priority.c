/* SPDX-License-Identifier: MIT */
/*
 * A kernel that groups processes by session (kernel.sched_autogroup_enabled, as Debian's do) weighs
 * a niceness only within a session, and each host leads one of its own: Nice=-10 of the unit would
 * put us above nobody. So the session gets our niceness. An unprivileged process may do that up to
 * its RLIMIT_NICE, which the unit grants; it is given up afterwards, since hosts inherit it.
 */
#include "daemon/start/priority.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"

static int set_session_nice(int nice)
{
    cleanup_close int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", nice);

    /* No such file: the kernel does not group. */
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    return write(fd, text, (size_t)length) == length ? 0 : -errno;
}

void priority_claim(void)
{
    static const struct rlimit none;
    int nice, r;

    errno = 0;
    nice = getpriority(PRIO_PROCESS, 0);
    /* Not our session: started from a shell, say, which is not to be raised with us. */
    if (nice >= 0 || errno != 0 || getsid(0) != getpid())
        return;
    /* The file is root's for whoever is not dumpable, as a program is that its user cannot read.
     * There is no host yet that could make use of it. */
    prctl(PR_SET_DUMPABLE, 1);
    r = set_session_nice(nice);
    prctl(PR_SET_DUMPABLE, 0);
    if (r < 0)
        log_info("cannot give the session our niceness: %s", strerror(-r));
    setrlimit(RLIMIT_NICE, &none);
}
