/* SPDX-License-Identifier: MIT */
#include "daemon/control/sequence.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/text.h"
#include "daemon/control/goal.h"
#include "daemon/loop/descriptors.h"
#include "daemon/loop/http.h"
#include "daemon/process/host.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "daemon/unit/units.h"

/* For how long units are told to start or stop before others have their turn. Each telling wakes a
 * host, which may take the processor of a busy machine. */
#define TURN NSEC_PER_MSEC

/* Each start is a process or two that want to run, and where reeved has to share a processor it
 * waits behind them: with four for each, a probe of a thousand that start waited twice as long, and
 * they were ready 10 % sooner. A stop is short: one for each would take twice as long as four. */
#define STARTS_PER_PROCESSOR 1
#define STOPS_PER_PROCESSOR  4

/* So many of those that wait for descriptors start at once when there are some. */
#define STARVED_MAX 64

int sequence_init(struct sequence *sequence, struct units *units, void (*again)(void *arg),
                  void *arg)
{
    sequence->units = units;
    return pace_init(&sequence->pace, units->loop, again, arg);
}

void sequence_finish(struct sequence *sequence)
{
    pace_finish(&sequence->pace);
}

void sequence_note(struct sequence *sequence, struct unit *unit)
{
    pace_end(&sequence->pace, unit);
}

void sequence_forget(struct sequence *sequence, struct unit *unit)
{
    pace_end(&sequence->pace, unit);
    if (sequence->begun_last == unit)
        sequence->begun_last = NULL;
}

/* Whether another unit may be told in this turn; else the next settling goes on. */
static bool has_time(struct units *units, int64_t begun)
{
    if (clock_monotonic() - begun < TURN)
        return true;
    units_changed(units);
    return false;
}

/* Those whose turn it is in one settling. */
struct turn {
    int64_t begun;
    bool told; /* one of them has been */
    /* Descriptors, once they were looked for. */
    bool looked;
    bool frees;      /* units that stop will give some back, */
    bool starved;    /* or there are units that had none; then: */
    unsigned room;   /* that is for so many processes, beside those to be spawned; */
    unsigned coming; /* so many are about to be wanted by who had one, or could have one, */
    unsigned later;  /* and so many after a backoff */
};

/* A host has one claim, however many modules share it. Returns whether it had none. */
static bool make_claim(struct unit *unit, enum claim claim)
{
    if (unit->tenancy->claim != CLAIM_NONE)
        return false;
    unit->tenancy->claim = claim;
    return true;
}

static unsigned count_pending(struct units *units)
{
    unsigned pending = 0;
    struct unit *unit;

    LIST_FOREACH (unit, &units->list, list)
        if (unit->state == UNIT_STARTING && host_pid(unit->tenancy->host) == 0)
            pending += make_claim(unit, CLAIM_PENDING);
    return pending;
}

/* The descriptors that others than those that had none will want. */
static void count_claims(struct units *units, struct turn *turn)
{
    const struct unit *culprit;
    struct unit *unit;

    LIST_FOREACH (unit, &units->list, list) {
        bool absent = host_state(unit->tenancy->host) == HOST_ABSENT;

        if (unit->starved)
            continue;
        if ((unit->state == UNIT_STOPPING && unit->wanted) ||
            (unit->state == UNIT_WAITING && absent && unit->goal == GOAL_NONE &&
             dependencies_wait(unit, &culprit) == WAIT_MAY))
            turn->coming += make_claim(unit, CLAIM_COMING);
        else if (unit->state == UNIT_BACKOFF && absent)
            turn->later += make_claim(unit, CLAIM_LATER);
    }
}

static void look_for_descriptors(struct units *units, struct turn *turn)
{
    struct unit *unit;
    unsigned pending;

    if (turn->looked)
        return;
    turn->looked = true;
    LIST_FOREACH (unit, &units->list, list) {
        turn->frees = turn->frees || unit->state == UNIT_STOPPING;
        turn->starved = turn->starved || unit->starved;
        unit->tenancy->claim = CLAIM_NONE;
    }
    if (!turn->frees && !turn->starved)
        return;
    pending = count_pending(units);
    if (turn->starved)
        count_claims(units, turn);
    turn->room = hosts_that_can_start(pending + turn->coming + turn->later + STARVED_MAX);
    turn->room -= MIN(turn->room, pending);
}

/* Whether there are no descriptors for its process until others have stopped, or have their own
 * back: who had none leaves them to those. When nobody moves it falls, with what to do about it. */
static bool awaits_descriptors(struct unit *unit, struct turn *turn)
{
    unsigned others;

    if (host_state(unit->tenancy->host) != HOST_ABSENT)
        return false;
    look_for_descriptors(unit->all, turn);
    others = unit->starved ? turn->coming - (unit->tenancy->claim == CLAIM_COMING) : 0;
    return (turn->frees || others > 0) &&
           turn->room + http_yieldable() / DESCRIPTORS_HOST <= others;
}

