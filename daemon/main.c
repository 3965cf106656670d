/* SPDX-License-Identifier: MIT */
/*
 * reeved: arguments, wiring, exit code.
 *
 * Everything that can be wrong is found before the first module starts: the configuration, the
 * addresses, the folders. Then signals: SIGTERM and SIGINT stop, and a second one ends at once;
 * SIGHUP reloads.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/edge/edge.h"
#include "daemon/loop/loop.h"
#include "daemon/places.h"
#include "daemon/priority.h"
#include "daemon/supervisor/check.h"
#include "daemon/supervisor/host.h"
#include "daemon/supervisor/stray.h"

struct daemon {
    struct loop *loop;
    struct loop_signals *signals;
    struct edge *edge;
    struct supervisor *supervisor;
    bool cut_short; /* a second signal came */
    bool draining;
};

struct arguments {
    const char *config_path;
    bool check;
};

static void print_help(void)
{
    printf(
        "Usage: reeved [-c FILE] [--check]\n"
        "Supervises modules: runs their tasks and pools, restarts what fails, answers /health.\n"
        "\n"
        "  -c, --config FILE  configuration (default %s)\n"
        "      --check        check the configuration and every module's options, start nothing;\n"
        "                     exits with 0 when all is well, else with 1\n"
        "      --version      print the version\n"
        "  -h, --help         print this\n"
        "\n"
        "Signals: SIGTERM, SIGINT stop (a second one at once); SIGHUP reloads.\n"
        "See reeved(8), reeve.ini(5), and `reevectl --help`.\n",
        REEVE_CONFIG_FILE);
}

/* Returns 0 to go on, 1 to exit well, or -EINVAL. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
        switch (option) {
        case 'c':
            arguments->config_path = optarg;
            break;
        case 'k':
            arguments->check = true;
            break;
        case 'v':
            printf("reeved %s\n", REEVE_VERSION);
            return 1;
        case 'h':
            print_help();
            return 1;
        default:
            fprintf(stderr, "Try `reeved --help`.\n");
            return -EINVAL;
        }
    if (optind < argc) {
        fprintf(stderr, "reeved: unexpected argument \"%s\"; try `reeved --help`.\n", argv[optind]);
        return -EINVAL;
    }
    return 0;
}

/* --check ----------------------------------------------------------------------------------------
 */

static void check_done(void *arg)
{
    loop_stop(arg);
}

/* Asks every module about its options. The errors go on in errors. */
static int check_modules(const struct places *places, const struct config *config,
                         struct config_errors *errors)
{
    struct check_options options = {
        .host_program = places->host_program, .directory = "/", .done = check_done};
    struct spawner *spawner = NULL;
    struct loop *loop = NULL;
    struct check *check;
    int r = loop_create(&loop);

    if (r == 0)
        r = spawner_create(loop, &spawner);
    if (r == 0)
        r = stray_start(loop);
    if (r == 0) {
        options.loop = loop;
        options.spawner = spawner;
        options.arg = loop;
        r = check_start(&options, config, errors, &check);
    }
    if (r == 0)
        r = loop_run(loop);
    stray_stop();
    spawner_destroy(spawner);
    loop_destroy(loop);
    return r;
}

/* Outside of the service nobody knows what a credential is. */
static void note_unchecked(const struct config_module *module)
{
    for (size_t i = 0; i < module->option_count; i++)
        if (module->options[i].unchecked)
            fprintf(stderr,
                    "%s:%u: [module:%s] %s = %s: not checked, as there is no "
                    "CREDENTIALS_DIRECTORY\n",
                    module->options[i].file, module->options[i].line, module->name,
                    module->options[i].key, module->options[i].value);
}

static int run_check(const struct arguments *arguments, struct places *places)
{
    struct config_errors errors = {0};
    cleanup_config struct config *config = NULL;
    bool failed;

    places->config.credentials_optional = true;
    config = config_load(arguments->config_path, &places->config, &errors);
    for (size_t i = 0; config && i < config->module_count; i++)
        note_unchecked(config->modules[i]);
    if (config) {
        int r = check_modules(places, config, &errors);

        if (r < 0)
            config_error(&errors, arguments->config_path, 0, "not checked: %s", strerror(-r));
    }
    failed = config_errors_any(&errors);
    for (size_t i = 0; i < errors.texts.count; i++)
        fprintf(stderr, "%s\n", errors.texts.items[i]);
    if (errors.failed)
        fprintf(stderr, "reeved: out of memory\n");
    config_errors_free(&errors);
    if (!failed)
        printf("%s: good, %zu module%s\n", arguments->config_path, config->module_count,
               config->module_count == 1 ? "" : "s");
    return failed ? 1 : 0;
}

/* Running ----------------------------------------------------------------------------------------
 */

static void drained(void *arg)
{
    struct daemon *daemon = arg;

    loop_stop(daemon->loop);
}

