/* SPDX-License-Identifier: MIT */
/*
 * The processes that belong to a program.
 *
 * Properties: a process is taken for the program's only if it is in the group that the program
 * leads; or, after a cancel, in the caller's session and either a descendant of the program, marked
 * as started by this run, or in a group of such a one. timeout(1) and shells with job control make
 * groups of their own.
 *
 * Operation: ids of groups and sessions are asked of the kernel. Parents and environments are in
 * /proc, which a sandbox may hide: then newer kernels tell of parents alone, and with older ones
 * the program's own group is all that is known. A process whose parent has ended is known by its
 * mark, or by its group, which is remembered as long as the program is waited for.
 *
 * Safety: one thread uses it. The environment of another process is read up to a bound.
 */
#include "lib/command_group.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <reeve/runtime.h>

#include "base/fd.h"
#include "base/process.h"

extern char **environ;

/* So many generations of processes are looked at. */
#define DEPTH_MAX 64

/* A zombie is a member as well, and its pidfd is readable. */
static int open_living(struct command_group *group _unused_, pid_t pid)
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

void command_group_init(struct command_group *group)
{
    static _Atomic unsigned number;

    *group = (struct command_group){.session = getsid(0)};
    snprintf(group->mark, sizeof(group->mark), COMMAND_MARK "%d-%" PRIx64 "-%u", (int)getpid(),
             (uint64_t)rv_now(), atomic_fetch_add(&number, 1));
}

char **command_group_environment(const struct command_group *group, char *const *environment)
{
    char *const *from = environment ? environment : environ;
    size_t count = 0, n = 0;
    char **marked;

    while (from && from[count])
        count++;
    marked = calloc(count + 2, sizeof(*marked));
    if (!marked)
        return NULL;
    /* In front, where it is found first. */
    marked[n++] = (char *)(uintptr_t)group->mark;
    for (size_t i = 0; i < count; i++)
        if (strncmp(from[i], COMMAND_MARK, strlen(COMMAND_MARK)) != 0)
            marked[n++] = from[i];
    return marked;
}

/* Ownership --------------------------------------------------------------- */

/* Linux has it since 6.13, and <linux/pidfd.h> later: what a pidfd's process is, also where /proc
 * is hidden. */
struct process_info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t pid, tgid, ppid;
    uint32_t rest[9];
};
#define PROCESS_INFO     _IOWR(0xFF, 11, struct process_info)
#define PROCESS_INFO_PID 1 /* in the mask: the ids are asked for, and known */

_Static_assert(sizeof(struct process_info) == 64, "the size is a part of the call");

/* 0: not known. */
static pid_t ask_parent(pid_t pid)
{
    struct process_info info = {.mask = PROCESS_INFO_PID};
    cleanup_close int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0 || ioctl(fd, PROCESS_INFO, &info) < 0 || !(info.mask & PROCESS_INFO_PID))
        return 0;
    return (pid_t)info.ppid;
}

/* 0: not known. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512] = "", *name_end;
    int parent = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return ask_parent(pid);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    /* "1234 (name) S 1200 ...", where the name may hold anything. */
    name_end = strrchr(text, ')');
    return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool is_descendant(const struct command_group *group, pid_t pid)
{
    for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
        pid = parent_of(pid);
        if (pid == group->leader)
            return true;
    }
    return false;
}

static bool has_mark(const struct command_group *group, pid_t pid)
{
    char mark[sizeof(group->mark) + 1];

    return process_find_variable(pid, COMMAND_MARK, mark, sizeof(mark)) &&
           strcmp(mark, group->mark) == 0;
}

static bool has_left(const struct command_group *group, pid_t id)
{
    for (unsigned i = 0; i < group->count; i++)
        if (group->others[i] == id)
            return true;
    return false;
}

static bool is_member(struct command_group *group, pid_t pid)
{
    pid_t id = getpgid(pid);

    if (id < 0 || pid == group->leader || pid == getpid())
        return false;
    if (id == group->leader)
        return !group->skips_leaders;
    if (!group->spread || getsid(pid) != group->session)
        return false;
    if (has_left(group, id))
        return true;
    if (!is_descendant(group, pid) && !has_mark(group, pid))
        return false;
    /* Never the group that we are in. */
    if (group->count < COMMAND_GROUPS_MAX && id != getpgrp())
        group->others[group->count++] = id;
    return true;
}

/* Calls act for each member, until it returns other than -ESRCH, which is returned. */
static int each_member(struct command_group *group,
                       int (*act)(struct command_group *group, pid_t pid))
{
    /* The kernel has no list of a group's members: kill(-group, 0) counts the leader, which is a
     * zombie. */
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    int r = -ESRCH;

    if (!folder)
        return -errno;
    while (r == -ESRCH && (entry = readdir(folder))) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

        if (pid > 0 && is_member(group, pid))
            r = act(group, pid);
    }
    closedir(folder);
    return r;
}

static int pass(struct command_group *group _unused_, pid_t pid _unused_)
{
    return -ESRCH;
}

void command_group_spread(struct command_group *group)
{
    group->spread = true;
    /* A process that the leader has started may have nothing but it to be known by. */
    (void)each_member(group, pass);
}

int command_group_find(struct command_group *group)
{
    return each_member(group, open_living);
}

/* Signals ----------------------------------------------------------------- */

/* Returns -ESRCH, for each_member(). */
static int send_to(pid_t pid, int signal)
{
    /* It is no child of ours, so what the id is is looked at right before. */
    int member = open_living(NULL, pid);

    if (member >= 0) {
        kill(pid, signal);
        close(member);
    }
    return -ESRCH;
}

/* Whether the mask of signals that the line names has SIGTERM. */
static bool has_sigterm(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    unsigned long long mask = line ? strtoull(line + strlen(name), NULL, 16) : ~0ULL;

    return mask & (1ULL << (SIGTERM - 1));
}

/* Or whether nobody can say. */
static bool may_have_sigterm(pid_t pid)
{
    char path[40], status[4096];
    cleanup_close int fd = -1;
    ssize_t size;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
    if (size <= 0)
        return true;
    status[size] = '\0';
    return has_sigterm(status, "SigCgt:") || has_sigterm(status, "SigIgn:") ||
           has_sigterm(status, "SigBlk:");
}

/* A process that a member starts that handles SIGTERM may be one that it tidies up with. */
static int remind(struct command_group *group, pid_t pid)
{
    pid_t member = pid;

    for (int depth = 0; depth < DEPTH_MAX && member > 1 && (depth == 0 || is_member(group, member));
         depth++) {
        if (may_have_sigterm(member))
            return -ESRCH;
        member = parent_of(member);
    }
    return send_to(pid, SIGTERM);
}

void command_group_remind(struct command_group *group)
{
    (void)each_member(group, remind);
}

static int end(struct command_group *group _unused_, pid_t pid)
{
    return send_to(pid, SIGTERM);
}

static int kill_one(struct command_group *group _unused_, pid_t pid)
{
    return send_to(pid, SIGKILL);
}

void command_group_signal(struct command_group *group, int signal)
{
    kill(-group->leader, signal);
    if (!group->spread)
        return;
    /* Those of the leader's group have it. */
    group->skips_leaders = true;
    (void)each_member(group, signal == SIGKILL ? kill_one : end);
    group->skips_leaders = false;
}