/* Its process is one of those to be spawned from now on. */
static void take_room(struct unit *unit, struct turn *turn)
{
    turn->room -= turn->room > 0;
    if (unit->tenancy->claim == CLAIM_COMING)
        turn->coming--;
    unit->tenancy->claim = CLAIM_PENDING;
}

static void start_one(struct sequence *sequence, struct unit *unit, struct turn *turn)
{
    const struct unit *culprit;
    enum dependencies_wait wait = dependencies_wait(unit, &culprit);
    bool absent = host_state(unit->tenancy->host) == HOST_ABSENT;

    if (wait == WAIT_MAY && awaits_descriptors(unit, turn)) {
        string_copy(unit->reason, sizeof(unit->reason),
                    "waits for the descriptors of modules that stop");
        return;
    }
    if (wait == WAIT_MAY)
        unit_handle(unit, UNIT_EVENT_PROCEED, NULL);
    else if (wait == WAIT_MOVES && !culprit)
        goal_make_room(unit);
    if (unit->state == UNIT_STARTING) {
        pace_begin(&sequence->pace, unit);
        sequence->begun_last = unit;
        turn->told = true;
        if (absent)
            take_room(unit, turn);
    }
    if (unit->state == UNIT_WAITING)
        dependencies_describe_wait(unit, unit->reason, sizeof(unit->reason));
}

/* From the one behind the last that was begun: those that fall at once, and wait again, do not take
 * the turns of others. Returns false where the rest has to wait. */
static bool start_those(struct sequence *sequence, bool fell, struct turn *turn)
{
    struct units *units = sequence->units;
    const struct unit *last = sequence->begun_last;
    struct list *first = last ? last->list.next : units->list.next, *node = first;

    do {
        struct unit *unit = list_entry(node, struct unit, list);

        node = node->next;
        if (&unit->list == &units->list || unit->state != UNIT_WAITING || unit->goal != GOAL_NONE ||
            (unit->history.streak > 0) != fell)
            continue;
        if (!pace_has_room(&sequence->pace, STARTS_PER_PROCESSOR) ||
            (turn->told && !has_time(units, turn->begun)))
            return false;
        start_one(sequence, unit, turn);
    } while (node != first);
    return true;
}

/* For whom there were no descriptors need not wait for the end of its backoff when there are, but
 * for those that others come back for. */
static void end_waits(struct units *units, struct turn *turn)
{
    unsigned ended = 0;
    struct unit *unit;

    LIST_FOREACH (unit, &units->list, list) {
        if (!unit->starved || unit->state != UNIT_BACKOFF || unit->goal != GOAL_NONE ||
            units->quiet)
            continue;
        look_for_descriptors(units, turn);
        /* The process of a host that it shares may be there by now. */
        if (host_state(unit->tenancy->host) == HOST_ABSENT) {
            bool shares = unit->tenancy->claim != CLAIM_NONE;

            if (ended == STARVED_MAX || turn->room + shares <= turn->coming + turn->later + ended)
                continue;
            ended += make_claim(unit, CLAIM_ROOM);
        }
        unit_handle(unit, UNIT_EVENT_TIMEOUT, NULL);
    }
}

/* Modules that never ran, or that a person has asked for, go before those that fell. */
void sequence_start(struct sequence *sequence)
{
    struct turn turn = {.begun = clock_monotonic()};

    end_waits(sequence->units, &turn);
    if (start_those(sequence, false, &turn))
        start_those(sequence, true, &turn);
}

static bool is_up(const struct unit *unit)
{
    return !unit_is_down(unit);
}

/* Returns false where it has to wait for its turn. */
static bool stop_one(struct sequence *sequence, struct unit *unit, const struct cause *cause)
{
    struct unit_input input = {.cause = cause};

    if (!pace_has_room(&sequence->pace, STOPS_PER_PROCESSOR))
        return false;
    unit_handle(unit, UNIT_EVENT_STOP, &input);
    if (unit->state == UNIT_STOPPING)
        pace_begin(&sequence->pace, unit);
    return true;
}

bool sequence_stop(struct sequence *sequence, const struct cause *cause)
{
    struct units *units = sequence->units;
    struct unit_input input = {.cause = cause};
    bool all_down = true, stopped = false;
    int64_t begun = clock_monotonic();
    struct unit *unit;

    LIST_FOREACH (unit, &units->list, list)
        if (is_up(unit)) {
            all_down = false;
            unit->wanted = false;
            if (unit->state == UNIT_STOPPING || !dependencies_may_stop(unit))
                continue;
            if (stopped && !has_time(units, begun))
                break;
            stopped = true;
            if (!stop_one(sequence, unit, cause))
                break;
        }
    unit = stopped ? NULL : dependencies_untie(units, is_up);
    if (unit)
        unit_handle(unit, UNIT_EVENT_STOP, &input);
    return all_down;
}
