/* SPDX-License-Identifier: MIT */
/*
 * Schedules in any order of what may happen to them: no point is lost, and none waits longer than
 * it may.
 *
 * The world keeps until when all points are accounted for: their run has begun, they were skipped
 * aloud, or a pause after failures has left them out.
 */
#include "base/macro.h"
#include "host/schedule/schedule.h"
#include "tests/support/cmocka.h"
#include "tests/support/dice.h"

#define S RV_SECOND

#define WORLDS 100000
#define STEPS  40

/* So finely is a time drawn. */
#define PARTS (1 << 20)

struct world {
    struct dice dice;
    struct schedule_rule rule;
    struct schedule schedule;
    struct schedule_now now;
    int64_t accounted;
    unsigned failures;
};

static rv_duration draw(struct world *world, rv_duration limit)
{
    return limit / PARTS * roll(&world->dice, PARTS);
}

static bool toss(struct world *world, unsigned of)
{
    return roll(&world->dice, of) == 0;
}

static int64_t next_point(const struct world *world, int64_t after)
{
    int64_t every = world->rule.every, offset = world->rule.offset;

    return ((after - offset) / every + 1) * every + offset;
}

static void pass(struct world *world, rv_time time)
{
    world->now.monotonic += time;
    world->now.realtime += time;
}

/* Some time, but not past the planned start. */
static void pass_until_due(struct world *world)
{
    rv_duration left = world->schedule.due - world->now.monotonic;

    pass(world, MAX(MIN(draw(world, world->rule.every), left), INT64_C(0)));
}

static void account(struct world *world, int64_t until)
{
    world->accounted = MAX(world->accounted, until);
}

/* The whole pause, from now on. */
static rv_duration pause_of(const struct world *world)
{
    rv_duration pause = world->rule.backoff;

    for (unsigned i = 1; i < world->failures && pause < world->rule.backoff_max; i++)
        pause += pause;
    return world->failures > 0 ? MIN(pause, world->rule.backoff_max) : 0;
}

static void begin(struct world *world, const struct schedule_past *past)
{
    struct schedule_gap gap;

    schedule_begin(&world->schedule, &world->rule, &world->now, past, roll(&world->dice, PARTS),
                   &gap);
    if (gap.skipped)
        account(world, world->now.realtime);
}

/* Events ------------------------------------------------------------------ */

/* The board of a host that has died. */
static struct schedule_past seen_on_the_board(const struct world *world)
{
    int64_t open = world->schedule.open_realtime;

    return (struct schedule_past){
        .settled = open - 1, .open = open, .failures = world->failures, .owed = true};
}

static void die_in_run(struct world *world)
{
    struct schedule_past past = seen_on_the_board(world);

    past.passed_until = world->now.realtime;
    past.failures = ++world->failures;
    account(world, world->now.realtime);
    pass(world, draw(world, 20 * S));
    begin(world, &past);
}

static void run(struct world *world)
{
    pass(world, MAX(world->schedule.due - world->now.monotonic, INT64_C(0)));
    schedule_started(&world->schedule);
    account(world, world->now.realtime);
    pass(world, draw(world, toss(world, 3) ? 3 * world->rule.every : world->rule.every / 3));
    /* The clock is set while it goes on. */
    if (toss(world, 8))
        world->now.realtime += draw(world, 6 * world->rule.every);
    if (toss(world, 6)) {
        die_in_run(world);
        return;
    }
    schedule_pass(&world->schedule, &world->now);
    world->failures = toss(world, 3) ? world->failures + 1 : 0;
    schedule_plan(&world->schedule, &world->now, world->failures);
    account(world, world->now.realtime + pause_of(world));
}

/* A point that has come stays owed; those to come are left out by the new pause alone. */
static void request(struct world *world)
{
    pass_until_due(world);
    world->failures = toss(world, 2) ? world->failures + 1 : 0;
    schedule_set_pause(&world->schedule, &world->now, world->failures);
    world->accounted = MIN(world->accounted, world->now.realtime);
    if (world->schedule.open_realtime > world->now.realtime)
        account(world, world->now.realtime + pause_of(world));
}

