/* SPDX-License-Identifier: MIT */
/*
 * The plan of a reload, without doing it: the configuration is read, the modules that a reload
 * would ask are asked about their options, and the result is compared with what is in force. A full
 * check asks every module instead, and finds what a start would.
 */
#ifndef REEVE_DAEMON_CONTROL_PLAN_H
#define REEVE_DAEMON_CONTROL_PLAN_H

#include <stdbool.h>

#include "base/list.h"
#include "daemon/control/reload_changes.h"

struct units;

struct plan_result {
    const struct strings *errors;   /* none: a reload would be applied */
    const struct strings *warnings; /* what it would warn of; a full check has these as errors */
    const struct reload_change *changes;
    size_t change_count;
    bool fixed; /* something of [daemon] has changed that only a restart of reeved applies */
};

/* The result lives until the call returns. */
typedef void (*plan_fn)(const struct plan_result *result, void *arg);

struct plan_asker {
    bool full;
    bool (*waits)(void *arg); /* whether the asker is still there; else its turn is passed over */
    plan_fn done;
    void *arg;
};

struct plans {
    struct list list;
    struct units *units;
};

void plans_init(struct plans *plans, struct units *units);
/* Everybody who waits is told that reeved stops. */
void plans_finish(struct plans *plans);

/* Calls done once, in a later turn of the loop. Any number may be asked for, beside a reload too;
 * one is under way. Returns 0 or -ENOMEM; done is then not called. */
int plan_start(struct plans *plans, const struct plan_asker *asker);

#endif
