/* SPDX-License-Identifier: MIT */
/*
 * reeved: arguments, wiring, exit code.
 *
 * Everything that can be wrong is found before the first module starts: the configuration, the
 * addresses, the directories. Then signals: SIGTERM and SIGINT stop, and a second one ends at once;
 * SIGHUP reloads; SIGUSR2 replaces the program while everything goes on.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dispositions.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_write.h"
#include "base/signal_name.h"
#include "base/text.h"
#include "daemon/control/supervisor.h"
#include "daemon/control/supervisor_serialize.h"
#include "daemon/edge/edge.h"
#include "daemon/last_write.h"
#include "daemon/loop/descriptors.h"
#include "daemon/loop/loop.h"
#include "daemon/process/identity.h"
#include "daemon/start/arguments.h"
#include "daemon/start/options_check.h"
#include "daemon/start/places.h"
#include "daemon/start/priority.h"
#include "daemon/upgrade/handover.h"
#include "daemon/upgrade/log_serialize.h"
#include "daemon/upgrade/upgrade.h"
#include "settings/config.h"
#include "settings/credentials.h"
#include "settings/errors.h"

/* How soon lines that wait are tried again, and how long the end waits for them. */
#define LOG_RETRY    (50 * NSEC_PER_MSEC)
#define LOG_PATIENCE NSEC_PER_SEC

struct daemon {
    struct loop *loop;
    struct upgrade *upgrade;
    struct loop_signals *signals;
    struct edge *edge;
    struct supervisor *supervisor;
    struct last_write *last_write;
    struct loop_timer *log_timer; /* lines of the log wait to be written */
    int64_t stop_by;              /* when shutdown-timeout is over */
    int lock;                     /* of the state directory; -1: none */
    bool cut_short;               /* a second signal came */
    int stop_signal;              /* the one that asked for the stop, and when; 0: none has */
    int64_t stop_signal_at;
    bool draining;
};

/* Running ----------------------------------------------------------------- */

static void written(bool written, void *arg)
{
    struct daemon *daemon = arg;

    daemon->cut_short = daemon->cut_short || !written;
    loop_stop(daemon->loop);
}

static void drained(void *arg)
{
    struct daemon *daemon = arg;

    last_write_begin(daemon->last_write, daemon->stop_by);
}

static void observe(enum supervisor_event event, void *arg)
{
    struct daemon *daemon = arg;

    edge_observe(daemon->edge, event);
    if (event == SUPERVISOR_DRAINING) {
        const struct config *config = supervisor_config(daemon->supervisor);

        daemon->stop_by = clock_monotonic() + config->drain_delay + config->shutdown_timeout;
    }
    if (event != SUPERVISOR_STOPPED)
        return;
    if (daemon->cut_short) {
        last_write_begin(daemon->last_write, 0);
    } else if (!daemon->draining) {
        daemon->draining = true;
        edge_drain(daemon->edge, drained, daemon);
    }
}

static void describe_sender(int signal, const struct loop_sender *sender, struct cause *ret_cause)
{
    *ret_cause = (struct cause){.code = -ECANCELED};
    if (sender->pid == 0)
        snprintf(ret_cause->text, sizeof(ret_cause->text), "%s from the terminal",
                 signal_name(signal));
    else
        snprintf(ret_cause->text, sizeof(ret_cause->text), "%s from pid %d uid %u",
                 signal_name(signal), (int)sender->pid, (unsigned)sender->uid);
}

static void end_at_once(struct daemon *daemon, const char *why)
{
    log_warning("%s: ending at once", why);
    daemon->cut_short = true;
    if (last_write_is_under_way(daemon->last_write))
        last_write_give_up(daemon->last_write);
    else if (supervisor_phase(daemon->supervisor) == PHASE_STOPPED)
        last_write_begin(daemon->last_write, 0);
    else
        supervisor_kill(daemon->supervisor);
}

static void asked_to_stop(struct daemon *daemon, int signal, const struct cause *cause)
{
    bool again =
        signal == daemon->stop_signal && clock_monotonic() - daemon->stop_signal_at < SIGNAL_REPEAT;

    if (again) {
        log_info("%s, again within a second: taken for one", cause->text);
    } else if (daemon->stop_signal != 0) {
        end_at_once(daemon, cause->text);
    } else {
        daemon->stop_signal = signal;
        daemon->stop_signal_at = clock_monotonic();
        if (supervisor_phase(daemon->supervisor) < PHASE_DRAINING)
            supervisor_stop(daemon->supervisor, cause);
        else
            log_notice("%s: already stopping; a second one ends at once", cause->text);
    }
}

