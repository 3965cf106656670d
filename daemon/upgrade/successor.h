/* SPDX-License-Identifier: MIT */
/* The program that is to follow this one in its process: which it is, and whether it can. */
#ifndef REEVE_DAEMON_UPGRADE_SUCCESSOR_H
#define REEVE_DAEMON_UPGRADE_SUCCESSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "daemon/upgrade/handover.h"

struct loop;
struct successor;

/* Whether the file may be executed in our place: a program, of root or ourselves, that nobody else
 * can write to. Returns 0, with what the file is in ret_status, or a negative errno with a sentence
 * in ret_why. */
int successor_is_trusted(const char *path, struct stat *ret_status, char *ret_why, size_t size);
/* Whether the file still is the one that was asked about. */
bool successor_is_same(const char *path, const struct stat *status);

/* answer is NULL when it cannot take the state over; why says why. */
typedef void (*successor_fn)(const struct handover_answer *answer, const char *why, void *arg);

/* Runs `path --check-state` on the state, for at most 10 s. done is called once, in a later turn;
 * the state is read through a descriptor of its own. Returns 0 or a negative errno. */
int successor_check(struct loop *loop, const char *path, int state, successor_fn done, void *arg,
                    struct successor **ret_successor);
/* Ends one that is under way, without a call. NULL does nothing. */
void successor_cancel(struct successor *successor);

#endif
