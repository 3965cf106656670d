/* SPDX-License-Identifier: MIT */
/*
 * Children that reeved had before it was reeved: of a shell that has executed it, say. They are in
 * the session that reeved began in, or in one that they have made before; no host ever is.
 */
#ifndef REEVE_DAEMON_PROCESS_INHERITED_CHILDREN_H
#define REEVE_DAEMON_PROCESS_INHERITED_CHILDREN_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* Without memory it is not noted. */
void inherited_add(pid_t pid);
/* It was reaped: its pid may be another's. Others of its session are still known. */
void inherited_remove(pid_t pid);

/* Whether there ever was one. */
bool inherited_any(void);
/* Whether the process is one, or shares its session with one, or with reeved itself. */
bool inherited_has(pid_t pid, pid_t session);
/* Whether that is the mark of a reeved in whose host this one runs. */
bool inherited_has_mark(const char *mark);

/* For a live upgrade: a value with all of it, or NULL without memory; and takes that in, NULL
 * included. */
json_t *inherited_save(void);
void inherited_load(const json_t *state);

#endif
