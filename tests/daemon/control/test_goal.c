/* SPDX-License-Identifier: MIT */
/*
 * Goals, dependencies and what is awaited, without processes: units whose hosts are played here.
 * Random graphs, requests and failures; after each step the order holds, and when nothing is left
 * to happen everybody has been told and every unit is where it should be. REEVE_SEED repeats a
 * walk.
 */
#include "daemon/control/goal.h"

#include "base/log.h"
#include "daemon/control/awaited.h"
#include "daemon/control/operate.h"
#include "daemon/unit/dependencies.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/units.h"
#include "tests/support/dice.h"

#define UNITS 6
#define WALKS 400
#define STEPS 120

/* The functions that the files under test call, in place of a supervisor. */
void __wrap_unit_handle(struct unit *unit, enum unit_event event, const struct unit_input *input);
void __wrap_units_changed(struct units *of);
bool __wrap_tenancy_has_room(const struct unit *unit);
const struct scoreboard *__wrap_host_scoreboard(const struct host *host);
int __wrap_loop_timer_create(struct loop *loop, void (*fn)(void *), void *arg,
                             struct loop_timer **ret_timer);
void __wrap_loop_timer_arm(struct loop_timer *timer, int64_t ns);
void __wrap_loop_timer_destroy(struct loop_timer *timer);
int64_t __wrap_loop_timer_due(const struct loop_timer *timer);

static struct units all;
static struct operations operations;
static struct unit units[UNITS];
static struct config_module settings[UNITS];
static char names[UNITS][2];
static struct tenancy tenancies[UNITS];
static unsigned walk_number, asked, told;

struct answer {
    bool told;
    int code;
    char text[200];
};
static struct answer answers[STEPS];

static void say(const char *what, const struct unit *unit)
{
    fprintf(stderr, "walk %u: %s: %s\n", walk_number, unit ? unit->name : "-", what);
}

static void check(bool holds, const char *what, const struct unit *unit)
{
    if (!holds)
        say(what, unit);
    assert_true(holds);
}

/* The machine, in small --------------------------------------------------- */

static void enter(struct unit *unit, enum unit_state state)
{
    unit->state = state;
    all.generation++;
    if (state == UNIT_BACKOFF || unit_is_down(unit))
        awaited_note(unit);
}

static bool requires(const struct unit *unit, const struct unit *other)
{
    return strings_have(&unit->settings->requires, other->name);
}

static bool is_required_by_running(const struct unit *unit)
{
    for (size_t i = 0; i < UNITS; i++)
        if (requires(&units[i], unit) && unit_is_running(&units[i]))
            return true;
    return false;
}

static bool has_all(const struct unit *unit)
{
    for (size_t i = 0; i < UNITS; i++)
        if (requires(unit, &units[i]) && units[i].state != UNIT_READY)
            return false;
    return true;
}

static void stop(struct unit *unit)
{
    if (unit_is_running(unit)) {
        check(!is_required_by_running(unit), "stopped below one that requires it", unit);
        if (unit->state != UNIT_STOPPING)
            enter(unit, UNIT_STOPPING);
    } else if (unit->state == UNIT_WAITING && unit->wanted) {
        enter(unit, UNIT_WAITING);
    } else {
        unit->wanted = false;
        enter(unit, UNIT_STOPPED);
    }
}

static void start(struct unit *unit)
{
    unit->wanted = true;
    if (unit_is_down(unit) || unit->state == UNIT_BACKOFF)
        enter(unit, UNIT_WAITING);
}

void __wrap_unit_handle(struct unit *unit, enum unit_event event, const struct unit_input *input)
{
    (void)input;
    if (event == UNIT_EVENT_STOP)
        stop(unit);
    else if (event == UNIT_EVENT_START)
        start(unit);
}

void __wrap_units_changed(struct units *of)
{
    of->generation++;
}

bool __wrap_tenancy_has_room(const struct unit *unit)
{
    (void)unit;
    return true;
}

const struct scoreboard *__wrap_host_scoreboard(const struct host *host)
{
    (void)host;
    return NULL;
}

int __wrap_loop_timer_create(struct loop *loop, void (*fn)(void *), void *arg,
                             struct loop_timer **ret_timer)
{
    (void)loop, (void)fn, (void)arg;
    *ret_timer = NULL;
    return 0;
}

void __wrap_loop_timer_arm(struct loop_timer *timer, int64_t ns)
{
    (void)timer;
    check(ns > 0, "awaited without time", NULL);
}

int64_t __wrap_loop_timer_due(const struct loop_timer *timer)
{
    (void)timer;
    return 0;
}

void __wrap_loop_timer_destroy(struct loop_timer *timer)
{
    (void)timer;
}

/* A world ----------------------------------------------------------------- */

