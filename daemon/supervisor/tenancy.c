/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/tenancy.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/shown.h"
#include "daemon/supervisor/check.h"
#include "daemon/supervisor/crash.h"
#include "daemon/supervisor/goal.h"
#include "daemon/supervisor/ledger.h"
#include "daemon/supervisor/request.h"
#include "daemon/supervisor/supervisor_internal.h"
#include "daemon/supervisor/symbols.h"
#include "daemon/supervisor/unit.h"
#include "daemon/supervisor/watch.h"

static void host_came_up(struct host *host, void *arg);
static void host_said(struct host *host, const struct wire_message *message, void *arg);
static void host_went(struct host *host, const struct host_end *end, void *arg);

static bool is_tenant(const char *module, void *arg);
static bool is_module(const char *module, void *arg);
static void host_told(void *arg);
static const struct host_events events = {
    .up = host_came_up,
    .message = host_said,
    .ended = host_went,
    .owns = is_tenant,
    .exists = is_module,
    .told = host_told,
};

struct tenancy *tenancy_find(struct supervisor *supervisor, const char *name)
{
    struct tenancy *tenancy;

    LIST_FOREACH (tenancy, &supervisor->tenancies, list)
        if (strcmp(host_name(tenancy->host), name) == 0)
            return tenancy;
    return NULL;
}

static struct tenancy *make_tenancy(struct supervisor *supervisor, const struct unit *unit)
{
    struct tenancy *tenancy = calloc(1, sizeof(*tenancy));
    struct host_options options = {
        .name = unit->settings->host,
        .program = supervisor->host_program,
        .directory = supervisor->places.state,
        .grace = unit->settings->grace,
    };

    if (!tenancy)
        return NULL;
    tenancy->supervisor = supervisor;
    list_init(&tenancy->units);
    if (host_create(supervisor->loop, supervisor->spawner, &options, &events, tenancy,
                    &tenancy->host) < 0) {
        free(tenancy);
        return NULL;
    }
    list_append(&supervisor->tenancies, &tenancy->list);
    return tenancy;
}

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

/* The unit that the present process runs in the slot. */
static struct unit *find_slot(const struct tenancy *tenancy, uint32_t slot)
{
    struct unit *unit;

    LIST_FOREACH (unit, &tenancy->units, tenancy_list)
        if (unit->attached && unit->slot == slot)
            return unit;
    return NULL;
}

int tenancy_join(struct supervisor *supervisor, struct unit *unit)
{
    struct tenancy *tenancy = tenancy_find(supervisor, unit->settings->host);

    if (!tenancy)
        tenancy = make_tenancy(supervisor, unit);
    if (!tenancy)
        return -ENOMEM;
    list_append(&tenancy->units, &unit->tenancy_list);
    unit->tenancy = tenancy;
    return 0;
}

void tenancy_leave(struct unit *unit)
{
    struct tenancy *tenancy = unit->tenancy;

    if (!tenancy)
        return;
    list_remove(&unit->tenancy_list);
    unit->tenancy = NULL;
    if (!list_is_empty(&tenancy->units))
        return;
    list_remove(&tenancy->list);
    host_destroy(tenancy->host);
    loaded_clear(&tenancy->loaded);
    free(tenancy);
}

/* Where the tenants' .so files are: a host that may read only some paths must read these. */
static int find_folders(const struct tenancy *tenancy, struct strings *ret_folders)
{
    const struct unit *unit;

    LIST_FOREACH (unit, &tenancy->units, tenancy_list) {
        const char *path = unit->settings->path, *slash = strrchr(path, '/');

        if (strings_take(ret_folders, format_new("%.*s/", (int)(slash ? slash - path : 0), path)) <
            0)
            return -ENOMEM;
    }
    return 0;
}

/* Tenants have the same limits, so any one's will do; but during a reload some may be about to leave. */
void tenancy_set_limits(const struct unit *unit)
{
    struct host *host = unit->tenancy->host;
    cleanup_strings struct strings folders = {0};

    host_set_grace(host, unit->settings->grace);
    /* A folder that is missing for want of memory is one that cannot be read, which is told. */
    (void)find_folders(unit->tenancy, &folders);
    host_set_limits(host, &unit->settings->limits, &folders);
}

/* A new incarnation. */
static void start_host(struct unit *unit)
{
    loaded_clear(&unit->tenancy->loaded);
    unit->tenancy->condemned = false;
    tenancy_set_limits(unit);
    host_start(unit->tenancy->host);
}

/* A tenant that is to stay has the slot, rightly: in the next process it would be the same. */
static bool is_tenants(const struct tenancy *tenancy, uint32_t slot)
{
    const struct unit *unit = find_slot(tenancy, slot);

    return unit && !unit->removed &&
           strcmp(unit->settings->path, tenancy->loaded.slots[slot].path) == 0;
}

/* Whether there is no process, or one that the module could run in as far as its limits go. */
static bool has_limits(const struct tenancy *tenancy, const struct config_module *settings)
{
    return host_state(tenancy->host) == HOST_ABSENT ||
           (!host_is_foreign(tenancy->host) &&
            host_has_limits(tenancy->host, &settings->limits, settings->path));
}

bool tenancy_suits(const struct tenancy *tenancy, const struct config_module *settings)
{
    uint32_t slot;

    return has_limits(tenancy, settings) &&
           (host_state(tenancy->host) == HOST_ABSENT ||
            loaded_find(&tenancy->loaded, settings, &settings->file_id, &slot) == 0);
}

