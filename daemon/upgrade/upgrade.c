/* SPDX-License-Identifier: MIT */
#include "daemon/upgrade/upgrade.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/shown.h"
#include "daemon/control/supervisor.h"
#include "daemon/control/supervisor_serialize.h"
#include "daemon/loop/descriptors.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host_serialize.h"
#include "daemon/upgrade/handover.h"
#include "daemon/upgrade/successor.h"
#include "wire/message.h"

/* How long it may take until nothing moves, and then until no request is in the way. */
#define PATIENCE (60 * NSEC_PER_SEC)
#define LOOK     (20 * NSEC_PER_MSEC)

/* How long the log's reader is waited for, while nothing else moves. */
#define LOG_PATIENCE (100 * NSEC_PER_MSEC)

/* An upgrade that waits longer than usual says for what. */
#define TELL_AFTER NSEC_PER_SEC

/* And all of it, however often a program must be asked again because it has been replaced
 * meanwhile. */
#define PATIENCE_MAX (3 * PATIENCE)

/* Peers that are slow to send their request, or to take their answer, must not keep all others
 * waiting for long: then things go on for a while, and it is tried again. */
#define HOLD_MAX   (200 * NSEC_PER_MSEC)
#define HOLD_LOOK  (2 * NSEC_PER_MSEC)
#define HOLD_PAUSE (300 * NSEC_PER_MSEC)

enum stage { IDLE, WAITING, CHECKING, PAUSING, HOLDING, TELLING };

struct waiter {
    struct list list;
    edge_upgrade_fn done;
    void *arg;
};

struct upgrade {
    struct upgrade_options options;
    const char *program;
    enum stage stage;
    struct loop_timer *timer;
    struct successor *successor;
    struct handover_answer answer; /* of the new program */
    struct stat checked;           /* the program that gave it, */
    uint64_t checked_reloads;      /* and how many reloads there had been */
    int64_t deadline;
    int64_t last_deadline;
    bool told; /* what it waits for */
    int64_t held_since;
    struct list waiters;
};

/* Whether hosts speak with the new program as they do with this one. */
static bool same_wire(const struct upgrade *upgrade)
{
    return upgrade->answer.wire == wire_version && upgrade->answer.scoreboard == scoreboard_version;
}

/* Whether nothing is on its way that the new program could not take over; else what is. */
static bool is_settled(const struct upgrade *upgrade, char *ret_what, size_t size)
{
    if (!supervisor_is_settled(upgrade->options.supervisor, ret_what, size))
        return false;
    if (upgrade->stage <= CHECKING || same_wire(upgrade) ||
        !edge_has_waiting(upgrade->options.edge))
        return true;
    snprintf(ret_what, size, "somebody waits for a run or a job, whose host is to be replaced");
    return false;
}

/* Whether what was checked is what would be executed, with what it would read. Anything may have
 * happened since, while a slow peer was waited for: another package, another configuration. */
static bool is_as_checked(const struct upgrade *upgrade)
{
    return upgrade->checked_reloads == supervisor_reloads(upgrade->options.supervisor) &&
           successor_is_same(upgrade->program, &upgrade->checked);
}

static void tell(struct upgrade *upgrade, int code, const char *text)
{
    struct edge_upgrade result = {.version = upgrade->answer.version};
    struct waiter *waiter, *next;

    if (code == 0) {
        unsigned hosts = supervisor_living_hosts(upgrade->options.supervisor);

        result.generation = supervisor_upgrades(upgrade->options.supervisor) + 2;
        result.kept = same_wire(upgrade) ? hosts : 0;
        result.replaced = hosts - result.kept;
    }
    LIST_FOREACH_SAFE (waiter, next, &upgrade->waiters, list) {
        list_remove(&waiter->list);
        waiter->done(code, text, &result, waiter->arg);
        free(waiter);
    }
}

