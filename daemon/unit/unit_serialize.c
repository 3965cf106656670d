/* SPDX-License-Identifier: MIT */
/*
 * Only units at rest are handed over: ready, stopped, failed, in their backoff, or waiting for one
 * that is. The rest of a unit is plain data then, and when its timer is due.
 */
#include "daemon/unit/unit_serialize.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host.h"
#include "daemon/unit/counters.h"
#include "daemon/unit/counters_serialize.h"
#include "daemon/unit/policy.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/units.h"

#define UNIT(kind, member) SERIALIZE_MEMBER(kind, struct unit, member, #member)
/* The crash's id is not handed over: no lookup of symbols survives the upgrade. */
#define RESTART(member)                                                                          \
    SERIALIZE_MEMBER(SERIALIZE_UINT, struct unit, member.kind, #member "_kind"),                 \
        SERIALIZE_MEMBER(SERIALIZE_INT, struct unit, member.at, #member "_at"),                  \
        SERIALIZE_MEMBER(SERIALIZE_TEXT, struct unit, member.text, #member "_text"),             \
        SERIALIZE_MEMBER(SERIALIZE_TEXT, struct unit, member.crash.summary, #member "_summary"), \
        SERIALIZE_MEMBER(SERIALIZE_TEXT, struct unit, member.crash.facts, #member "_facts"),     \
        SERIALIZE_MEMBER(SERIALIZE_TEXT, struct unit, member.crash.frames, #member "_frames")

static const struct serialize_field fields[] = {
    UNIT(SERIALIZE_UINT, slot),
    UNIT(SERIALIZE_BOOL, attached),
    UNIT(SERIALIZE_INT, state_since),
    UNIT(SERIALIZE_INT, ready_since),
    UNIT(SERIALIZE_BOOL, wanted),
    UNIT(SERIALIZE_BOOL, held),
    UNIT(SERIALIZE_BOOL, give_up),
    UNIT(SERIALIZE_BOOL, was_down),
    UNIT(SERIALIZE_BOOL, revived),
    UNIT(SERIALIZE_BOOL, starved),
    SERIALIZE_MEMBER(SERIALIZE_INT, struct unit, cause.code, "cause_code"),
    SERIALIZE_MEMBER(SERIALIZE_UINT, struct unit, cause.kind, "cause_kind"),
    SERIALIZE_MEMBER(SERIALIZE_TEXT, struct unit, cause.text, "cause_text"),
    UNIT(SERIALIZE_TEXT, reason),
    SERIALIZE_MEMBER(SERIALIZE_UINT, struct unit, crash.id, "crash_id"),
    SERIALIZE_MEMBER(SERIALIZE_BOOL, struct unit, crash.hang, "crash_hang"),
    SERIALIZE_MEMBER(SERIALIZE_TEXT, struct unit, crash.task, "crash_task"),
    SERIALIZE_MEMBER(SERIALIZE_TEXT, struct unit, crash.summary, "crash_summary"),
    SERIALIZE_MEMBER(SERIALIZE_TEXT, struct unit, crash.facts, "crash_facts"),
    SERIALIZE_MEMBER(SERIALIZE_TEXT, struct unit, crash.frames, "crash_frames"),
    RESTART(next_restart),
    RESTART(last_restart),
    UNIT(SERIALIZE_TEXT, activity),
    UNIT(SERIALIZE_TEXT, deferred),
    UNIT(SERIALIZE_UINT, reload_number),
    SERIALIZE_MEMBER(SERIALIZE_UINT, struct unit, history.streak, "restart_streak"),
    UNIT(SERIALIZE_UINT, starts),
    UNIT(SERIALIZE_UINT, restarts),
    UNIT(SERIALIZE_UINT, crashes),
    UNIT(SERIALIZE_UINT, hangs),
    UNIT(SERIALIZE_UINT, jobs_lost),
    SERIALIZE_MEMBER(SERIALIZE_UINT, struct unit, file_id.device, "file_device"),
    SERIALIZE_MEMBER(SERIALIZE_UINT, struct unit, file_id.inode, "file_inode"),
    SERIALIZE_MEMBER(SERIALIZE_INT, struct unit, file_id.mtime, "file_mtime"),
    SERIALIZE_END,
};

/* When it was restarted, the oldest first. */
static json_t *save_history(const struct policy_history *history)
{
    json_t *times = json_array();

    for (unsigned i = 0; i < history->size; i++) {
        int64_t time = history->times[(history->next + i) % history->size];

        if (time != 0)
            json_array_append_new(times, json_integer(time));
    }
    return times;
}

static void load_history(struct policy_history *history, const json_t *times)
{
    size_t count = json_array_size(times), kept = MIN(count, (size_t)history->size);

    for (size_t i = 0; i < kept; i++)
        history->times[history->size - kept + i] =
            json_integer_value(json_array_get(times, count - kept + i));
    history->next = 0;
}

static json_t *save_tally(struct unit *unit, bool fold)
{
    struct host *host = unit->tenancy->host;
    const struct scoreboard *board =
        fold && unit->attached && host_state(host) == HOST_UP ? host_scoreboard(host) : NULL;
    struct counters sum;
    json_t *json;

    if (counters_copy(&unit->counters, board, unit->slot, &sum) < 0)
        return NULL;
    sum.closed_books = unit->counters.closed_books;
    json = counters_save(&sum);
    counters_free(&sum);
    return json;
}

json_t *unit_save(struct unit *unit, bool fold)
{
    json_t *json = serialize(fields, unit);

    if (!json || json_object_set_new(json, "name", serialize_text(unit->name)) < 0 ||
        json_object_set_new(json, "state", json_string(unit_state_name(unit->state))) < 0 ||
        json_object_set_new(json, "timer", json_integer(loop_timer_due(unit->timer))) < 0 ||
        json_object_set_new(json, "restarted_at", save_history(&unit->history)) < 0 ||
        json_object_set_new(json, "tally", save_tally(unit, fold)) < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* A state that units rest in, by its name; UNIT_STATE_COUNT for another. */
static enum unit_state find_state(const char *name)
{
    static const enum unit_state lasting[] = {UNIT_STOPPED, UNIT_WAITING, UNIT_READY, UNIT_BACKOFF,
                                              UNIT_FAILED};

    for (size_t i = 0; name && i < ARRAY_SIZE(lasting); i++)
        if (strcmp(unit_state_name(lasting[i]), name) == 0)
            return lasting[i];
    return UNIT_STATE_COUNT;
}

static int load(struct unit *unit, const json_t *state, struct serialize_error *error)
{
    const char *name = json_string_value(json_object_get(state, "state"));
    int r;

    /* One of an older version says nothing of it. */
    unit->was_down = false;
    r = deserialize(state, fields, unit, error);
    if (r < 0)
        return r;
    unit->state = find_state(name);
    if (unit->state == UNIT_STATE_COUNT || unit->slot >= SCOREBOARD_MODULES ||
        (unit->state == UNIT_READY && !unit->attached)) {
        snprintf(error->text, sizeof(error->text), "module %s is said to be \"%s\", in slot %u",
                 unit->settings->name, name ? name : "", unit->slot);
        return -EBADMSG;
    }
    unit->was_down = unit->was_down || unit->starts == 0 || unit_is_down(unit);
    load_history(&unit->history, json_object_get(state, "restarted_at"));
    return counters_load(&unit->counters, json_object_get(state, "tally"), error);
}

int unit_check_state(const json_t *state, const struct config_module *settings,
                     struct serialize_error *error)
{
    struct unit *unit = calloc(1, sizeof(*unit));
    int r;

    if (!unit)
        return -ENOMEM;
    unit->settings = settings;
    r = policy_history_resize(&unit->history, settings->restart_limit.count);
    if (r == 0)
        r = load(unit, state, error);
    policy_history_free(&unit->history);
    counters_free(&unit->counters);
    free(unit);
    return r;
}

int unit_restore(struct unit *unit, const json_t *state, struct serialize_error *error)
{
    int64_t due = json_integer_value(json_object_get(state, "timer"));
    int r = load(unit, state, error);

    if (r == 0 && due != 0)
        loop_timer_arm(unit->timer, due - clock_monotonic());
    else if (r == 0 && unit->state == UNIT_BACKOFF)
        loop_timer_arm(unit->timer, 0);
    return r;
}
