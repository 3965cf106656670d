/* SPDX-License-Identifier: MIT */
/*
 * The control thread: commands in, events out. It never runs code of a module, so it answers
 * whatever modules do.
 *
 * When the supervisor is gone, everything is cancelled, and past the grace the process ends for
 * sure.
 */
#include "host/control/control.h"

#include <errno.h>
#include <poll.h>
#include <reeve/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/macro.h"
#include "base/text.h"
#include "host/control/session.h"
#include "host/crash/crash.h"
#include "host/crash/hang_stack.h"
#include "host/lifecycle/life.h"
#include "host/load/options.h"
#include "host/module/context_tree.h"
#include "host/module/module.h"
#include "host/pool/submit.h"
#include "host/process/alarm.h"
#include "host/report/board.h"
#include "host/report/event.h"
#include "host/report/log_sink.h"
#include "host/sandbox/hello.h"
#include "host/sandbox/sandbox.h"
#include "host/schedule/last_runs.h"
#include "host/schedule/wall_clock.h"
#include "host/task/task.h"
#include "wire/message.h"

#define EXIT_WIRE    3
#define EXIT_REFUSED 4

struct control {
    struct module_owner owner;
    struct host_module *modules[SCOREBOARD_MODULES];
    rv_duration grace;
};

/* A socket that is full blocks the thread that has something to say, as long as the supervisor
 * lives. */
static void emit(const struct wire_message *message)
{
    int r = wire_send(WIRE_FD_CONTROL, message);

    if (r >= 0 || r == -EPIPE || r == -ECONNRESET)
        return;
    host_log(NULL, RV_LOG_ERROR, "cannot tell the supervisor %s: %s", wire_type_name(message->type),
             strerror(-r));
    /* The module has closed our socket, or put something else in its place: a host that cannot
     * speak is of no use, and what it would have said would be lost in silence. */
    if (r == -EBADF || r == -ENOTSOCK || r == -ENOTCONN || r == -EDESTADDRREQ) {
        session_kill_others();
        _exit(EXIT_WIRE);
    }
}

static void fail(uint32_t slot, const char *stage, int code, uint32_t flags, const char *text)
{
    struct wire_message message = {.type = WIRE_FAILED,
                                   .module = slot,
                                   .flags = flags,
                                   .code = code,
                                   .name = stage,
                                   .text = text};

    emit(&message);
}

/* Commands ---------------------------------------------------------------- */

static void load(struct control *control, const struct wire_message *message)
{
    struct host_module **module = &control->modules[message->module];
    int r;

    if (*module) {
        option_lines_free(&(*module)->lines);
        last_runs_free(&(*module)->new_last_runs);
        return;
    }
    r = module_create(&control->owner, message->module, message->name, message->path, module);
    if (r < 0) {
        /* For want of a thread, say: nothing is known to be wrong with the module. */
        sandbox_explain_want(rv_fail(r, "its host has no thread for it"));
        fail(message->module, "load", r, WIRE_FAILED_PROCESS, rv_error_text(r));
    }
}

/* For a reload it is no failure of the module that goes on: it is stopped and started. */
static void refuse(const struct wire_message *command, enum module_op_kind kind, int r)
{
    struct wire_message reloaded = {.type = WIRE_RELOADED,
                                    .module = command->module,
                                    .number = command->number,
                                    .code = r,
                                    .text = ""};

    if (kind == MODULE_OP_RELOAD && r == -ENOMEM)
        emit(&reloaded);
    else
        fail(command->module, "command", r, 0,
             r == -ENOMEM ? "out of memory" : "too many commands wait for the module");
}

static void operate(struct control *control, const struct wire_message *message,
                    enum module_op_kind kind)
{
    struct host_module *module = control->modules[message->module];
    struct module_op op = {
        .kind = kind,
        .drain = message->drain,
        .stall = message->timeout,
        .grace = message->grace,
        .drain_queue = message->flags & WIRE_STOP_DRAIN_QUEUE,
        .number = message->number,
    };
    int r;