static void fail(struct upgrade *upgrade, int code, const char *format, ...) printf_like(3, 4);
static void fail(struct upgrade *upgrade, int code, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    text_clean(text, sizeof(text));
    log_error("not upgraded: %s", text);
    edge_upgrade_tell(upgrade->options.edge, false, text);
    if (upgrade->stage >= HOLDING)
        edge_release(upgrade->options.edge);
    upgrade->stage = IDLE;
    supervisor_set_quiet(upgrade->options.supervisor, false);
    loop_timer_disarm(upgrade->timer);
    tell(upgrade, code, text);
}

/* The exec ---------------------------------------------------------------- */

static void keep_descriptors(struct upgrade *upgrade, int state, bool keep)
{
    edge_keep_descriptors(upgrade->options.edge, keep);
    hosts_keep_descriptors(keep);
    (void)fd_set_cloexec(state, !keep);
    if (upgrade->options.lock >= 0)
        (void)fd_set_cloexec(upgrade->options.lock, !keep);
}

/* Returns only when it failed. */
static void execute(struct upgrade *upgrade)
{
    cleanup_close int state = -1;
    char number[16];
    char *argv[] = {(char *)(uintptr_t)upgrade->program,
                    (char *)"-c",
                    (char *)(uintptr_t)upgrade->options.config_path,
                    (char *)"--resume",
                    number,
                    NULL};
    int error;

    log_notice("executing %s, version %s, in place of version %s", upgrade->program,
               upgrade->answer.version, REEVE_VERSION);
    /* A request that still waits then is handed on. */
    log_finish(LOG_PATIENCE);
    state = handover_write(upgrade->options.supervisor, upgrade->options.edge,
                           upgrade->answer.scoreboard, upgrade->options.lock);
    if (state < 0) {
        fail(upgrade, state, "the state could not be written: %s", strerror(-state));
        return;
    }
    snprintf(number, sizeof(number), "%d", state);
    keep_descriptors(upgrade, state, true);
    descriptors_restore_for_exec();
    execv(upgrade->program, argv);
    error = errno;
    descriptors_raise();
    keep_descriptors(upgrade, state, false);
    fail(upgrade, -error, "cannot execute %s: %s", upgrade->program, strerror(error));
}

/* Holding ----------------------------------------------------------------- */

static void hold(struct upgrade *upgrade, enum stage stage)
{
    upgrade->stage = stage;
    upgrade->held_since = clock_monotonic();
    loop_timer_arm(upgrade->timer, HOLD_LOOK);
}

/* Requests are answered and connections idle, or it takes too long. */
static void look_while_holding(struct upgrade *upgrade)
{
    bool quiet = edge_is_quiet(upgrade->options.edge);
    int64_t now = clock_monotonic();
    bool late = now - upgrade->held_since > HOLD_MAX;
    char what[256];

    /* Somebody may have begun something, or stop us. */
    if (!is_settled(upgrade, what, sizeof(what)) || !is_as_checked(upgrade)) {
        edge_release(upgrade->options.edge);
        upgrade->stage = PAUSING;
        loop_timer_arm(upgrade->timer, HOLD_PAUSE);
    } else if (quiet && upgrade->stage == HOLDING) {
        /* It is as good as done; whoever asked is told while there is somebody to tell it. */
        tell(upgrade, 0, "");
        hold(upgrade, TELLING);
    } else if (upgrade->stage == TELLING && (quiet || late)) {
        execute(upgrade);
    } else if (!late) {
        loop_timer_arm(upgrade->timer, HOLD_LOOK);
    } else if (now < upgrade->deadline) {
        edge_release(upgrade->options.edge);
        upgrade->stage = PAUSING;
        loop_timer_arm(upgrade->timer, HOLD_PAUSE);
    } else {
        fail(upgrade, -EBUSY, "requests were under way for a minute without a break; try again");
    }
}

/* Before it --------------------------------------------------------------- */

static void checked(const struct handover_answer *answer, const char *why, void *arg)
{
    struct upgrade *upgrade = arg;

    upgrade->successor = NULL;
    if (!answer) {
        fail(upgrade, -EBADMSG, "%s cannot take over: %s", upgrade->program, why);
        return;
    }
    upgrade->answer = *answer;
    upgrade->deadline = MIN(clock_monotonic() + PATIENCE, upgrade->last_deadline);
    upgrade->stage = PAUSING;
    loop_timer_arm(upgrade->timer, 0);
}

