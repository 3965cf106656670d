/* SPDX-License-Identifier: MIT */
/*
 * Processes that nobody waits for. The supervisor is a subreaper: what a host's process starts and does
 * not wait for becomes the supervisor's child, by the death of its parent. Such an orphan is reaped when it
 * ends; and it lives as long as the host that it belongs to, and no longer.
 *
 * Whose it is, tells its session, which is that of its host unless it began one of its own; else the mark in
 * its environment that each host's process has (spawn.h). One that has neither belongs to nobody, and lives
 * until reeved ends.
 */
#ifndef REEVE_SUPERVISOR_STRAY_H
#define REEVE_SUPERVISOR_STRAY_H

#include <stdbool.h>
#include <sys/types.h>

struct loop;

/* Makes this process a subreaper. Returns 0 or a negative errno. */
int stray_start(struct loop *loop);
/* At the end: kills and reaps every child, and what they leave in turn. Blocks for 5 s at most. */
void stray_stop(void);

/* After SIGCHLD: reaps what has ended. */
void stray_reap(void);

/* The process of a host has ended: what belongs to it is killed, in a later turn of the loop. */
void stray_host_ended(pid_t pid, const char *host);

/* Looks for orphans whose host has ended, in a later turn of the loop. */
void stray_look(void);

/* Reaps a child that has been sent SIGKILL and that nobody else watches. */
void stray_adopt(pid_t pid);

#endif
