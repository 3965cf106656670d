/* SPDX-License-Identifier: MIT */
/* What a host does, for its tenants: most of it becomes an event of a unit's machine. */
#include <string.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/supervisor/check.h"
#include "daemon/supervisor/crash.h"
#include "daemon/supervisor/ledger.h"
#include "daemon/supervisor/request.h"
#include "daemon/supervisor/supervisor_internal.h"
#include "daemon/supervisor/symbols.h"
#include "daemon/supervisor/tenancy.h"
#include "daemon/supervisor/unit.h"
#include "daemon/supervisor/watch.h"

static bool is_tenant(const char *module, void *arg)
{
    const struct tenancy *tenancy = arg;
    const struct unit *unit;

    LIST_FOREACH (unit, &tenancy->units, tenancy_list)
        if (strcmp(unit->name, module) == 0)
            return true;
    return false;
}

static bool is_module(const char *module, void *arg)
{
    const struct tenancy *tenancy = arg;

    return supervisor_find(tenancy->supervisor, module) != NULL;
}

static void host_came_up(struct host *host _unused_, void *arg)
{
    struct tenancy *tenancy = arg;
    struct unit *unit, *next;

    LIST_FOREACH_SAFE (unit, next, &tenancy->units, tenancy_list)
        if (unit->attached)
            unit_handle(unit, UNIT_EVENT_HOST_UP, NULL);
}

static void task_overdue(struct unit *unit, const struct wire_message *message)
{
    char since[DURATION_TEXT_SIZE];

    log_error("[%s/%s#%llu] ignores its cancellation since %s: %s", unit->name, message->name,
              (unsigned long long)message->number,
              duration_format(message->duration, since, sizeof(since)), message->text);
    host_note_hang(unit->tenancy->host, unit->slot);
    host_kill(unit->tenancy->host, "%s/%s hangs: it ignored its cancellation for %s", unit->name,
              message->name, since);
}

/* The path may name another file now than when the configuration was read. A host that lies harms only itself: its module
 * restarts in vain, or keeps running the old file. */
static void note_loaded(struct unit *unit, const struct wire_message *message)
{
    struct tenancy *tenancy = unit->tenancy;
    struct loaded_slot *slot = loaded_slot(&tenancy->loaded, unit->slot);
    const struct file_id file_id = {
        .device = message->device, .inode = message->inode, .mtime = message->mtime};

    if (!slot)
        return;
    slot->file_id = file_id;
    slot->reentrant = message->flags & WIRE_LOADED_REENTRANT;
    /* A late message belongs to a start with settings that are no longer in force. */
    if (tenancy->condemned || (unit->state != UNIT_STARTING && unit->state != UNIT_CHECKING) ||
        strcmp(slot->path, unit->settings->path) != 0 || file_id_equal(&unit->file_id, &file_id))
        return;
    unit->file_id = file_id;
    log_notice("[%s] %s is another file than at the last reload: it runs the new one", unit->name,
               unit->settings->path);
    supervisor_changed(unit->supervisor);
}

/* Most messages are events of the unit's machine. */
static bool find_event(enum wire_type type, enum unit_event *ret_event)
{
    static const struct {
        enum wire_type type;
        enum unit_event event;
    } table[] = {
        {WIRE_CHECKED, UNIT_EVENT_CHECKED},      {WIRE_READY, UNIT_EVENT_READY},
        {WIRE_FAILED, UNIT_EVENT_MODULE_FAILED}, {WIRE_STOPPED, UNIT_EVENT_MODULE_STOPPED},
        {WIRE_DEFERRED, UNIT_EVENT_DEFERRED},    {WIRE_RELOADING, UNIT_EVENT_RELOADING},
        {WIRE_RELOADED, UNIT_EVENT_RELOADED},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].type == type) {
            *ret_event = table[i].event;
            return true;
        }
    return false;
}