static void make_world(void)
{
    all = (struct units){.phase = PHASE_RUNNING, .generation = 1};
    units_init(&all);
    operations_init(&operations, &all);
    for (size_t i = 0; i < UNITS; i++) {
        struct unit *unit = &units[i];

        names[i][0] = (char)('a' + i);
        settings[i] =
            (struct config_module){.name = names[i], .drain = 1, .start_timeout = INT64_MAX};
        tenancies[i] = (struct tenancy){.all = &all};
        list_init(&tenancies[i].units);
        *unit = (struct unit){.name = names[i], .settings = &settings[i], .tenancy = &tenancies[i]};
        units_add(&all, unit);
        list_init(&unit->dependents);
        list_init(&unit->awaited_items);
    }
}

static void require(size_t from, size_t to, bool strong)
{
    assert_int_equal(
        strings_add(strong ? &settings[from].requires : &settings[from].after, names[to]), 0);
}

static void link_world(void)
{
    for (size_t i = 0; i < UNITS; i++)
        assert_int_equal(
            dependencies_create(&units[i], &settings[i], &units[i].edges, &units[i].edge_count), 0);
    dependencies_link(&all);
}

static void destroy_world(void)
{
    operations_finish(&operations);
    for (size_t i = 0; i < UNITS; i++) {
        dependencies_unlink(&units[i].dependents);
        dependencies_free(units[i].edges, units[i].edge_count);
        strings_free(&settings[i].requires);
        strings_free(&settings[i].after);
    }
    assert_true(list_is_empty(&all.awaited));
}

static void reconcile_once(void)
{
    goals_reconcile(&all);
    for (size_t i = 0; i < UNITS; i++) {
        struct unit *unit = &units[i];

        if (unit->state != UNIT_WAITING || unit->goal != GOAL_NONE ||
            dependencies_wait(unit, NULL) != WAIT_MAY)
            continue;
        check(has_all(unit), "started before what it requires", unit);
        check(!is_required_by_running(unit), "a new one beside the user of the old", unit);
        enter(unit, UNIT_STARTING);
    }
    awaited_reconcile(&all);
    operate_reconcile(&operations);
}

static void reconcile(void)
{
    uint64_t before;

    do {
        before = all.generation;
        reconcile_once();
    } while (all.generation != before);
}

static void done(int code, const char *text, void *arg)
{
    struct answer *answer = arg;

    check(!answer->told, "told twice", NULL);
    answer->told = true;
    answer->code = code;
    snprintf(answer->text, sizeof(answer->text), "%s", text);
    told++;
}

static struct answer *ask(struct unit *unit, enum operation operation)
{
    struct cause cause = {.code = -ECANCELED, .kind = CAUSE_OPERATOR, .text = "asked for"};
    struct answer *answer = &answers[asked++];

    *answer = (struct answer){0};
    assert_int_equal(operate(&operations, unit, operation, &cause, done, answer), 0);
    return answer;
}

/* A table of encounters --------------------------------------------------- */

/* a <- b <- c, all ready. */
static void make_chain(void)
{
    make_world();
    require(1, 0, true);
    require(2, 1, true);
    link_world();
    for (size_t i = 0; i < 3; i++) {
        units[i].state = UNIT_READY;
        units[i].wanted = true;
    }
    asked = told = 0;
}

static void finish(struct unit *unit)
{
    assert_int_equal(unit->state, UNIT_STOPPING);
    enter(unit, unit->wanted ? UNIT_WAITING : UNIT_STOPPED);
    reconcile();
}

static void get_ready(struct unit *unit)
{
    assert_int_equal(unit->state, UNIT_STARTING);
    enter(unit, UNIT_READY);
    reconcile();
}

static void test_a_stop_goes_from_the_top(void **state)
{
    struct answer *answer;
    (void)state;

    make_chain();
    answer = ask(&units[0], OPERATE_STOP);
    reconcile();
    assert_int_equal(units[1].state, UNIT_READY);
    finish(&units[2]);
    finish(&units[1]);
    assert_false(answer->told);
    finish(&units[0]);
    assert_true(answer->told);
    assert_int_equal(answer->code, 0);
    assert_true(units[0].held && units[1].held && units[2].held);
    destroy_world();
}

static void test_a_start_overtakes(void **state)
{
    struct answer *stop_answer, *start_answer;
    (void)state;

    make_chain();
    stop_answer = ask(&units[0], OPERATE_STOP);
    reconcile();
    start_answer = ask(&units[1], OPERATE_START);
    reconcile();
    assert_int_equal(stop_answer->code, -ECANCELED);
    assert_string_equal(stop_answer->text, "module a is overtaken by start of module b");
    assert_true(start_answer->told);
    assert_int_equal(start_answer->code, 0);
    finish(&units[2]);
    assert_int_equal(units[2].state, UNIT_STOPPED);
    assert_int_equal(units[0].state, UNIT_READY);
    assert_false(units[0].held);
    destroy_world();
}