bool tenancy_has_room(const struct unit *unit)
{
    const struct tenancy *tenancy = unit->tenancy;
    enum host_state state = host_state(tenancy->host);
    uint32_t slot;
    int r;

    if (state == HOST_ABSENT)
        return true;
    if (state == HOST_ENDING || tenancy->condemned || !has_limits(tenancy, unit->settings))
        return false;
    r = loaded_find(&tenancy->loaded, unit->settings, &unit->file_id, &slot);
    /* The host refuses a file that it has loaded for another, and that is then what is wrong. */
    return r == 0 || (r == -EEXIST && is_tenants(tenancy, slot));
}

void tenancy_condemn(struct tenancy *tenancy, const struct cause *cause, struct errand *errand)
{
    struct unit *unit;

    if (tenancy->condemned || host_state(tenancy->host) == HOST_ABSENT ||
        host_state(tenancy->host) == HOST_ENDING)
        return;
    tenancy->condemned = true;
    LIST_FOREACH (unit, &tenancy->units, tenancy_list)
        if (unit->attached)
            goal_bounce(unit, cause, errand);
}

void tenancy_make_room(struct unit *unit)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_RELOAD};

    if (tenancy_has_room(unit) || host_is_foreign(unit->tenancy->host))
        return;
    snprintf(cause.text, sizeof(cause.text), "module %.64s needs a new process for its host",
             unit->name);
    tenancy_condemn(unit->tenancy, &cause, NULL);
}

void tenancy_attach(struct unit *unit)
{
    struct tenancy *tenancy = unit->tenancy;

    unit->attached = true;
    if (host_state(tenancy->host) == HOST_ABSENT)
        start_host(unit);
    /* Who has no memory to note what is loaded where must not load anything after it. */
    if (loaded_take(&tenancy->loaded, unit->settings, &unit->file_id, &unit->slot) < 0) {
        host_kill(tenancy->host, "no memory for the module %s", unit->name);
        return;
    }
    if (host_state(tenancy->host) == HOST_UP)
        unit_handle(unit, UNIT_EVENT_HOST_UP, NULL);
}

int tenancy_restore_slot(struct unit *unit, struct state_error *error)
{
    struct loaded_slot *slot = &unit->tenancy->loaded.slots[unit->slot];

    if (slot->name && strcmp(slot->name, unit->name) != 0) {
        snprintf(error->text, sizeof(error->text), "module %s is said to be in the slot of %s",
                 unit->name, slot->name);
        return -EBADMSG;
    }
    if (slot->name)
        return 0;
    *slot = (struct loaded_slot){strdup(unit->settings->name), strdup(unit->settings->path),
                                 unit->file_id};
    return slot->name && slot->path ? 0 : -ENOMEM;
}

bool tenancy_release(struct unit *unit, const char *cause)
{
    struct unit *other;

    if (!unit->attached)
        return false;
    LIST_FOREACH (other, &unit->tenancy->units, tenancy_list)
        if (other != unit && other->attached) {
            unit->attached = false;
            return false;
        }
    host_exit(unit->tenancy->host, cause);
    return true;
}

/* A pause after failures is over for one that a person has started. */
static void send_last_run(const char *task, const struct ledger_known *known, void *arg)
{
    const struct unit *unit = arg;
    struct wire_message message = {
        .type = WIRE_LAST_RUN,
        .module = unit->slot,
        .flags = (unit->was_down ? 0 : WIRE_LAST_RUN_OWED) |
                 (known->stopped ? WIRE_LAST_RUN_STOPPED : 0),
        .line = unit->was_down ? 0 : known->failures,
        .number = (uint64_t)known->settled,
        .deadline = known->open,
        .since = known->passed_until,
        .name = task,
    };

    host_send(unit->tenancy->host, &message);
}

void tenancy_send_module(struct unit *unit, enum wire_type how)
{
    struct host *host = unit->tenancy->host;
    const struct config_module *settings = unit->settings;
    struct wire_message message = {
        .type = WIRE_LOAD, .module = unit->slot, .name = settings->name, .path = settings->path};

    unit->option_errors = 0;
    host_send(host, &message);
    for (size_t i = 0; i < settings->option_count; i++)
        host_send_option(host, unit->slot, &settings->options[i]);
    if (how == WIRE_START) {
        ledger_each(unit->supervisor->ledger, unit->name, send_last_run, unit);
        unit->was_down = false;
    }
    message = (struct wire_message){.type = how,
                                    .module = unit->slot,
                                    .number = unit->reload_number,
                                    .timeout = settings->reload_timeout};
    host_send(host, &message);
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

/* Its path may name another file by now than when the configuration was read. A host that lies about it fools
 * nobody but itself: its module is restarted in vain, or not with the new file. */
static void note_loaded(struct unit *unit, const struct wire_message *message)
{
    struct tenancy *tenancy = unit->tenancy;
    struct loaded_slot *slot = &tenancy->loaded.slots[unit->slot];
    const struct file_id file_id = {
        .device = message->device, .inode = message->inode, .mtime = message->mtime};

    slot->file_id = file_id;
    /* What comes late is of a start with settings that are no longer in force. */
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
    struct unit *unit = find_slot(tenancy, message->module);
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
        text_clean_lines(unit->activity);
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
    return stack.head.used ? find_slot(tenancy, stack.module) : NULL;
}

void tenancy_close_books(struct unit *unit, bool expected)
{
    struct supervisor *supervisor = unit->supervisor;
    const struct scoreboard *board = host_scoreboard(unit->tenancy->host);
    struct crash_frames frames;
    uint64_t lost;

    if (!expected)
        unit->crash = (struct crash){0};
    if (!board)
        return;
    ledger_read_board(supervisor->ledger, unit->name, board, unit->slot);
    lost = tally_close(&unit->tally, board, unit->slot);
    unit->jobs_lost += lost;
    if (lost > 0)
        log_line(expected ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR,
                 "[%s] %llu jobs were lost with its host", unit->name, (unsigned long long)lost);
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
            tenancy_close_books(unit, end->asked);
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
