/* SPDX-License-Identifier: MIT */
/* The host's session: what modules start lives in it, unless it goes out of its way to leave. */
#ifndef REEVE_HOST_CONTROL_SESSION_H
#define REEVE_HOST_CONTROL_SESSION_H

/* At the start, before a sandbox in which /proc cannot be read, and before modules: keeps what
 * session_kill_others() needs, and notes what the supervisor has marked us with. */
void session_prepare(void);

/*
 * Sends SIGKILL to every other process of this process's session, and to those that have left it
 * with our mark. For the end of a host whose supervisor is gone: otherwise the supervisor, as a
 * subreaper, kills what a host leaves behind.
 */
void session_kill_others(void);

#endif