static void signal_came(int signal, const struct loop_sender *sender, void *arg)
{
    struct daemon *daemon = arg;
    struct cause cause;

    describe_sender(signal, sender, &cause);
    if (sender->pid > 0 && identity_has_process(sender->pid, true)) {
        log_warning("%s, which belongs to a host: ignored", cause.text);
        return;
    }
    if (signal == SIGHUP) {
        log_notice("reloading: %s", cause.text);
        supervisor_reload(daemon->supervisor, NULL, NULL);
    } else if (signal == SIGUSR2) {
        log_notice("asked to upgrade: %s", cause.text);
        upgrade_begin(daemon->upgrade, NULL, NULL);
    } else {
        asked_to_stop(daemon, signal, &cause);
    }
}

/* Stderr may be anything, and the journal's socket tells nobody that it has room again. */
static void log_waits(void *arg)
{
    struct daemon *daemon = arg;

    loop_timer_arm(daemon->log_timer, LOG_RETRY);
}

static void flush_log(void *arg)
{
    if (!log_flush())
        log_waits(arg);
}

static int cannot(const char *what, int r)
{
    log_error("cannot %s: %s", what, strerror(-r));
    return r;
}

/* The request for it over the control socket. */
static void upgrade_asked(edge_upgrade_fn done, void *done_arg, void *arg)
{
    struct daemon *daemon = arg;

    upgrade_begin(daemon->upgrade, done, done_arg);
}

/* Makes the supervisor: a new one, or the one that was handed over. */
static int create_supervisor(struct daemon *daemon, const struct supervisor_options *options,
                             struct config *config, const json_t *state)
{
    struct serialize_error error = {0};
    int r;

    if (!state) {
        r = supervisor_create(daemon->loop, options, config_ref(config), &daemon->supervisor);
        return r < 0 ? cannot("supervise modules", r) : 0;
    }
    r = supervisor_restore(daemon->loop, options, config_ref(config),
                           json_object_get(state, "supervisor"), &daemon->supervisor, &error);
    if (r < 0)
        log_error("cannot take over from the program before: %s",
                  error.text[0] ? error.text : strerror(-r));
    return r;
}

/* A failure has been named when it returns. state is what was handed over, or NULL. */
static int create_daemon(struct daemon *daemon, const struct arguments *arguments,
                         const struct places *places, struct config *config, const json_t *state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2, 0};
    struct supervisor_options options = {
        .config_path = arguments->config_path,
        .host_program = places->host_program,
        .places = places->config,
        .observer = observe,
        .arg = daemon,
    };
    struct upgrade_options upgrade = {
        .program = places->program, .config_path = arguments->config_path, .lock = daemon->lock};
    int r = loop_create(&daemon->loop);

    if (r < 0)
        return cannot("make the event loop", r);
    r = loop_timer_create(daemon->loop, flush_log, daemon, &daemon->log_timer);
    if (r < 0)
        return cannot("make a timer", r);
    log_set_waiting(log_waits, daemon);
    r = loop_signals_create(daemon->loop, signals, signal_came, daemon, &daemon->signals);
    if (r < 0)
        return cannot("receive signals", r);
    r = edge_create(daemon->loop, config, state != NULL, &daemon->edge);
    if (r < 0)
        return cannot("serve health and control", r);
    r = create_supervisor(daemon, &options, config, state);
    if (r < 0)
        return r;
    r = last_write_create(daemon->loop, daemon->supervisor, written, daemon, &daemon->last_write);
    if (r < 0)
        return cannot("prepare for the end", r);
    edge_attach(daemon->edge, daemon->supervisor);
    upgrade.loop = daemon->loop;
    upgrade.edge = daemon->edge;
    upgrade.supervisor = daemon->supervisor;
    r = upgrade_create(&upgrade, &daemon->upgrade);
    if (r < 0)
        return cannot("prepare for upgrades", r);
    edge_set_upgrade(daemon->edge, upgrade_asked, daemon);
    r = state ? edge_resume(daemon->edge, json_object_get(state, "edge")) : 0;
    return r < 0 ? cannot("take over the connections", r) : 0;
}

/* Returns the exit code. */
static int loop_until_stopped(struct daemon *daemon)
{
    int r;

    log_set_beginning(false);
    r = loop_run(daemon->loop);
    if (r < 0) {
        cannot("wait for events", r);
        return 1;
    }
    return daemon->cut_short ? 1 : supervisor_exit_code(daemon->supervisor);
}

