/* SPDX-License-Identifier: MIT */
/* What systemd is told: sd_notify(3). Without systemd all of it does nothing. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/edge/edge_internal.h"
#include "daemon/loop/loop.h"

struct systemd {
    struct edge *edge;
    struct loop_timer *watchdog; /* NULL: systemd does not ask for it */
    int64_t watchdog_interval;
    bool started;
    char status[256]; /* what it was told last */
};

static void notify(const char *format, ...) printf_like(1, 2);
static void notify(const char *format, ...)
{
    char state[512];
    va_list args;
    int r;

    va_start(args, format);
    vsnprintf(state, sizeof(state), format, args);
    va_end(args);
    r = sd_notify(0, state);
    if (r < 0)
        log_warning("cannot notify systemd: %s", strerror(-r));
}

/* The ping comes from the loop, as the answers to probes do: a loop that does not turn is not well,
 * however busy or idle modules are. */
static void ping(void *arg)
{
    struct systemd *systemd = arg;

    notify("WATCHDOG=1");
    loop_timer_arm(systemd->watchdog, systemd->watchdog_interval);
}

static void describe(struct systemd *systemd, char *status, size_t size)
{
    const struct snapshot *snapshot = edge_snapshot(systemd->edge);
    const char *worst = NULL, *output = "";

    if (!snapshot) {
        string_copy(status, size, "out of memory");
        return;
    }
    for (size_t i = 0; i < snapshot->module_count && !worst; i++)
        if (snapshot->modules[i].health == HEALTH_FAIL) {
            worst = snapshot->modules[i].name;
            output = snapshot->modules[i].output;
        }
    if (snapshot->cause.text[0] != '\0')
        snprintf(status, size, "%s: %s", phase_name(snapshot->phase), snapshot->cause.text);
    else
        snprintf(status, size, "%s: %zu of %zu modules ready%s%s%s%.120s",
                 phase_name(snapshot->phase), snapshot->modules_ready, snapshot->module_count,
                 worst ? "; " : "", worst ? worst : "", worst ? " " : "", output);
}

static void update_status(struct systemd *systemd)
{
    char status[sizeof(systemd->status)];

    describe(systemd, status, sizeof(status));
    if (strcmp(status, systemd->status) == 0)
        return;
    string_copy(systemd->status, sizeof(systemd->status), status);
    notify("STATUS=%s", status);
}

void systemd_observe(struct systemd *systemd, enum supervisor_event event)
{
    switch (event) {
    case SUPERVISOR_STARTED:
        systemd->started = true;
        notify("READY=1");
        break;
    case SUPERVISOR_RELOADING:
        notify("RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic() / NSEC_PER_USEC);
        break;
    case SUPERVISOR_RELOADED:
        /* Always, or systemd would wait for ever; but never before the first one. */
        if (systemd->started)
            notify("READY=1");
        break;
    case SUPERVISOR_DRAINING:
        notify("STOPPING=1");
        break;
    case SUPERVISOR_STOPPED:
    case SUPERVISOR_CHANGED:
        break;
    }
    update_status(systemd);
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

    if (!systemd)
        return -ENOMEM;
    systemd->edge = edge;
    systemd->started = successor;
    if (sd_watchdog_enabled(0, &usec) > 0) {
        systemd->watchdog_interval = (int64_t)usec * NSEC_PER_USEC / 2;
        if (loop_timer_create(edge->loop, ping, systemd, &systemd->watchdog) < 0) {
            free(systemd);
            return -ENOMEM;
        }
        loop_timer_arm(systemd->watchdog, 0);
    }
    *ret_systemd = systemd;
    return 0;
}

void systemd_destroy(struct systemd *systemd)
{
    if (!systemd)
        return;
    loop_timer_destroy(systemd->watchdog);
    free(systemd);
}
