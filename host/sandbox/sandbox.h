/* SPDX-License-Identifier: MIT */
/*
 * The rights that a host gives up between exec and the first dlopen: its limits, its user, most of
 * the file system, the network, and the system calls that no module needs.
 *
 * The supervisor sends the rules as keys and values (LIMIT); what they mean is in message.h. A rule
 * that cannot be enforced here is told in a warning, or with `sandbox = strict` refused.
 */
#ifndef REEVE_HOST_SANDBOX_SANDBOX_H
#define REEVE_HOST_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct sandbox {
    bool check_only; /* the strictest filter, and of the rules only the user */
    bool reader;     /* check_only; reads only what read_only and module_folders name */
    bool strict;
    bool no_network;
    bool nice_given;
    int nice;
    uint64_t memory_data;
    uint64_t nofile;
    char *cgroup;
    char *cpu_max;
    char *user;
    struct strings read_only;
    struct strings read_write;
    struct strings module_folders;
    char reason[256]; /* why it was refused */
};

/* Takes one rule in. Returns 0, -EINVAL for a key or value that it does not know, or -ENOMEM. */
int sandbox_take(struct sandbox *sandbox, const char *key, const char *value);

/*
 * Enters it, for good: the cgroup, limits and user that were asked for; no new privileges, and no
 * CAP_SYS_PTRACE; the supervisor's death wakes a stopped host; nice 0 at least; Landlock; and a
 * seccomp filter that denies (EPERM) what reaches into other processes or the machine: ptrace,
 * mounts, namespaces, modules, clocks, keys; signals to the supervisor, its group and everybody;
 * its limits, priority and scheduling; a descriptor's owner other than the host. clone3(),
 * pidfd_send_signal() and where needed openat2() do not exist (ENOSYS), since a filter cannot see
 * what they would do.
 *
 * check_only denies besides whatever could be left behind: opening files but to read what is there,
 * changing their names, modes, owners, times and attributes, IPC objects; the network; new
 * processes; signals to others. A reader is nobody where it would be root, if the module's files
 * can be read so, and has no capability; Landlock lets it read what was named and what every
 * program needs.
 *
 * Must run on the only thread. Returns 0, -ESRCH when the supervisor is gone already, or another
 * negative errno with `reason` set.
 */
int sandbox_enter(struct sandbox *sandbox);

void sandbox_finish(struct sandbox *sandbox);

/* After a failure for want of a thread or memory (-EAGAIN, -ENOMEM): where memory-max bounds what
 * this process may have, the present error text names it. Returns r. */
int sandbox_explain_want(int r);

#endif