    if (!module) {
        /* A stop may come before the load: there is nothing to stop, and that is an answer. */
        if (kind == MODULE_OP_STOP)
            emit(&(struct wire_message){.type = WIRE_STOPPED, .module = message->module});
        return;
    }
    string_copy(op.cause, sizeof(op.cause), message->text);
    r = module->lines_lost;
    module->lines_lost = 0;
    if (kind != MODULE_OP_STOP) {
        op.lines = module->lines;
        op.last_runs = module->new_last_runs;
        module->lines = (struct option_lines){0};
        module->new_last_runs = (struct last_runs){0};
    } else {
        module_expect_stop(module, op.cause);
    }
    if (r == 0 || kind == MODULE_OP_STOP)
        r = module_operate(module, &op);
    if (r < 0) {
        module_op_free(&op);
        refuse(message, kind, r);
    }
}

static void take_option(struct control *control, const struct wire_message *message)
{
    struct host_module *module = control->modules[message->module];

    if (module && option_lines_add(&module->lines, message->key, message->value, message->path,
                                   message->line, message->flags & WIRE_OPTION_CREDENTIAL) < 0)
        module->lines_lost = -ENOMEM;
}

/* Without it the task would run as if it never had, and what it owes be forgotten. */
static void take_last_run(struct control *control, const struct wire_message *message)
{
    struct host_module *module = control->modules[message->module];
    const struct schedule_past past = {
        .settled = (int64_t)message->number,
        .open = message->deadline,
        .passed_until = message->since,
        .stopped = message->flags & WIRE_LAST_RUN_STOPPED,
        .set_back = message->flags & WIRE_LAST_RUN_SET_BACK,
        .revived = message->flags & WIRE_LAST_RUN_REVIVED,
        .failures = message->line,
        .owed = message->flags & WIRE_LAST_RUN_OWED,
    };

    if (module && last_runs_set(&module->new_last_runs, message->name, &past) < 0)
        module->lines_lost = -ENOMEM;
}

static void refuse_unloaded(const struct wire_message *message)
{
    struct wire_message answer = {.type = WIRE_RESULT,
                                  .module = message->module,
                                  .request = message->request,
                                  .code = -EAGAIN,
                                  .text = "the module is not loaded"};

    emit(&answer);
}

static void note_stack(uint32_t slot)
{
    char what[SCOREBOARD_NAME_SIZE];
    uint64_t run;
    pid_t tid = board_longest_call(slot, what, &run);

    if (tid > 0)
        hang_note(tid, slot, what, run);
}

/* A request from outside; module is NULL when it is not loaded. */
static void serve(struct host_module *module, const struct wire_message *message)
{
    if (!module)
        refuse_unloaded(message);
    else if (message->type == WIRE_RUN)
        task_request(module, message->name, message->request);
    else if (message->type == WIRE_SUBMIT)
        submit_request(module, message->name, message->request, message->timeout, message->data,
                       message->size);
    else
        context_tree_send(module, message->request);
}

/* Returns false when the process is to end. */
static bool obey(struct control *control, const struct wire_message *message)
{
    if (message->module >= SCOREBOARD_MODULES)
        return true;
    switch (message->type) {
    case WIRE_LOAD:
        load(control, message);
        break;
    case WIRE_OPTION:
        take_option(control, message);
        break;
    case WIRE_LAST_RUN:
        take_last_run(control, message);
        break;
    case WIRE_START:
        operate(control, message, MODULE_OP_START);
        break;
    case WIRE_CHECK:
        operate(control, message, MODULE_OP_CHECK);
        break;
    case WIRE_RELOAD:
        operate(control, message, MODULE_OP_RELOAD);
        break;
    case WIRE_STOP:
        operate(control, message, MODULE_OP_STOP);
        break;
    case WIRE_RUN:
    case WIRE_SUBMIT:
    case WIRE_TREE:
        serve(control->modules[message->module], message);
        break;
    case WIRE_CLOCK:
        wall_clock_look();
        break;
    case WIRE_GRACE:
        control->grace = message->grace;
        module_set_grace(control->grace);
        break;
    case WIRE_STACK:
        note_stack(message->module);
        break;
    case WIRE_EXIT:
        return false;
    default:
        break;
    }
    return true;
}

