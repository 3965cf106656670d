/* SPDX-License-Identifier: MIT */
/*
 * Processes that nobody waits for. The supervisor is a subreaper: what a host's process starts and
 * does not wait for becomes the supervisor's child, by the death of its parent. Such an orphan is
 * reaped when it ends; and it lives as long as the host that it belongs to, and no longer.
 *
 * Whose it is, tells its session, which is that of its host unless it began one of its own; else
 * the mark in its environment that each host's process has (spawn.h). One that has neither belongs
 * to nobody, and lives until reeved ends.
 *
 * A shell that starts something and then executes reeved leaves it a child that is no host's. That
 * is left alone, as is what it starts (inherited_children.h), and only reaped.
 */
#ifndef REEVE_DAEMON_PROCESS_ORPHAN_H
#define REEVE_DAEMON_PROCESS_ORPHAN_H

#include <stdbool.h>
#include <sys/types.h>

struct loop;

/* Everything is to end at once: what has been killed is not waited for any more, from now on, and
 * orphan_stop() alone says what is left. */
void orphan_hurry(void);

/* Makes this process a subreaper. The children that it has belong to nobody; a successor is told
 * which those are (inherited_load()). Returns 0 or a negative errno. */
int orphan_start(struct loop *loop, bool successor);
/* At the end: kills and reaps what hosts have left behind, and what that leaves in turn. A process
 * that does not end is named in the log. Blocks for 5 s at most. */
void orphan_stop(void);

/* After SIGCHLD: reaps what has ended. */
void orphan_reap(void);

/* A child is being made that has this mark, and whose pid is not known yet: it is not taken for an
 * orphan, and of all others only those that have been killed are reaped until that is over, which
 * NULL tells. The string stays until then. */
void orphan_hold(const char *mark);

/* How what a host's process has left behind is known. */
struct orphan_host {
    pid_t pid;
    uid_t uid;         /* as which it ran; PROCESS_NO_UID: not known */
    const char *mark;  /* WIRE_MARK and its value */
    const char *label; /* stands before log lines about it */
};

/*
 * The process of a host has ended: what belongs to it is killed, in a later turn of the loop. gone
 * (may be NULL) is called once when nothing of it is left; or after 5 s, when what lives on has
 * been named in the log, unless it was killed a moment ago; or at once without memory for it.
 */
void orphan_host_ended(const struct orphan_host *host, void (*gone)(void *arg), void *arg);
/* gone is not called any more with this argument. */
void orphan_forget(const void *arg);

/* Looks for orphans whose host has ended, in a later turn of the loop. */
void orphan_look(void);

/* Reaps a child that has been sent SIGKILL and that nobody else watches. */
void orphan_adopt(pid_t pid);

#endif
