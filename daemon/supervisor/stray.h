/* SPDX-License-Identifier: MIT */
/*
 * Processes that hosts leave behind. The supervisor is a subreaper: what a dead host had started
 * and not ended becomes the supervisor's child, and is killed and reaped here.
 */
#ifndef REEVE_SUPERVISOR_STRAY_H
#define REEVE_SUPERVISOR_STRAY_H

#include <sys/types.h>

struct loop;

/* Makes this process a subreaper. Returns 0 or a negative errno. */
int stray_start(struct loop *loop);
/* At the end: reaps what was killed, and kills and reaps what they leave in turn. Blocks for 5 s at
 * most. */
void stray_stop(void);

/* Kills every child that is not a host, and not spared. */
void stray_kill_all(void);

/* One child of our own that is no host; 0: none any more. */
void stray_spare(pid_t pid);

/* Reaps a child that has been sent SIGKILL and that nobody else watches. */
void stray_adopt(pid_t pid);

#endif