static void host_said(struct host *host, const struct wire_message *message, void *arg)
{
    struct tenancy *tenancy = arg;
    struct unit *unit = tenancy_find_slot(tenancy, message->module);
    struct unit_input input = {.message = message};
    enum unit_event event;

    if (!unit || !unit->attached) {
        host_kill(host, "it sent %s for module %u, which it does not have",
                  wire_type_name(message->type), message->module);
        return;
    }
    if (find_event(message->type, &event)) {
        unit_handle(unit, event, &input);
        return;
    }
    switch (message->type) {
    case WIRE_LOADED:
        note_loaded(unit, message);
        break;
    case WIRE_OPTION_ERROR:
        /* Its host says what is past when it starts. */
        if (unit->option_errors++ >= check_errors_max(unit->settings))
            host_kill(host, "it told more errors than a section can have");
        else if (!(message->flags & WIRE_OPTION_PAST))
            supervisor_option_error(unit, message);
        break;
    case WIRE_ACCEPTED:
    case WIRE_RESULT:
        /* Who has the result and then asks for health must not be shown how it was before. */
        tenancy->supervisor->generation++;
        request_answered(&tenancy->supervisor->requests, unit, message);
        break;
    case WIRE_BUSY:
        watch_expect(tenancy->supervisor->watch, message->deadline);
        break;
    case WIRE_NODE:
        request_answered(&tenancy->supervisor->requests, unit, message);
        break;
    case WIRE_OVERDUE:
        task_overdue(unit, message);
        break;
    case WIRE_PROGRESS:
        string_copy(unit->activity, sizeof(unit->activity), message->text);
        text_clean_lines(unit->activity, sizeof(unit->activity));
        supervisor_changed(tenancy->supervisor);
        break;
    default:
        host_kill(host, "it sent an unexpected %s", wire_type_name(message->type));
    }
}

/* The scoreboard already agrees with the line, but a snapshot taken before may not: it is old now. */
static void host_told(void *arg)
{
    struct tenancy *tenancy = arg;

    tenancy->supervisor->generation++;
}

/* The tenant at fault, as the record of the crash or hang names it. NULL: unknown. */
static const struct unit *find_guilty(const struct tenancy *tenancy)
{
    const struct scoreboard *board = host_scoreboard(tenancy->host);
    struct scoreboard_stack stack;

    if (!board)
        return NULL;
    scoreboard_read_stack(&board->crash, &stack);
    if (!stack.head.used)
        scoreboard_read_stack(&board->hang, &stack);
    return stack.head.used ? tenancy_find_slot(tenancy, stack.module) : NULL;
}

void tenancy_close_books(struct unit *unit, const struct host_end *end)
{
    struct supervisor *supervisor = unit->supervisor;
    const struct scoreboard *board = host_scoreboard(unit->tenancy->host);
    bool expected = !end || end->asked;
    struct crash_frames frames;
    uint64_t lost;

    if (!expected)
        unit->crash = (struct crash){0};
    if (!board)
        return;
    ledger_close_board(supervisor->ledger, unit->name, board, unit->slot);
    lost = tally_close(&unit->tally, board, unit->slot, end ? end->text : "the module stopped");
    unit->jobs_lost += lost;
    if (lost > 0)
        log_line(expected ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR, "[%s] %llu %s lost with its host",
                 unit->name, (unsigned long long)lost, plural(lost, "job was", "jobs were"));
    if (expected)
        return;
    crash_read(board, unit->slot, &unit->crash, &frames);
    unit->crashes += unit->crash.id > 0 && !unit->crash.hang;
    symbols_look_up(supervisor->symbols, unit, &frames);
}

static void host_went(struct host *host, const struct host_end *end, void *arg)
{
    struct tenancy *tenancy = arg;
    const struct unit *guilty = find_guilty(tenancy);
    struct unit *unit, *next;

    /* What belonged to the dead incarnation first, while its scoreboard is there. */
    LIST_FOREACH (unit, &tenancy->units, tenancy_list) {
        if (unit->attached)
            tenancy_close_books(unit, end);
        tally_new_host(&unit->tally);
    }
    LIST_FOREACH_SAFE (unit, next, &tenancy->units, tenancy_list) {
        struct unit_input input = {.end = end, .guilty = guilty != unit ? guilty : NULL};

        if (!unit->attached)
            continue;
        unit->attached = false;
        unit->hangs += end->hung && end->hung_slot == unit->slot;
        requests_host_ended(&tenancy->supervisor->requests, unit, end->text);
        unit_handle(unit, UNIT_EVENT_HOST_ENDED, &input);
    }
    supervisor_changed(tenancy->supervisor);
}

const struct host_events tenancy_events = {
    .up = host_came_up,
    .message = host_said,
    .ended = host_went,
    .owns = is_tenant,
    .exists = is_module,
    .told = host_told,
};
