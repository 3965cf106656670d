/* SPDX-License-Identifier: MIT */
/* Says in the log who was refused at the control socket, within bounds. */
#ifndef REEVE_DAEMON_EDGE_CONTROL_REFUSALS_H
#define REEVE_DAEMON_EDGE_CONTROL_REFUSALS_H

#include <sys/types.h>

struct loop;
struct refusals;

int refusals_create(struct loop *loop, struct refusals **ret_refusals);
void refusals_destroy(struct refusals *refusals);
/* what: "may not look", one string for each kind. */
void refusals_note(struct refusals *refusals, uid_t uid, pid_t pid, const char *what);

#endif
