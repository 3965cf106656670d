/* SPDX-License-Identifier: MIT */
/*
 * Tells systemd what happens, as by sd_notify(3). Without systemd all of it does nothing.
 *
 * TimeoutStartSec= and TimeoutStopSec= of the unit are not for what moves. While the daemon starts,
 * each module that becomes ready has systemd wait (EXTEND_TIMEOUT_USEC) for as long as the next may
 * take to start: the longest start-timeout of those that are not ready. While it stops, each sign
 * of progress has it wait for as long as work may go on without another one: the longest
 * drain-stall (or drain, if that is shorter) and grace of the modules that are left. Signs of
 * progress are a module that has stopped, and, of one that is stopping, a run or job that ended or
 * called rv_progress(): the same that drain-stall counts. Where nothing moves, nothing is asked
 * for, and systemd's own timeout holds. Time that is bounded by the configuration, or by us, is
 * asked for at once: drain-delay, and the end of requests under way. A stop that moves for ever is
 * ended by shutdown-timeout.
 */
#include "daemon/edge/systemd/systemd.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/control/supervisor.h"
#include "daemon/edge/documents.h"
#include "daemon/edge/systemd/notify.h"
#include "daemon/edge/systemd/status_line.h"
#include "daemon/loop/loop.h"

/* How often it is looked whether work moves: nobody tells. */
#define LOOK_INTERVAL (500 * NSEC_PER_MSEC)

/* Looking at all modules takes the longer the more there are, and with as many of them something
 * changes all the time: after a look the next one waits for so many times what it took. */
#define LOOK_SHARE 50

/* Beside what is asked for: for messages on their way, on a busy machine. */
#define EXTENSION_SLACK (5 * NSEC_PER_SEC)

struct systemd {
    struct edge *edge;
    struct notify *notify;
    struct loop_timer *watchdog; /* NULL: systemd does not ask for it */
    int64_t watchdog_interval;
    struct loop_timer *look;  /* runs while the daemon stops; NULL: there is no systemd */
    struct loop_timer *later; /* a change that was not looked at; NULL: there is no systemd */
    int64_t rested_at;        /* from then on a change is looked at when it comes */
    bool started;
    int64_t moved;    /* the newest sign of progress that it was told of */
    char status[512]; /* what it was told last */
};

void systemd_tell_failure(const char *text)
{
    char line[512], words[480];

    string_copy(words, sizeof(words), text);
    text_sanitise(words);
    snprintf(line, sizeof(line), "not started: %s", words);
    notify_last_words(line);
}

static void update_status(struct systemd *systemd)
{
    const struct snapshot *snapshot =
        notify_is_used(systemd->notify) ? documents_snapshot(&systemd->edge->documents) : NULL;
    char status[sizeof(systemd->status)];

    if (!snapshot)
        return;
    status_line(snapshot, status, sizeof(status));
    if (strcmp(status, systemd->status) == 0)
        return;
    string_copy(systemd->status, sizeof(systemd->status), status);
    notify_status(systemd->notify, status);
}

/* The ping comes from the loop, as the answers to probes do: a loop that does not turn is not well,
 * however busy or idle modules are. The error of a task changes without an event, so the
 * status is looked at again with each. */
static void ping(void *arg)
{
    struct systemd *systemd = arg;

    notify_ping(systemd->notify);
    if (systemd->edge->supervisor)
        update_status(systemd);
    loop_timer_arm(systemd->watchdog, systemd->watchdog_interval);
}

/* Progress ---------------------------------------------------------------- */

static void extend(struct systemd *systemd, int64_t time)
{
    notify_extend(systemd->notify, time + EXTENSION_SLACK);
}

static bool is_down(const struct snapshot_module *module)
{
    return module->state == UNIT_STOPPED || module->state == UNIT_FAILED;
}

static int64_t last_move(const struct snapshot *snapshot)
{
    int64_t moved = 0;

    for (size_t i = 0; i < snapshot->module_count; i++) {
        const struct snapshot_module *module = &snapshot->modules[i];

        /* One that fails again and again while others start makes no progress. */
        if (snapshot->phase >= PHASE_STOPPING ? is_down(module) : module->ready)
            moved = MAX(moved, module->state_since);
        /* Those that wait for their turn still run as ever. */
        if (snapshot->phase >= PHASE_STOPPING && module->state == UNIT_STOPPING)
            moved = MAX(moved, module->moved_at);
    }
    return moved;
}

/* How long it may take until there is the next sign of progress, or the end. */
static int64_t patience(const struct snapshot *snapshot)
{
    int64_t longest = 0;

    for (size_t i = 0; i < snapshot->module_count; i++) {
        const struct snapshot_module *module = &snapshot->modules[i];

        if (snapshot->phase >= PHASE_STOPPING && !is_down(module))
            longest = MAX(longest, module->stop_patience);
        else if (snapshot->phase < PHASE_STOPPING && !module->ready && !module->leaving)
            longest = MAX(longest, module->start_patience);
    }
    return longest;
}