/* The end ----------------------------------------------------------------- */

static void end_for_sure(struct alarm *alarm _unused_)
{
    session_kill_others();
    _exit(1);
}

/* Nobody is left to stop us: everything is cancelled, and the process ends at the grace at the
 * latest. */
static void end_orphaned(struct control *control)
{
    static struct alarm grace_over = {.fn = end_for_sure};
    struct module_op op = {.kind = MODULE_OP_STOP, .cause = "the supervisor is gone"};

    alarm_begin(&grace_over, NULL);
    alarm_set(&grace_over, duration_add(rv_now(), control->grace));
    for (uint32_t i = 0; i < SCOREBOARD_MODULES; i++)
        if (control->modules[i]) {
            rv_context_cancel(control->modules[i]->cancel_root, -ECANCELED, "%s", op.cause);
            module_operate(control->modules[i], &op);
        }
}

static void end_modules(struct control *control)
{
    struct module_op op = {.kind = MODULE_OP_END};

    for (uint32_t i = 0; i < SCOREBOARD_MODULES; i++)
        if (control->modules[i] && module_operate(control->modules[i], &op) < 0)
            _exit(1);
    (void)!rv_group_wait(control->owner.group);
    rv_group_destroy(control->owner.group);
    for (uint32_t i = 0; i < SCOREBOARD_MODULES; i++)
        module_destroy(control->modules[i]);
    rv_context_unref(control->owner.ctx);
}

/* The threads that tasks and jobs have in any host, and a thread for each module's operations. */
#define THREADS_MAX (256 + SCOREBOARD_MODULES)

int control_serve(void)
{
    static const struct rv_runtime_options runtime = {.size = sizeof(runtime),
                                                      .threads_max = THREADS_MAX};
    static unsigned char buffer[WIRE_PACKET_MAX];
    struct sandbox sandbox = {0};
    struct control control = {.owner.act = life_do};
    struct wire_message message;
    int r;

    event_set_sink(emit);
    log_sink_install();
    life_install_hooks();
    session_prepare();
    r = board_open(WIRE_FD_SCOREBOARD);
    if (r == 0)
        r = crash_install(NULL);
    if (r < 0) {
        fputs(
            r == -EPROTO
                ? "reeve-host: reeved is of another version: `reevectl upgrade` brings it to this one\n"
                : "reeve-host: no scoreboard at descriptor 4: it is started by reeved, or with --run\n",
            stderr);
        return EXIT_WIRE;
    }
    r = hello_exchange(buffer, &sandbox, &control.grace);
    sandbox_finish(&sandbox);
    if (r < 0)
        return r == -EPROTO ? EXIT_WIRE : EXIT_REFUSED;
    module_set_grace(control.grace);
    (void)rv_runtime_configure(&runtime);
    if (rv_context_with_cancel(rv_context_background(), &control.owner.ctx, NULL) < 0 ||
        rv_group_create(rv_context_background(), &control.owner.group) < 0) {
        fputs("reeve-host: out of memory\n", stderr);
        return 1;
    }
    do {
        r = wire_receive(WIRE_FD_CONTROL, buffer, &message);
    } while (r == 1 && obey(&control, &message));
    if (r != 1) {
        host_log(NULL, RV_LOG_ERROR, "the supervisor is gone: ending");
        end_orphaned(&control);
    }
    end_modules(&control);
    if (r != 1)
        session_kill_others();
    return r == 1 ? 0 : 1;
}
