/* SPDX-License-Identifier: MIT */
#include "lib/command_group.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* A zombie is a member as well, and its pidfd is readable. */
static int open_living(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    if (fd < 0)
        return -errno;
    if (poll(&poll_fd, 1, 0) == 0)
        return fd;
    close(fd);
    return -ESRCH;
}

/* Calls act for each that is not the leader, until it returns other than -ESRCH, which is returned. */
static int each_member(pid_t group, int (*act)(pid_t pid))
{
    /* The kernel has no list of a group's members: kill(-group, 0) counts the leader, which is a zombie. */
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    int r = -ESRCH;

    if (!folder)
        return -errno;
    while (r == -ESRCH && (entry = readdir(folder))) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

        if (pid > 0 && pid != group && getpgid(pid) == group)
            r = act(pid);
    }
    closedir(folder);
    return r;
}

int command_group_find(pid_t group)
{
    return each_member(group, open_living);
}

/* Whether the mask of signals that the line names has SIGTERM. */
static bool has_sigterm(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    unsigned long long mask = line ? strtoull(line + strlen(name), NULL, 16) : ~0ULL;

    return mask & (1ULL << (SIGTERM - 1));
}

static int remind(pid_t pid)
{
    char path[40], status[4096];
    cleanup_close int fd = -1;
    int member;
    ssize_t size;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
    if (size <= 0)
        return -ESRCH;
    status[size] = '\0';
    if (has_sigterm(status, "SigCgt:") || has_sigterm(status, "SigIgn:") ||
        has_sigterm(status, "SigBlk:"))
        return -ESRCH;
    /* It is no child of ours, so what the id is is looked at right before. */
    member = open_living(pid);
    if (member >= 0) {
        kill(pid, SIGTERM);
        close(member);
    }
    return -ESRCH;
}

void command_group_remind(pid_t group)
{
    (void)each_member(group, remind);
}
