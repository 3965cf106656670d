/* SPDX-License-Identifier: MIT */
/* Facts about a thread, from the kernel: /proc/PID/task/TID. */
#ifndef REEVE_BASE_THREAD_STATE_H
#define REEVE_BASE_THREAD_STATE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Writes "running", "sleeping in futex_wait", "stopped", "waiting for a disk in ..." and the like,
 * or "gone". The wait channel is told where the kernel tells it.
 */
void thread_state_describe(pid_t pid, pid_t tid, char *buffer, size_t size);

#endif
