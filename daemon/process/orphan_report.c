/* SPDX-License-Identifier: MIT */
#include "daemon/process/orphan_report.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/text.h"
#include "daemon/process/orphan_owner.h"

void orphan_read_command(pid_t pid, char *buffer, size_t size)
{
    cleanup_free char *path = format_new("/proc/%d/comm", (int)pid);
    cleanup_close int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? 0 : read(fd, buffer, size - 1);

    buffer[MAX(n, 0)] = '\0';
    buffer[strcspn(buffer, "\n")] = '\0';
    text_sanitise(buffer);
}

void orphan_tell_left(pid_t pid, const struct ended *ended, const char *what)
{
    char command[64];

    orphan_read_command(pid, command, sizeof(command));
    if (ended)
        log_error("[%s] process %d (%s), left behind by its host, %s", ended->host, (int)pid,
                  command, what);
    else
        log_error("process %d (%s), left behind by a host, %s", (int)pid, command, what);
}