static void observe(enum supervisor_event event, void *arg)
{
    struct daemon *daemon = arg;

    edge_observe(daemon->edge, event);
    if (event != SUPERVISOR_STOPPED)
        return;
    if (daemon->cut_short) {
        loop_stop(daemon->loop);
    } else if (!daemon->draining) {
        daemon->draining = true;
        edge_drain(daemon->edge, drained, daemon);
    }
}

static void describe_sender(int signal, const struct loop_sender *sender, struct cause *ret_cause)
{
    ret_cause->code = -ECANCELED;
    if (sender->pid == 0)
        snprintf(ret_cause->text, sizeof(ret_cause->text), "SIG%s from the terminal",
                 sigabbrev_np(signal));
    else
        snprintf(ret_cause->text, sizeof(ret_cause->text), "SIG%s from pid %d uid %u",
                 sigabbrev_np(signal), (int)sender->pid, (unsigned)sender->uid);
}

static void end_at_once(struct daemon *daemon, const char *why)
{
    log_warning("%s: ending at once", why);
    daemon->cut_short = true;
    if (supervisor_phase(daemon->supervisor) == PHASE_STOPPED)
        loop_stop(daemon->loop);
    else
        supervisor_kill(daemon->supervisor);
}

static void signal_came(int signal, const struct loop_sender *sender, void *arg)
{
    struct daemon *daemon = arg;
    struct cause cause;

    describe_sender(signal, sender, &cause);
    if (sender->pid > 0 && host_is_process(sender->pid, true)) {
        log_warning("%s, which belongs to a host: ignored", cause.text);
        return;
    }
    if (signal == SIGHUP) {
        log_notice("reloading: %s", cause.text);
        supervisor_reload(daemon->supervisor, NULL, NULL);
    } else if (supervisor_phase(daemon->supervisor) >= PHASE_DRAINING) {
        end_at_once(daemon, cause.text);
    } else {
        supervisor_stop(daemon->supervisor, &cause);
    }
}

static int cannot(const char *what, int r)
{
    log_error("cannot %s: %s", what, strerror(-r));
    return r;
}

/* Whatever fails has been named when it returns. */
static int create_daemon(struct daemon *daemon, const struct arguments *arguments,
                         const struct places *places, struct config *config)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
    struct supervisor_options options = {
        .config_path = arguments->config_path,
        .host_program = places->host_program,
        .places = places->config,
        .observer = observe,
        .arg = daemon,
    };
    int r = loop_create(&daemon->loop);

    if (r < 0)
        return cannot("make the event loop", r);
    r = loop_signals_create(daemon->loop, signals, signal_came, daemon, &daemon->signals);
    if (r < 0)
        return cannot("receive signals", r);
    r = edge_create(daemon->loop, config, &daemon->edge);
    if (r < 0)
        return cannot("serve health and control", r);
    r = supervisor_create(daemon->loop, &options, config_ref(config), &daemon->supervisor);
    if (r < 0)
        return cannot("supervise modules", r);
    edge_attach(daemon->edge, daemon->supervisor);
    return 0;
}

/* Returns the exit code. */
static int loop_until_stopped(struct daemon *daemon)
{
    int r;

    supervisor_start(daemon->supervisor);
    r = loop_run(daemon->loop);
    if (r < 0) {
        cannot("wait for events", r);
        return 1;
    }
    return daemon->cut_short ? 1 : supervisor_exit_code(daemon->supervisor);
}

static int run_daemon(const struct arguments *arguments, const struct places *places)
{
    struct config_errors errors = {0};
    cleanup_config struct config *config =
        config_load(arguments->config_path, &places->config, &errors);
    struct daemon daemon = {0};
    int r, code = 1;

    for (size_t i = 0; i < errors.texts.count; i++)
        log_error("%s", errors.texts.items[i]);
    if (errors.texts.count > 0)
        edge_tell_failure(errors.texts.items[0]);
    config_errors_free(&errors);
    if (!config)
        return 1;
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    r = places_prepare(places);
    if (r == 0)
        r = create_daemon(&daemon, arguments, places, config);
    if (r == 0)
        code = loop_until_stopped(&daemon);
    /* While there is somebody to carry the answers. */
    supervisor_answer_all(daemon.supervisor);
    edge_destroy(daemon.edge);
    supervisor_destroy(daemon.supervisor);
    loop_signals_destroy(daemon.signals);
    loop_destroy(daemon.loop);
    if (code == 0)
        log_notice("stopped");
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.config_path = REEVE_CONFIG_FILE};
    struct places places;
    int r = parse_arguments(argc, argv, &arguments);

    if (r != 0)
        return r < 0 ? 1 : 0;
    umask(0022);
    signal(SIGPIPE, SIG_IGN);
    /* Of what is ours in /proc nothing is to be written any more once we are not dumpable. */
    if (!arguments.check)
        priority_claim();
    /* A host under the same user must not read or trace us. */
    prctl(PR_SET_DUMPABLE, 0);
    r = places_find(&places);
    if (r < 0) {
        log_error("cannot find reeve-host: %s", strerror(-r));
        return 1;
    }
    return arguments.check ? run_check(&arguments, &places) : run_daemon(&arguments, &places);
}
