/* SPDX-License-Identifier: MIT */
#include "base/thread_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"

/* Without allocating, unlike file_read(): the thread that hangs may hold the allocator's lock.
 * Returns false when it cannot be read. */
static bool read_file(pid_t pid, pid_t tid, const char *name, char *buffer, size_t size)
{
    char path[64];
    cleanup_close int fd = -1;
    ssize_t length;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    length = fd < 0 ? -1 : read(fd, buffer, size - 1);
    buffer[MAX(length, 0)] = '\0';
    return length > 0;
}

/* The letter behind the name, which may itself hold parentheses. */
static char read_letter(pid_t pid, pid_t tid)
{
    char stat[256];
    const char *end;

    if (!read_file(pid, tid, "stat", stat, sizeof(stat)))
        return '\0';
    end = strrchr(stat, ')');
    return end && end[1] == ' ' ? end[2] : '\0';
}

static const char *name_of(char letter)
{
    switch (letter) {
    case 'R':
        return "running";
    case 'S':
    case 'I':
        return "sleeping";
    case 'D':
        return "in an uninterruptible wait";
    case 'T':
        return "stopped";
    case 't':
        return "held by a debugger";
    default:
        return "gone";
    }
}

void thread_state_describe(pid_t pid, pid_t tid, char *buffer, size_t size)
{
    char channel[64], letter = read_letter(pid, tid);
    bool waits = letter == 'S' || letter == 'D';

    /* "0" stands for none, and for a kernel that does not tell. */
    if (waits && read_file(pid, tid, "wchan", channel, sizeof(channel)) && channel[0] != '0')
        snprintf(buffer, size, "%s in %s", name_of(letter), channel);
    else
        snprintf(buffer, size, "%s", name_of(letter));
    text_sanitise(buffer);
}
