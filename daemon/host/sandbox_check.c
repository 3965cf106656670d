/* SPDX-License-Identifier: MIT */
/* What a host that only checks is denied besides. */
#include <errno.h>
#include <fcntl.h>

#include "base/macro.h"
#include "daemon/host/sandbox_filter.h"

static const int active[] = {
    SCMP_SYS(socket),   SCMP_SYS(connect),  SCMP_SYS(bind),     SCMP_SYS(execve),
    SCMP_SYS(execveat), SCMP_SYS(fork),     SCMP_SYS(vfork),    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(rename),   SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(mkdir),    SCMP_SYS(mkdirat),  SCMP_SYS(rmdir),    SCMP_SYS(truncate),
    SCMP_SYS(chmod),    SCMP_SYS(fchmodat), SCMP_SYS(chown),    SCMP_SYS(fchownat),
    SCMP_SYS(link),     SCMP_SYS(linkat),   SCMP_SYS(symlink),  SCMP_SYS(symlinkat),
    SCMP_SYS(creat),
};

/* The access mode is in the low two bits of the flags. */
int filter_deny_activity(scmp_filter_ctx filter)
{
    int r = filter_deny_all(filter, active, ARRAY_SIZE(active));

    for (uint64_t mode = O_WRONLY; mode <= O_RDWR && r == 0; mode++)
        r = filter_deny_opening(filter, EPERM, O_ACCMODE, mode);
    /* Its flags are in memory. */
    return r < 0 ? r : filter_deny(filter, ENOSYS, SCMP_SYS(openat2));
}
