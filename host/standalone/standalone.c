/* SPDX-License-Identifier: MIT */
#include "host/standalone/standalone.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/macro.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "base/text.h"
#include "host/crash/crash.h"
#include "host/lifecycle/life.h"
#include "host/load/options.h"
#include "host/module/module.h"
#include "host/process/alarm.h"
#include "host/report/board.h"
#include "host/report/event.h"
#include "host/standalone/standalone_report.h"
#include "host/standalone/standalone_signals.h"
#include "host/task/task.h"

#define STOP_DRAIN (10 * RV_SECOND)

/* The time that a stop may take beside its drain and grace: fini. */
#define STOP_SLACK (2 * RV_SECOND)

/* Events of the one module, for the main thread; there are never more under way. */
struct event {
    enum wire_type type;
};
static struct rv_channel *events;

static void tell_option_error(const struct wire_message *message)
{
    struct nearest nearest;

    nearest_begin(&nearest, message->key);
    if (message->value)
        nearest_offer(&nearest, message->value);
    fprintf(stderr, "reeve-host: %s%s\n", message->text, nearest_words(&nearest));
}

static void emit(const struct wire_message *message)
{
    struct event event = {message->type};
    char text[2048];

    switch (message->type) {
    case WIRE_OPTION_ERROR:
        tell_option_error(message);
        return;
    case WIRE_FAILED:
        string_copy(text, sizeof(text), message->text);
        text_clean(text, sizeof(text));
        fprintf(stderr, "reeve-host: %s failed: %s\n", message->name, text);
        break;
    case WIRE_OVERDUE:
        standalone_end_hanging("%s hangs: it ignored its cancellation for %s (%s)", message->name,
                               duration_format(message->duration, text, sizeof(text)),
                               message->text);
    case WIRE_READY:
        rv_log(NULL, RV_LOG_INFO, "ready");
        break;
    case WIRE_STOPPED:
        break;
    default:
        return;
    }
    (void)!rv_channel_send(rv_context_background(), events, &event);
}

/* A change since the last answer. */
static void tell_health(int code, const char *text)
{
    static char told[RV_ERROR_TEXT_SIZE];
    static bool failing;

    if (code < 0 && (!failing || strcmp(told, text) != 0)) {
        rv_log(NULL, RV_LOG_WARNING, "health: %s", text);
        string_copy(told, sizeof(told), text);
    } else if (code == 0 && failing) {
        rv_log(NULL, RV_LOG_INFO, "health: well again");
    }
    failing = code < 0;
}

static int take_options(struct module_op *op, int count, char **arguments)
{
    for (int i = 0; i < count; i++) {
        char *equals = strchr(arguments[i], '=');

        if (!equals || equals == arguments[i]) {
            fprintf(stderr, "reeve-host: \"%s\": expected KEY=VALUE\n", arguments[i]);
            return -EINVAL;
        }
        *equals = '\0';
        if (option_lines_add(&op->lines, arguments[i], equals + 1, "command line", 0, false) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Waits for an event of the module. Returns its type, or 0 once ctx is done. */
static enum wire_type next_event(struct rv_context *ctx)
{
    struct event event;

    return rv_channel_recv(ctx, events, &event) == 0 ? event.type : (enum wire_type)0;
}

static void stop_is_over(struct alarm *alarm _unused_)
{
    standalone_end_stuck("the module did not stop within its drain and grace");
}

/* Past its drain and grace the process ends. */
static void stop(struct host_module *module, const char *cause)
{
    static struct alarm alarm = {.fn = stop_is_over};
    struct module_op op = {.kind = MODULE_OP_STOP, .drain = STOP_DRAIN, .stall = STOP_DRAIN};

    alarm_begin(&alarm, NULL);
    alarm_set(&alarm, rv_now() + STOP_DRAIN + module_grace() + STOP_SLACK);
    string_copy(op.cause, sizeof(op.cause), cause);
    module_expect_stop(module, cause);
    module_operate(module, &op);
    while (next_event(rv_context_background()) != WIRE_STOPPED)
        ;
    alarm_end(&alarm);
}

static int run_until(struct rv_context *ctx, struct host_module *module)
{
    struct rv_cause cause;
    enum wire_type type = next_event(ctx);

    /* One that has not started is not stopped. */
    if (type == WIRE_FAILED)
        return 1;
    if (type == WIRE_READY)
        type = next_event(ctx);
    rv_context_cause(ctx, &cause);
    rv_log(NULL, RV_LOG_NOTICE, "stopping: %s", type ? "the module gave up" : cause.text);
    stop(module, type ? "the module gave up" : cause.text);
    return type ? 1 : 0;
}

static int start(struct rv_context *ctx, int count, char **arguments)
{
    struct module_op op = {.kind = MODULE_OP_START}, end = {.kind = MODULE_OP_END};
    const char *slash = strrchr(arguments[0], '/');
    cleanup_free char *path = realpath(arguments[0], NULL);
    struct host_module *module;
    struct module_owner owner = {.ctx = rv_context_background(), .act = life_do};
    char name[64];
    int code = 1;

    if (!path) {
        fprintf(stderr, "reeve-host: %s: %s\n", arguments[0], strerror(errno));
        return 1;
    }
    string_copy(name, sizeof(name), slash ? slash + 1 : arguments[0]);
    name[strcspn(name, ".")] = '\0';
    if (take_options(&op, count - 1, arguments + 1) < 0) {
        option_lines_free(&op.lines);
        return 1;
    }
    if (rv_group_create(rv_context_background(), &owner.group) < 0)
        return 1;
    if (module_create(&owner, 0, name, path, &module) == 0) {
        if (module_operate(module, &op) == 0)
            code = run_until(ctx, module);
        module_operate(module, &end);
        (void)!rv_group_wait(owner.group);
        module_destroy(module);
    }
    rv_group_destroy(owner.group);
    return code;
}

/* Of the module; the main thread waits for signals meanwhile. */
struct life {
    struct rv_context *ctx;
    int count;
    char **arguments;
};

static void *live(void *arg)
{
    struct life *life = arg;
    int code;

    standalone_watch_exit();
    code = start(life->ctx, life->count, life->arguments);
    standalone_expect_exit();
    exit(code);
}

/* Returns 0 or a negative number. */
static int prepare(struct rv_context **ret_ctx, struct rv_cancel **ret_cancel)
{
    event_set_sink(emit);
    life_set_health_told(tell_health);
    life_install_hooks();
    if (board_open(-1) < 0 || crash_install(standalone_report_crash) < 0 ||
        rv_channel_create(sizeof(struct event), 16, &events) < 0 ||
        rv_context_with_cancel(rv_context_background(), ret_ctx, ret_cancel) < 0)
        return -1;
    return standalone_signals_begin();
}

int standalone_run(int count, char **arguments)
{
    struct life life = {.count = count, .arguments = arguments};
    struct rv_cancel *cancel;
    pthread_t thread;

    if (prepare(&life.ctx, &cancel) < 0 || pthread_create(&thread, NULL, live, &life) != 0) {
        fputs("reeve-host: out of memory or threads\n", stderr);
        return 1;
    }
    standalone_signals_watch(cancel);
}
