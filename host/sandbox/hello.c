/* SPDX-License-Identifier: MIT */
#include "host/sandbox/hello.h"

#include <errno.h>
#include <reeve/log.h>
#include <string.h>

#include "host/report/log_sink.h"
#include "host/sandbox/sandbox.h"
#include "wire/hold.h"
#include "wire/message.h"
#include "wire/scoreboard.h"

static int receive_hello(void *buffer, struct sandbox *sandbox, int64_t *ret_grace,
                         uint64_t *ret_limits)
{
    struct wire_message message;

    if (wire_receive(WIRE_FD_CONTROL, buffer, &message) != 1 || message.type != WIRE_HELLO)
        return -EPROTO;
    if (message.version != wire_version || message.scoreboard != scoreboard_version) {
        host_log(NULL, RV_LOG_ERROR, "reeved speaks wire version %u, this reeve-host version %d",
                 message.version, wire_version);
        return -EPROTO;
    }
    sandbox->check_only = message.flags & WIRE_HELLO_CHECK_ONLY;
    *ret_grace = message.grace;
    *ret_limits = message.number;
    return 0;
}

/* A rule that this program does not know is not one to go on without. */
static int receive_limits(void *buffer, struct sandbox *sandbox, uint64_t count)
{
    struct wire_message message;
    int r = 0;

    for (uint64_t i = 0; i < count && r == 0; i++) {
        if (wire_receive(WIRE_FD_CONTROL, buffer, &message) != 1 || message.type != WIRE_LIMIT)
            return -EPROTO;
        r = sandbox_take(sandbox, message.key, message.value);
        if (r < 0)
            snprintf(sandbox->reason, sizeof(sandbox->reason), "%.64s = %.128s: %s", message.key,
                     message.value, strerror(-r));
    }
    return r;
}

/* A host that only checks options runs nothing that must not run twice. */
static void hold(const struct sandbox *sandbox)
{
    int r = sandbox->check_only ? 0 : hold_take();

    if (r < 0)
        host_log(NULL, RV_LOG_WARNING,
                 "cannot hold " HOLD_FILE
                 " in the state directory: %s; if reeved is killed, the next one "
                 "does not wait until this process has ended, and tasks may run twice at once",
                 strerror(-r));
}

int hello_exchange(void *buffer, struct sandbox *sandbox, int64_t *ret_grace)
{
    struct wire_message hello = {.type = WIRE_HELLO,
                                 .version = wire_version,
                                 .scoreboard = scoreboard_version,
                                 .text = sandbox->reason};
    uint64_t limits;
    int r = receive_hello(buffer, sandbox, ret_grace, &limits), sent = 0;

    if (r == 0)
        hold(sandbox);
    if (r == 0)
        r = receive_limits(buffer, sandbox, limits);
    if (r == 0)
        r = sandbox_enter(sandbox);
    if (r == 0 || sandbox->reason[0] != '\0')
        sent = wire_send(WIRE_FD_CONTROL, &hello);
    return r < 0 ? r : sent;
}
