/* SPDX-License-Identifier: MIT */
/*
 * The usage of a process, read from /proc: only from files that cost the kernel no walk through its
 * memory.
 */
#ifndef REEVE_DAEMON_PROCESS_USAGE_H
#define REEVE_DAEMON_PROCESS_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
    int64_t cpu;            /* ns, user and system, with the children that it has waited for */
    int64_t started;        /* CLOCK_BOOTTIME ns */
    uint64_t resident;      /* bytes */
    uint64_t private_bytes; /* of those, anonymous: heap, stacks, copied pages */
    int64_t open_fds;       /* -1: not to be seen, which needs the same user or CAP_SYS_PTRACE */
    unsigned threads;
};

/* Reads it for a process. Blocks for nothing. Returns 0 or a negative errno. */
int usage_read(pid_t pid, struct usage *ret_usage);

/* Of its memory what is nobody's file: anonymous and shared memory that is resident. Returns 0 or a
 * negative errno. */
int usage_read_memory(pid_t pid, uint64_t *ret_bytes);

/* From the texts of /proc/PID/stat and /proc/PID/status. Both return 0 or -EINVAL, and then leave
 * what they would fill in as it was. */
int usage_parse_stat(const char *text, long ticks_per_second, struct usage *usage);
int usage_parse_status(const char *text, struct usage *usage);

#endif
