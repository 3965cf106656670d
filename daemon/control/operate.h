/* SPDX-License-Identifier: MIT */
/*
 * Operations of people on single modules: start, stop, restart. Modules that require one go down
 * before it and, in a restart, come up after it; a start brings up what the module requires.
 *
 * Operations set goals (goal.h), and wait for an awaited. A module that a person stopped stays down
 * until a person starts it: no reload and no restart of another module does.
 */
#ifndef REEVE_DAEMON_CONTROL_OPERATE_H
#define REEVE_DAEMON_CONTROL_OPERATE_H

#include "base/list.h"

struct cause;
struct units;
struct unit;

enum operation { OPERATE_START, OPERATE_STOP, OPERATE_RESTART };

/*
 * Called once, when the module and those that go along have arrived, or cannot: code 0, or a
 * negative errno with a text: -EIO (one of them failed, rests in backoff, or waits for what does
 * not come; or the module runs, but for a task that an error has stopped), -ECANCELED (another
 * operation or a reload overtook it, the module was removed, or reeved stops), -ETIMEDOUT (it is on
 * its way still, after all its timeouts). text lives until the call returns.
 */
typedef void (*operate_fn)(int code, const char *text, void *arg);

struct operations {
    struct list list;
    struct units *units;
};

void operations_init(struct operations *operations, struct units *units);
/* Everybody who still waits is told that reeved stops. */
void operations_finish(struct operations *operations);

/*
 * Begins. done may be NULL for who does not wait. Returns 0, -EBUSY while reeved stops or has not
 * started yet, or -ENOMEM; done is then not called.
 */
int operate(struct operations *operations, struct unit *unit, enum operation operation,
            const struct cause *cause, operate_fn done, void *arg);

/* Called in each settling, when all steps have been taken: tells who waits. */
void operate_reconcile(struct operations *operations);

#endif