static bool is_on_the_move(enum phase phase)
{
    return phase == PHASE_STARTING || phase == PHASE_STOPPING;
}

static void look_for_progress(struct systemd *systemd)
{
    const struct snapshot *snapshot;
    int64_t moved;

    /* A snapshot costs as much as there are modules: none for nobody. */
    if (!systemd->look || !is_on_the_move(supervisor_phase(systemd->edge->supervisor)))
        return;
    snapshot = documents_snapshot(&systemd->edge->documents);
    if (!snapshot)
        return;
    moved = last_move(snapshot);
    if (moved <= systemd->moved)
        return;
    systemd->moved = moved;
    extend(systemd, patience(snapshot));
}

/* Tells what a look at the present state gives. */
static void look_now(struct systemd *systemd)
{
    int64_t begun = clock_monotonic();

    look_for_progress(systemd);
    update_status(systemd);
    systemd->rested_at = clock_monotonic() + LOOK_SHARE * (clock_monotonic() - begun);
    loop_timer_disarm(systemd->later);
}

static void look_later(void *arg)
{
    look_now(arg);
}

/* Something changes all the time while many modules start or stop. */
static void note_change(struct systemd *systemd)
{
    int64_t wait = systemd->rested_at - clock_monotonic();

    if (!systemd->look)
        return;
    if (wait <= 0)
        look_now(systemd);
    else if (loop_timer_due(systemd->later) == 0)
        loop_timer_arm(systemd->later, wait);
}

static void look(void *arg)
{
    struct systemd *systemd = arg;

    look_now(systemd);
    loop_timer_arm(systemd->look, LOOK_INTERVAL);
}

static void begin_stop(struct systemd *systemd)
{
    const struct config *config = supervisor_config(systemd->edge->supervisor);

    notify_stopping(systemd->notify);
    if (!systemd->look)
        return;
    /* To be told to stop is no progress yet. */
    systemd->moved = clock_monotonic();
    if (config->drain_delay > 0)
        extend(systemd, config->drain_delay);
    loop_timer_arm(systemd->look, LOOK_INTERVAL);
}

void systemd_observe(struct systemd *systemd, enum supervisor_event event)
{
    switch (event) {
    case SUPERVISOR_STARTED:
        systemd->started = true;
        notify_ready(systemd->notify);
        break;
    case SUPERVISOR_RELOADING:
        /* Before the first READY there is nothing that could be reloaded, for systemd. */
        if (systemd->started)
            notify_reloading(systemd->notify, clock_monotonic());
        break;
    case SUPERVISOR_RELOADED:
        /* Always, or systemd would wait for ever; but never before the first one. */
        if (systemd->started && supervisor_phase(systemd->edge->supervisor) < PHASE_DRAINING)
            notify_ready(systemd->notify);
        break;
    case SUPERVISOR_DRAINING:
        begin_stop(systemd);
        break;
    case SUPERVISOR_STOPPED:
        extend(systemd, EDGE_DRAIN_TIMEOUT);
        break;
    case SUPERVISOR_CHANGED:
        note_change(systemd);
        return;
    }
    if (systemd->look)
        look_now(systemd);
}

json_t *systemd_unit_json(void)
{
    char *unit = NULL;
    json_t *json = sd_pid_get_unit(0, &unit) < 0 ? json_null() : json_string(unit);

    free(unit);
    return json;
}

int systemd_create(struct edge *edge, bool successor, struct systemd **ret_systemd)
{
    struct systemd *systemd = calloc(1, sizeof(*systemd));
    uint64_t usec = 0;
    int r = 0;

    if (!systemd)
        return -ENOMEM;
    systemd->edge = edge;
    systemd->started = successor;
    r = notify_create(edge->loop, &systemd->notify);
    if (r == 0 && notify_is_used(systemd->notify))
        r = loop_timer_create(edge->loop, look, systemd, &systemd->look);
    if (r == 0 && notify_is_used(systemd->notify))
        r = loop_timer_create(edge->loop, look_later, systemd, &systemd->later);
    if (r == 0 && sd_watchdog_enabled(0, &usec) > 0) {
        systemd->watchdog_interval = (int64_t)usec * NSEC_PER_USEC / 2;
        r = loop_timer_create(edge->loop, ping, systemd, &systemd->watchdog);
        if (r == 0)
            loop_timer_arm(systemd->watchdog, 0);
    }
    if (r < 0) {
        systemd_destroy(systemd);
        return r;
    }
    *ret_systemd = systemd;
    return 0;
}

json_t *systemd_save(const struct systemd *systemd)
{
    return notify_save(systemd->notify);
}

void systemd_resume(struct systemd *systemd, const json_t *state)
{
    notify_resume(systemd->notify, state);
}

void systemd_destroy(struct systemd *systemd)
{
    if (!systemd)
        return;
    loop_timer_destroy(systemd->watchdog);
    loop_timer_destroy(systemd->look);
    loop_timer_destroy(systemd->later);
    notify_destroy(systemd->notify);
    free(systemd);
}
