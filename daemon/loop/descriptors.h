/* SPDX-License-Identifier: MIT */
/*
 * How many descriptors this process may have, and who may still take some when few are left.
 *
 * reeved raises its soft limit to the hard one; what it starts gets the one back that reeved was
 * started with. Of what is left some are kept: a third for public clients, a third for the control
 * socket, and a third for what is opened for a moment (a reload, an upgrade, last runs, processes
 * that are looked at). So no number of modules or clients takes what is needed to get rid of them.
 */
#ifndef REEVE_LOOP_DESCRIPTORS_H
#define REEVE_LOOP_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The descriptors that the start of a host takes at most, and a host that runs. */
#define DESCRIPTORS_START 6
#define DESCRIPTORS_HOST  4

/* Raises the soft limit to the hard one, as far as that is allowed. */
void descriptors_raise(void);

/* Gives a process, or this one (pid 0), the soft limit that this one had before it was raised.
 * Returns 0 or a negative errno. */
int descriptors_restore(pid_t pid);

/* For this process before another program takes its place: that raises it again, and so knows what
 * it was. Where this program's descriptors leave it no number below that to load its libraries
 * with, it stays raised, and counts as the first one. */
void descriptors_restore_for_exec(void);

/* How many are kept; less where there are few at all. */
unsigned descriptors_reserve(void);
/* Those of them that are for one purpose. */
unsigned descriptors_share(void);
/* The share for descriptors that are open for a moment: enough for one process that checks. */
unsigned descriptors_momentary(void);

/* How many can still be opened; what is above enough is not counted. */
unsigned descriptors_left(unsigned enough);

/* "of 64 descriptors 44 are in use, ...", and what to do about it. */
void descriptors_describe(char *text, size_t size);
/* Says so in the log, with what becomes of it, at most once a minute. */
void descriptors_tell(const char *consequence);

#endif
