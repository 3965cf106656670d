/* SPDX-License-Identifier: MIT */
#include "daemon/process/usage.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/fd.h"

/* The files are short; a status grows with what the kernel has to tell. */
#define TEXT_MAX 65536

/* Before Linux 6.2 descriptors can only be counted one by one; past so many the loop has better to
 * do, and the figure stays there. */
#define FDS_COUNTED_MAX 20000

int usage_parse_stat(const char *text, long ticks_per_second, struct usage *usage)
{
    /* A program's name may hold anything, parentheses too. */
    const char *rest = strrchr(text, ')');
    uint64_t user, system, started;
    int64_t children_user, children_system;
    int64_t tick = NSEC_PER_SEC / ticks_per_second;

    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                        " %" SCNd64 " %" SCNd64 " %*d %*d %*d %*d %" SCNu64,
                        &user, &system, &children_user, &children_system, &started) != 5)
        return -EINVAL;
    usage->cpu = ((int64_t)user + (int64_t)system + children_user + children_system) * tick;
    usage->started = (int64_t)started * tick;
    return 0;
}

/* "VmRSS:\t    5120 kB" */
static int find_number(const char *text, const char *key, uint64_t *ret_number)
{
    const char *line = strstr(text, key);

    /* Not within a name: every line but the first begins after a line break, as key does. */
    return line && sscanf(line + strlen(key), " %" SCNu64, ret_number) == 1 ? 0 : -EINVAL;
}

int usage_parse_status(const char *text, struct usage *usage)
{
    uint64_t resident, anonymous, threads;

    /* A process that is ending has threads and no memory any more. */
    if (find_number(text, "\nThreads:", &threads) < 0 ||
        find_number(text, "\nVmRSS:", &resident) < 0 ||
        find_number(text, "\nRssAnon:", &anonymous) < 0)
        return -EINVAL;
    usage->threads = (unsigned)threads;
    usage->resident = resident * 1024;
    usage->private_bytes = anonymous * 1024;
    return 0;
}

static int64_t count_fds(pid_t pid)
{
    char path[64];
    struct stat status;
    int64_t count = 0;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    /* Linux 6.2 and later tell the number as the directory's size. */
    if (stat(path, &status) == 0 && status.st_size > 0)
        return status.st_size;
    folder = opendir(path);
    if (!folder)
        return -1;
    while (count < FDS_COUNTED_MAX && readdir(folder))
        count++;
    closedir(folder);
    count -= 2 + (pid == getpid()); /* ".", ".." and the directory itself */
    return count > 0 ? count : 0;
}

static int read_text(pid_t pid, const char *name, char **ret_text)
{
    char path[64];
    size_t size;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return file_read(path, TEXT_MAX, ret_text, &size);
}

int usage_read(pid_t pid, struct usage *ret_usage)
{
    cleanup_free char *stat_text = NULL, *status_text = NULL;
    int r = read_text(pid, "stat", &stat_text);

    if (r == 0)
        r = read_text(pid, "status", &status_text);
    if (r < 0)
        return r;
    *ret_usage = (struct usage){0};
    r = usage_parse_stat(stat_text, sysconf(_SC_CLK_TCK), ret_usage);
    if (r == 0)
        r = usage_parse_status(status_text, ret_usage);
    if (r == 0)
        ret_usage->open_fds = count_fds(pid);
    return r;
}

int usage_read_memory(pid_t pid, uint64_t *ret_bytes)
{
    cleanup_free char *text = NULL;
    uint64_t anonymous, shared;
    int r = read_text(pid, "status", &text);

    if (r < 0)
        return r;
    if (find_number(text, "\nRssAnon:", &anonymous) < 0 ||
        find_number(text, "\nRssShmem:", &shared) < 0)
        return -EINVAL;
    *ret_bytes = (anonymous + shared) * 1024;
    return 0;
}