/* From the file, or as it was handed over: then *ret_state is all that was. */
static struct config *find_config(const struct arguments *arguments, const struct places *places,
                                  json_t **ret_state)
{
    struct serialize_error error = {0};
    struct config_errors errors = {0};
    struct config *config = NULL;

    if (arguments->resume >= 0) {
        *ret_state = handover_read(arguments->resume, places, &config, &error);
        if (!*ret_state)
            log_error("cannot take over from the program before: %s", error.text);
        close(arguments->resume);
        return *ret_state ? config : NULL;
    }
    config = config_read(arguments->config_path, &places->config, &errors);
    if (config) {
        /* Errors are told as everything else will be. */
        log_set_format(config->log_format);
        credentials_resolve(config, &places->config, &errors);
    }
    for (size_t i = 0; i < errors.texts.count; i++)
        log_error("%s", errors.texts.items[i]);
    if (errors.texts.count > 0)
        edge_tell_failure(errors.texts.items[0]);
    if (config_errors_any(&errors))
        config_free(TAKE_PTR(config));
    config_errors_free(&errors);
    return config;
}

static void tell_takeover(const struct daemon *daemon, const json_t *state)
{
    const char *before = json_string_value(json_object_get(state, "version"));
    unsigned hosts = supervisor_living_hosts(daemon->supervisor);

    log_notice("reeved %s has taken over from %s: generation %llu, %u %s", REEVE_VERSION,
               before ? before : "another",
               (unsigned long long)supervisor_upgrades(daemon->supervisor) + 1, hosts,
               plural(hosts, "host", "hosts"));
}

/* A program of before may not have handed one over: then nobody holds it. */
static int take_lock(struct daemon *daemon, const struct places *places, const json_t *state)
{
    const json_t *lock = json_object_get(state, "lock");

    if (json_is_integer(lock)) {
        daemon->lock = (int)json_integer_value(lock);
        if (daemon->lock >= 0)
            (void)fd_set_cloexec(daemon->lock, true);
        return 0;
    }
    daemon->lock = places_lock(places);
    return daemon->lock == -EBUSY ? -EBUSY : places_await_hosts(places);
}

static int run_daemon(const struct arguments *arguments, const struct places *places)
{
    json_t *state = NULL;
    cleanup_config struct config *config = find_config(arguments, places, &state);
    struct daemon daemon = {.lock = -1};
    int r, code = 1;

    if (!config)
        return 1;
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    log_state_load(json_object_get(state, "log"));
    r = places_prepare(places);
    if (r == 0)
        r = take_lock(&daemon, places, state);
    if (r == 0)
        r = create_daemon(&daemon, arguments, places, config, state);
    if (r == 0 && state)
        tell_takeover(&daemon, state);
    else if (r == 0)
        supervisor_start(daemon.supervisor);
    json_decref(state);
    if (r == 0)
        code = loop_until_stopped(&daemon);
    /* While there is somebody to carry the answers. */
    upgrade_destroy(daemon.upgrade);
    last_write_destroy(daemon.last_write);
    supervisor_answer_all(daemon.supervisor);
    edge_destroy(daemon.edge);
    supervisor_destroy(daemon.supervisor);
    loop_signals_destroy(daemon.signals);
    log_set_waiting(NULL, NULL);
    loop_timer_destroy(daemon.log_timer);
    loop_destroy(daemon.loop);
    if (daemon.lock >= 0)
        close(daemon.lock);
    if (code == 0)
        log_notice("stopped");
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .config_path = REEVE_CONFIG_FILE, .check_state = -1, .resume = -1};
    struct places places;
    int r;

    descriptors_raise();
    r = fd_fill_standard();
    if (r < 0) {
        fprintf(stderr, "reeved: cannot open /dev/null: %s\n", strerror(-r));
        return 1;
    }
    dispositions_set();
    r = arguments_parse(argc, argv, &arguments);
    if (r != 0)
        return r < 0 ? 1 : fd_finish_output("reeved", 0);
    log_set_beginning(arguments.resume < 0);
    /* Of what is ours in /proc nothing is to be written any more once we are not dumpable. */
    if (!arguments.check && arguments.check_state < 0 && arguments.resume < 0)
        priority_claim();
    /* A host under the same user must not read or trace us. */
    prctl(PR_SET_DUMPABLE, 0);
    r = places_find(&places);
    if (r < 0) {
        fprintf(stderr, "reeved: cannot find reeve-host: %s\n", strerror(-r));
        return 1;
    }
    if (arguments.check_state >= 0)
        return handover_check(arguments.check_state, &places);
    if (arguments.check)
        return fd_finish_output("reeved", options_check(arguments.config_path, &places));
    r = run_daemon(&arguments, &places);
    log_finish(LOG_PATIENCE);
    return r;
}
