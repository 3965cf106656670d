/* SPDX-License-Identifier: MIT */
#include "daemon/control/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/unit/check.h"
#include "daemon/unit/units.h"
#include "settings/config.h"
#include "settings/errors.h"

static const char stops[] = "not checked: reeved stops";

struct plan {
    struct list list;
    struct plans *plans;
    struct units *units;
    struct config *config; /* the new one; NULL when it has errors */
    struct config_errors errors;
    struct strings warnings;
    struct check *check;
    struct loop_timer *timer; /* for its turn */
    bool begun;
    struct strings steady; /* modules that take new options only by a restart */
    struct plan_asker asker;
};

/* One after the other, or many who ask at once would fill the machine with processes. */
static void look(struct plans *plans)
{
    struct plan *first =
        list_is_empty(&plans->list) ? NULL : list_entry(plans->list.next, struct plan, list);

    if (first && !first->begun)
        loop_timer_arm(first->timer, 0);
}

static void plan_free(struct plan *plan)
{
    list_remove(&plan->list);
    look(plan->plans);
    check_cancel(plan->check);
    loop_timer_destroy(plan->timer);
    config_errors_free(&plan->errors);
    config_free(plan->config);
    strings_free(&plan->steady);
    strings_free(&plan->warnings);
    free(plan);
}

static void tell(struct plan *plan)
{
    struct plan_result result = {.errors = &plan->errors.texts, .warnings = &plan->warnings};
    struct reload_change *changes = NULL;

    if (plan->config && !config_errors_any(&plan->errors)) {
        if (reload_find_changes(plan->units, plan->config, &plan->steady, &changes,
                                &result.change_count) < 0)
            config_error(&plan->errors, plan->units->config_path, 0, "out of memory");
        result.fixed = reload_changes_fixed(plan->units->config, plan->config);
    }
    result.changes = changes;
    plan->asker.done(&result, plan->asker.arg);
    reload_free_changes(changes, result.change_count);
    plan_free(plan);
}

static void checked(void *arg)
{
    struct plan *plan = arg;

    plan->check = NULL;
    tell(plan);
}

/* Without memory for it the plan says reload where a restart will come. */
static void module_checked(const struct config_module *module, bool reloads, void *arg)
{
    struct plan *plan = arg;

    if (!reloads)
        (void)strings_add(&plan->steady, module->name);
}

static bool needs_check(const struct config_module *module, void *arg)
{
    const struct plan *plan = arg;

    return plan->asker.full || reload_needs_check(plan->units, module);
}

void plans_init(struct plans *plans, struct units *units)
{
    list_init(&plans->list);
    plans->units = units;
}

void plans_finish(struct plans *plans)
{
    struct plan *plan, *next;

    LIST_FOREACH_SAFE (plan, next, &plans->list, list) {
        config_error(&plan->errors, plan->units->config_path, 0, "%s", stops);
        tell(plan);
    }
}

static void begin(struct plan *plan)
{
    struct units *units = plan->units;
    struct check_options options = {
        .loop = units->loop,
        .spawner = units->spawner,
        .host_program = units->host_program,
        .directory = units->places.state,
        .wanted = needs_check,
        .checked = module_checked,
        .notes = plan->asker.full ? NULL : &plan->warnings,
        .done = checked,
        .arg = plan,
    };

    plan->begun = true;
    plan->config = config_load(units->config_path, &units->places, &plan->errors);
    if (plan->config && check_start(&options, plan->config, &plan->errors, &plan->check) < 0)
        config_error(&plan->errors, units->config_path, 0, "not checked: out of memory");
    if (!plan->check)
        tell(plan);
}

static void turn_came(void *arg)
{
    struct plan *plan = arg;
    enum phase phase = plan->units->phase;
    bool waits = plan->asker.waits(plan->asker.arg);

    if (waits && (phase == PHASE_STARTING || phase == PHASE_RUNNING)) {
        begin(plan);
        return;
    }
    config_error(&plan->errors, plan->units->config_path, 0, "%s",
                 waits ? stops : "not checked: nobody waits");
    tell(plan);
}

int plan_start(struct plans *plans, const struct plan_asker *asker)
{
    struct plan *plan = calloc(1, sizeof(*plan));

    if (!plan)
        return -ENOMEM;
    *plan = (struct plan){.plans = plans, .units = plans->units, .asker = *asker};
    list_append(&plans->list, &plan->list);
    if (loop_timer_create(plans->units->loop, turn_came, plan, &plan->timer) < 0) {
        plan_free(plan);
        return -ENOMEM;
    }
    look(plans);
    return 0;
}
