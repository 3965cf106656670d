/* SPDX-License-Identifier: MIT */
/*
 * A control group (v2) for each host: it bounds memory and processor time, tells who was killed for
 * memory, and kills what a host leaves behind at once, however it hid.
 *
 * Groups are made only where the supervisor's own has been delegated to it (systemd's Delegate=yes
 * marks it so): then the supervisor moves into the leaf "supervisor", since a group with processes
 * cannot hand controllers down, and hosts get siblings of that. The tree is the process's, so this
 * is the process's own state. Reads and writes of these files do not wait for anybody.
 */
#ifndef REEVE_DAEMON_PROCESS_CGROUP_H
#define REEVE_DAEMON_PROCESS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroup;
struct config_limits;
struct loop;

/* Looks for a delegated group and takes it over. Without one, nothing of this file does anything.
 * successor: the groups in it are those of living hosts, to be adopted. Returns 0 or -ENOMEM. */
int cgroups_start(struct loop *loop, bool successor);
/* At the end: removes what is empty. */
void cgroups_stop(void);

/* A group for a new incarnation of a host; NULL where there are none, or after logging why. */
struct cgroup *cgroup_create(const char *host, const struct config_limits *limits);
/* The group of a host that an earlier life of this process made, with what it enforces. */
struct cgroup *cgroup_adopt(const char *path, bool limits_memory, bool limits_cpu);
/* Kills what is in it, and removes it, later if need be. NULL does nothing. */
void cgroup_destroy(struct cgroup *cgroup);

/* Its directory; the host itself writes itself into it, since a move may wait for others. */
const char *cgroup_path(const struct cgroup *cgroup);
/* Whether memory-max and cpu-max are enforced by it. False for NULL. */
bool cgroup_limits_memory(const struct cgroup *cgroup);
bool cgroup_limits_cpu(const struct cgroup *cgroup);
/* How many of its processes the kernel killed because memory-max was reached. 0 for NULL. */
uint64_t cgroup_oom_kills(const struct cgroup *cgroup);

/*
 * Where in the file system the group of a process is, from the texts of /proc/PID/mountinfo and
 * /proc/PID/cgroup. Returns 0, -ENOENT when there is none of version 2 in reach, or -ENAMETOOLONG.
 */
int cgroup_find(const char *mountinfo, const char *membership, char *ret_path, size_t size);

/* The value of a key in a file of lines "KEY VALUE"; 0 when it is not there. */
uint64_t cgroup_read_count(const char *text, const char *key);

#endif
