/* SPDX-License-Identifier: MIT */
#include "daemon/unit/host_reports.h"

#include <string.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/process/crash.h"
#include "daemon/unit/check.h"
#include "daemon/unit/counters.h"
#include "daemon/unit/last_runs.h"
#include "daemon/unit/loaded.h"
#include "daemon/unit/machine.h"
#include "daemon/unit/request.h"
#include "daemon/unit/symbols.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"
#include "wire/message.h"
#include "wire/scoreboard.h"

/* How many of the modules that end with their host are named in the log. */
#define NAMES_MAX 10

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

    return units_find(tenancy->all, module) != NULL;
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

/* The path may name another file now than when the configuration was read. A host that lies harms
 * only itself: its module restarts in vain, or keeps running the old file. */
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
    units_changed(unit->all);
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

/* With the nearest key of all that may stand there. */
static void option_error(struct unit *unit, const struct wire_message *message)
{
    struct config_errors *errors = &unit->all->check_errors;

    check_add_option_error(errors, unit->settings, message);
    /* Past the first check there is nobody to collect for. */
    if (unit->state != UNIT_CHECKING && errors->texts.count > 0)
        log_error("%s", errors->texts.items[errors->texts.count - 1]);
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
            option_error(unit, message);
        break;
    case WIRE_ACCEPTED:
    case WIRE_RESULT:
        /* A client that has the result and then asks for health must not be shown how it was
         * before. */
        tenancy->all->generation++;
        request_answered(tenancy->all->requests, unit, message);
        break;
    case WIRE_BUSY:
        tenancy->all->owner->expects(message->deadline, tenancy->all->arg);
        break;
    case WIRE_NODE:
        request_answered(tenancy->all->requests, unit, message);
        break;
    case WIRE_OVERDUE:
        task_overdue(unit, message);
        break;
    case WIRE_PROGRESS:
        string_copy(unit->activity, sizeof(unit->activity), message->text);
        text_clean_lines(unit->activity, sizeof(unit->activity));
        units_changed(tenancy->all);
        break;
    default:
        host_kill(host, "it sent an unexpected %s", wire_type_name(message->type));
    }
}

/* The scoreboard already agrees with the line, but a snapshot taken before may not: it is old now.
 */
static void host_told(void *arg)
{
    struct tenancy *tenancy = arg;

    tenancy->all->generation++;
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

/* "3 modules: a, b, c": those that end with it beside the one at fault. Returns how many. */
static size_t name_ended(const struct tenancy *tenancy, const struct unit *guilty,
                         struct text *ret_text)
{
    cleanup_text struct text names = {0};
    const struct unit *unit;
    size_t count = 0;

    LIST_FOREACH (unit, &tenancy->units, tenancy_list) {
        if (!unit->attached || unit == guilty)
            continue;
        if (count <= NAMES_MAX)
            text_append_format(&names, "%s%s", count > 0 ? ", " : "",
                               count < NAMES_MAX ? unit->name : "...");
        count++;
    }
    text_append_format(ret_text, "%zu %s%s: %s", count, guilty ? "other " : "",
                       plural(count, "module", "modules"), text_string(&names));
    return count;
}

/* Nobody's in particular. */
static void tell_host_end(const struct host *host, const struct host_end *end, const char *names)
{
    const struct scoreboard *board = host_scoreboard(host);
    struct crash crash = {0};
    char place[sizeof(crash)];

    if (board)
        crash_read(board, SCOREBOARD_ANY, &crash, NULL);
    crash_describe(&crash, place, sizeof(place));
    log_about(unit_event_of(end), LOG_LEVEL_ERROR, "[host %s] %s; with it end %s%s%s",
              host_name(host), end->text, names, place[0] ? "; " : "", place);
    if (end->words[0] != '\0')
        log_error("[host %s] its last lines: %s", host_name(host), end->words);
}

/* A host with hundreds of modules is not to fill the log with as many lines that say the same. The
 * modules' status says it, too. Returns false where there is none that has not a line of its own.
 */
static bool tell_once(const struct tenancy *tenancy, const struct unit *guilty,
                      const struct host_end *end)
{
    cleanup_text struct text names = {0};
    size_t count = name_ended(tenancy, guilty, &names);

    if (end->asked || count < (guilty ? 1 : 2))
        return false;
    if (guilty)
        log_error("[%s] ends its host, with %s", guilty->name, text_string(&names));
    else
        tell_host_end(tenancy->host, end, text_string(&names));
    return true;
}

static void read_crash(struct unit *unit, bool told)
{
    const struct scoreboard *board = host_scoreboard(unit->tenancy->host);
    struct crash_frames frames;

    unit->crash = (struct crash){0};
    if (!board)
        return;
    crash_read(board, unit->slot, &unit->crash, &frames);
    unit->crashes += unit->crash.id > 0 && !unit->crash.hang;
    symbols_look_up(unit->all->symbols, unit, &frames, told);
}

static void host_went(struct host *host, const struct host_end *end, void *arg)
{
    struct tenancy *tenancy = arg;
    const struct unit *guilty = find_guilty(tenancy);
    bool told = tell_once(tenancy, guilty, end), named = false;
    struct unit *unit, *next;

    /* The records of the dead incarnation first, while its scoreboard is there. */
    LIST_FOREACH (unit, &tenancy->units, tenancy_list) {
        if (unit->attached)
            tenancy_close_books(unit, end);
        if (unit->attached && !end->asked) {
            /* The names of the frames are the same for all. */
            read_crash(unit, told && unit != guilty && named);
            named = true;
        }
        counters_new_host(&unit->counters);
    }
    LIST_FOREACH_SAFE (unit, next, &tenancy->units, tenancy_list) {
        struct unit_input input = {
            .end = end, .guilty = guilty != unit ? guilty : NULL, .told = told && unit != guilty};

        if (!unit->attached)
            continue;
        unit->attached = false;
        unit->hangs += end->hung && end->hung_slot == unit->slot;
        requests_host_ended(tenancy->all->requests, unit, end->text);
        unit_handle(unit, UNIT_EVENT_HOST_ENDED, &input);
    }
    units_changed(tenancy->all);
}

const struct host_events host_reports = {
    .up = host_came_up,
    .message = host_said,
    .ended = host_went,
    .owns = is_tenant,
    .exists = is_module,
    .told = host_told,
};