/* b has lost a while it was to be stopped; to be wanted again does not make the old b good. */
static void test_one_that_is_wanted_again_follows_what_it_requires(void **state)
{
    (void)state;
    make_chain();
    ask(&units[1], OPERATE_STOP);
    reconcile();
    enter(&units[0], UNIT_BACKOFF);
    reconcile();
    ask(&units[1], OPERATE_START);
    reconcile();
    assert_int_equal(units[1].goal, GOAL_BOUNCE);
    finish(&units[2]);
    finish(&units[1]);
    get_ready(&units[0]);
    get_ready(&units[1]);
    assert_int_equal(told, asked);
    destroy_world();
}

static void test_a_restart_names_who_did_not_come_back(void **state)
{
    struct answer *answer;
    (void)state;

    make_chain();
    answer = ask(&units[0], OPERATE_RESTART);
    reconcile();
    finish(&units[2]);
    finish(&units[1]);
    finish(&units[0]);
    get_ready(&units[0]);
    assert_int_equal(units[1].state, UNIT_STARTING);
    enter(&units[1], UNIT_FAILED);
    reconcile();
    assert_true(answer->told);
    assert_int_equal(answer->code, -EIO);
    assert_string_equal(answer->text, "module b is failed");
    destroy_world();
}

/* Walks ------------------------------------------------------------------- */

static void link_at_random(struct dice *dice)
{
    for (size_t i = 1; i < UNITS; i++)
        for (size_t j = 0; j < i; j++) {
            unsigned number = roll(dice, 10);

            if (number < 4)
                require(i, j, number < 3);
        }
    link_world();
}

/* One thing that hosts or time may do. kind: nothing fails. */
static bool happen(struct dice *dice, struct unit *unit, bool kind)
{
    unsigned number = kind ? 0 : roll(dice, 6);

    switch (unit->state) {
    case UNIT_STARTING:
        enter(unit, number < 3 ? UNIT_READY : number < 5 ? UNIT_BACKOFF : UNIT_FAILED);
        unit->wanted = unit->state != UNIT_FAILED;
        return true;
    case UNIT_STOPPING:
        enter(unit, unit->wanted ? UNIT_WAITING : UNIT_STOPPED);
        return true;
    case UNIT_BACKOFF:
        enter(unit, UNIT_WAITING);
        return true;
    case UNIT_READY:
        if (number == 0)
            return false;
        enter(unit, number < 5 ? UNIT_BACKOFF : UNIT_FAILED);
        unit->wanted = unit->state != UNIT_FAILED;
        return true;
    default:
        return false;
    }
}

static void check_the_end(void)
{
    check(told == asked, "somebody was not told", NULL);
    for (size_t i = 0; i < UNITS; i++) {
        struct unit *unit = &units[i];

        check(unit->goal == GOAL_NONE, "a goal is left", unit);
        if (unit->held)
            check(unit_is_down(unit), "held, and not down", unit);
        if (unit->state == UNIT_READY)
            check(has_all(unit), "ready without what it requires", unit);
        else if (unit->state == UNIT_WAITING)
            check(dependencies_wait(unit, NULL) == WAIT_NEVER, "waits for what is there", unit);
        else
            check(unit_is_down(unit) && !unit->wanted, "is not at rest", unit);
    }
}

static void walk(struct dice *dice)
{
    bool moved;

    make_world();
    link_at_random(dice);
    asked = told = 0;
    for (size_t i = 0; i < UNITS; i++)
        __wrap_unit_handle(&units[i], UNIT_EVENT_START, NULL);
    for (size_t i = 0; i < STEPS; i++) {
        struct unit *unit = &units[roll(dice, UNITS)];

        if (roll(dice, 3) == 0)
            ask(unit, (enum operation)roll(dice, 3));
        else
            happen(dice, unit, roll(dice, 2) == 0);
        /* Some things happen before anybody looks. */
        if (roll(dice, 4) > 0)
            reconcile();
    }
    do {
        reconcile();
        moved = false;
        for (size_t i = 0; i < UNITS; i++)
            moved = happen(dice, &units[i], true) || moved;
    } while (moved);
    check_the_end();
    destroy_world();
}

static void test_random_walks(void **state)
{
    (void)state;
    seed_dice();
    for (walk_number = 0; walk_number < (unsigned)rounds_of(WALKS); walk_number++) {
        struct dice dice = dice_for(walk_number, 0);

        walk(&dice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stop_goes_from_the_top),
        cmocka_unit_test(test_a_start_overtakes),
        cmocka_unit_test(test_one_that_is_wanted_again_follows_what_it_requires),
        cmocka_unit_test(test_a_restart_names_who_did_not_come_back),
        cmocka_unit_test(test_random_walks),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
