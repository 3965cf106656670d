/* SPDX-License-Identifier: MIT */
#include "base/dispositions.h"

#include <signal.h>
#include <stddef.h>

#include "base/macro.h"

/* Each would end the process, and the call that causes it may be any library's. */
static const int ignored[] = {
    SIGPIPE, /* write() to what nobody reads any more fails with EPIPE */
    SIGIO,   /* a lease is broken, a directory watched by dnotify has changed, or a descriptor is
              * O_ASYNC
              */
    SIGXFSZ, /* write() beyond RLIMIT_FSIZE fails with EFBIG */
};

void dispositions_set(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        signal(ignored[i], SIG_IGN);
    /* It is inherited, and while it is ignored the kernel reaps children itself. */
    signal(SIGCHLD, SIG_DFL);
}

int dispositions_for_child(posix_spawnattr_t *attributes, short flags)
{
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    r = posix_spawnattr_setsigmask(attributes, &none);
    if (r == 0)
        r = posix_spawnattr_setsigdefault(attributes, &all);
    if (r == 0)
        r = posix_spawnattr_setflags(
            attributes, (short)(flags | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    return r;
}