static void check(struct upgrade *upgrade)
{
    cleanup_close int state = -1;
    char why[PATH_MAX + 200];
    int r = successor_is_trusted(upgrade->program, &upgrade->checked, why, sizeof(why));

    if (r < 0) {
        fail(upgrade, r, "%s", why);
        return;
    }
    upgrade->checked_reloads = supervisor_reloads(upgrade->options.supervisor);
    r = state = handover_write(upgrade->options.supervisor, upgrade->options.edge,
                               scoreboard_version, upgrade->options.lock);
    if (r >= 0)
        r = successor_check(upgrade->options.loop, upgrade->program, state, checked, upgrade,
                            &upgrade->successor);
    if (r < 0)
        fail(upgrade, r, "the new program could not be asked: %s", strerror(-r));
    else
        upgrade->stage = CHECKING;
}

/* Told once an upgrade, as many modules may be on their way one after the other. */
static void tell_waiting(struct upgrade *upgrade, const char *what)
{
    if (upgrade->told || upgrade->deadline - clock_monotonic() > PATIENCE - TELL_AFTER)
        return;
    upgrade->told = true;
    log_notice("the upgrade waits: %s", what);
}

static void look(void *arg)
{
    struct upgrade *upgrade = arg;
    char what[256];

    if (upgrade->stage >= HOLDING) {
        look_while_holding(upgrade);
    } else if (is_settled(upgrade, what, sizeof(what))) {
        if (upgrade->stage != WAITING && is_as_checked(upgrade)) {
            edge_hold(upgrade->options.edge);
            hold(upgrade, HOLDING);
        } else if (clock_monotonic() < upgrade->last_deadline) {
            check(upgrade);
        } else {
            fail(upgrade, -EBUSY, "%s was replaced again and again; try again", upgrade->program);
        }
    } else if (supervisor_phase(upgrade->options.supervisor) > PHASE_RUNNING ||
               clock_monotonic() > upgrade->deadline) {
        fail(upgrade, -EBUSY, "%s; try again when nothing moves", what);
    } else {
        tell_waiting(upgrade, what);
        loop_timer_arm(upgrade->timer, LOOK);
    }
}

void upgrade_begin(struct upgrade *upgrade, edge_upgrade_fn done, void *arg)
{
    struct waiter *waiter = done ? calloc(1, sizeof(*waiter)) : NULL;

    if (done && !waiter) {
        done(-ENOMEM, "out of memory", NULL, arg);
        return;
    }
    if (waiter) {
        *waiter = (struct waiter){.done = done, .arg = arg};
        list_append(&upgrade->waiters, &waiter->list);
    }
    if (upgrade->stage != IDLE)
        return;
    log_notice("upgrading to %s", upgrade->program);
    edge_upgrade_tell(upgrade->options.edge, true, "");
    upgrade->stage = WAITING;
    supervisor_set_quiet(upgrade->options.supervisor, true);
    upgrade->told = false;
    upgrade->deadline = clock_monotonic() + PATIENCE;
    upgrade->last_deadline = clock_monotonic() + PATIENCE_MAX;
    loop_timer_arm(upgrade->timer, 0);
}

int upgrade_create(const struct upgrade_options *options, struct upgrade **ret_upgrade)
{
    struct upgrade *upgrade = calloc(1, sizeof(*upgrade));
    int r;

    if (!upgrade)
        return -ENOMEM;
    upgrade->options = *options;
    list_init(&upgrade->waiters);
    upgrade->program = options->program;
    r = loop_timer_create(options->loop, look, upgrade, &upgrade->timer);
    if (r < 0) {
        free(upgrade);
        return r;
    }
    *ret_upgrade = upgrade;
    return 0;
}

void upgrade_destroy(struct upgrade *upgrade)
{
    if (!upgrade)
        return;
    tell(upgrade, -ECANCELED, "not upgraded: reeved stops");
    successor_cancel(upgrade->successor);
    loop_timer_destroy(upgrade->timer);
    free(upgrade);
}
