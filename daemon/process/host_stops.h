/* SPDX-License-Identifier: MIT */
/*
 * Hosts that somebody stops (SIGSTOP, or a terminal's). Such a host is silent and has nothing due
 * perhaps for hours, so the kernel is asked to tell: it is unhealthy at once, and killed when it
 * has not been continued within its grace. A debugger's stops are not told, and harm nobody.
 */
#ifndef REEVE_DAEMON_PROCESS_HOST_STOPS_H
#define REEVE_DAEMON_PROCESS_HOST_STOPS_H

struct host_stops;
struct loop;

/* changed is called when a host was stopped or continued. One of these for a process. Returns 0 or
 * a negative errno. */
int host_stops_create(struct loop *loop, void (*changed)(void *arg), void *arg,
                      struct host_stops **ret_stops);
/* After hosts were taken over from the program before, some of them stopped perhaps; or have
 * another grace. */
void host_stops_resume(struct host_stops *stops);
void host_stops_destroy(struct host_stops *stops);

#endif