static void reload(struct world *world)
{
    struct schedule_past past;

    pass_until_due(world);
    schedule_hand_on(&world->schedule, &world->now, &past);
    past.failures = world->failures;
    past.owed = true;
    begin(world, &past);
}

static void die(struct world *world)
{
    struct schedule_past past;

    pass_until_due(world);
    past = seen_on_the_board(world);
    pass(world, draw(world, toss(world, 2) ? 2 * world->rule.every : 20 * S));
    begin(world, &past);
}

/* Failures are forgotten with reeved, and so is a pause, but not what it has settled. */
static void restart_all(struct world *world)
{
    struct schedule_past past;

    pass_until_due(world);
    past = (struct schedule_past){.settled = world->schedule.open_realtime - 1};
    pass(world, draw(world, toss(world, 2) ? 2 * world->rule.every : 20 * S));
    world->failures = 0;
    begin(world, &past);
}

static void set_clock(struct world *world)
{
    struct schedule_gap gap;
    rv_duration pause;

    pass_until_due(world);
    world->now.realtime += toss(world, 4) ? 0 : draw(world, 4 * world->rule.every);
    schedule_clock_was_set(&world->schedule, &world->now, &gap);
    if (gap.skipped)
        account(world, world->now.realtime);
    /* The rest of a pause goes by the monotonic clock. */
    pause = world->schedule.not_before - world->now.monotonic;
    account(world, pause > 0 ? world->now.realtime + pause : 0);
}

/* ------------------------------------------------------------------------------------------------
 */

static void look(struct world *world, const char *what)
{
    const struct schedule_rule *rule = &world->rule;
    rv_duration wait = world->schedule.due - world->now.monotonic;
    rv_duration most = rule->jitter + rule->every / 10 + pause_of(world);
    int64_t open = next_point(world, world->accounted);

    if (open > world->now.realtime)
        most += rule->every + rule->offset;
    else if (world->schedule.open_realtime > open)
        fail_msg("after %s a point of %lld s ago is lost", what,
                 (long long)((world->now.realtime - open) / S));
    if (wait > most)
        fail_msg("after %s the next start is in %lld s, and no later than %lld s", what,
                 (long long)(wait / S), (long long)(most / S));
}

static void create(struct world *world)
{
    struct schedule_rule *rule = &world->rule;
    struct schedule_past past = {0};

    rule->align = true;
    rule->every = 300 * S + draw(world, 1800 * S) / S * S;
    rule->jitter = toss(world, 3) ? 0 : draw(world, rule->every * 9 / 10);
    rule->offset = toss(world, 3) ? draw(world, rule->every) : 0;
    rule->catch_up = (enum schedule_catch_up)roll(&world->dice, 3);
    if (toss(world, 2)) {
        rule->backoff = draw(world, 3 * rule->every) + 1;
        rule->backoff_max = 4 * rule->backoff;
    }
    world->now = (struct schedule_now){1000 * S, INT64_C(1790000000) * S + draw(world, 10000 * S)};
    world->accounted = world->now.realtime;
    if (toss(world, 2))
        world->accounted = past.settled = world->now.realtime - draw(world, 5 * rule->every) - 1;
    begin(world, &past);
    look(world, "the beginning");
}

static void test_nothing_is_lost(void **state)
{
    static const struct {
        const char *name;
        void (*function)(struct world *world);
    } steps[] = {
        {"a run", run},
        {"a run", run},
        {"a run", run},
        {"a request", request},
        {"a reload", reload},
        {"a crash", die},
        {"a restart", restart_all},
        {"a step of the clock", set_clock},
    };
    (void)state;

    for (unsigned number = 0; number < WORLDS; number++) {
        struct world world = {.dice = dice_for(number, 0)};

        create(&world);
        for (unsigned i = 0; i < STEPS; i++) {
            unsigned step = roll(&world.dice, ARRAY_SIZE(steps));

            /* The pause that a restart forgets is nobody's to account for. */
            if (steps[step].function == restart_all && world.rule.backoff > 0)
                continue;
            steps[step].function(&world);
            look(&world, steps[step].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_lost),
    };

    seed_dice();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
