/* SPDX-License-Identifier: MIT */
/*
 * After an upgrade to another wire version: the hosts that speak the old one are replaced, one by
 * one.
 *
 * Such a host goes on with its work, but cannot be talked with; all that it understands is STOP and
 * EXIT, and that it has stopped shows only in its end. So whenever one module of it is stopped, for
 * whatever reason, all are, and it ends; and those that are wanted start again, in a new host.
 */
#ifndef REEVE_DAEMON_CONTROL_ROLLING_REPLACEMENT_H
#define REEVE_DAEMON_CONTROL_ROLLING_REPLACEMENT_H

struct units;

/* Called in each settling: replaces the next one when nothing else moves. */
void rolling_replacement_reconcile(struct units *units);

/* After a restore: whether there are any to replace. */
void rolling_replacement_begin(struct units *units);

#endif
