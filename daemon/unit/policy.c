/* SPDX-License-Identifier: MIT */
#include "daemon/unit/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/duration.h"
#include "base/macro.h"
#include "base/text.h"

/* Past so many doublings every delay is at its cap: 500 ms would be 6 days. */
#define DOUBLINGS_MAX 20U

#define SPREAD_STEPS 1024

static int64_t backoff(const struct config_module *settings, unsigned streak, uint32_t random)
{
    int64_t delay = settings->restart_delay;
    int64_t most = MAX(settings->restart_delay_max, settings->restart_delay);

    for (unsigned i = 0; i < MIN(streak, DOUBLINGS_MAX) && delay < settings->restart_delay_max; i++)
        delay *= 2;
    delay = MIN(delay, most);
    /* From 3/4 to 5/4. */
    return MIN(delay / 4 * 3 + delay / 2 / SPREAD_STEPS * (int64_t)(random % SPREAD_STEPS), most);
}

static unsigned restarts_within(const struct policy_history *history, int64_t since)
{
    unsigned count = 0;

    for (unsigned i = 0; i < history->size; i++)
        count += history->times[i] != 0 && history->times[i] >= since;
    return count;
}

static struct policy_decision refuse(enum policy_verdict verdict, const char *reason)
{
    struct policy_decision decision = {.verdict = verdict};

    snprintf(decision.reason, sizeof(decision.reason), "%s", reason);
    return decision;
}

struct policy_decision policy_decide(const struct config_module *settings,
                                     const struct policy_history *history,
                                     const struct policy_facts *facts)
{
    struct policy_decision decision = {.verdict = POLICY_RESTART};
    char delay[DURATION_TEXT_SIZE], window[DURATION_TEXT_SIZE];
    unsigned streak, recent;

    if (facts->end == POLICY_END_PERMANENT)
        return refuse(POLICY_FAILED, "not restarted: trying again cannot help");
    if (settings->restart == CONFIG_RESTART_NEVER)
        return refuse(POLICY_FAILED, "not restarted: restart = never");
    decision.stable =
        facts->ready_since != 0 && facts->now - facts->ready_since >= settings->restart_reset;
    streak = decision.stable ? 0 : history->streak;
    if (facts->end == POLICY_END_NEIGHBOUR) {
        decision.delay = backoff(settings, 0, facts->random);
        snprintf(
            decision.reason, sizeof(decision.reason), "restarts in %s with its host",
            duration_format(decision.delay / NSEC_PER_MSEC * NSEC_PER_MSEC, delay, sizeof(delay)));
        return decision;
    }
    recent = restarts_within(history, facts->now - settings->restart_limit.window);
    decision.free = facts->end == POLICY_END_NO_PROCESS;
    if (recent >= settings->restart_limit.count && !decision.free) {
        decision.verdict = POLICY_FAILED;
        snprintf(decision.reason, sizeof(decision.reason),
                 "not restarted: %u %s within %s (restart-limit)", recent,
                 plural(recent, "restart", "restarts"),
                 duration_format(settings->restart_limit.window, window, sizeof(window)));
        return decision;
    }
    decision.delay = backoff(settings, streak, facts->random);
    snprintf(decision.reason, sizeof(decision.reason), "restart %u in %s", streak + 1,
             duration_format(decision.delay / NSEC_PER_MSEC * NSEC_PER_MSEC, delay, sizeof(delay)));
    return decision;
}

void policy_record(struct policy_history *history, const struct policy_decision *decision,
                   int64_t now)
{
    history->streak = decision->stable ? 1 : history->streak + 1;
    if (history->size == 0 || decision->free)
        return;
    history->times[history->next] = now;
    history->next = (history->next + 1) % history->size;
}

int64_t policy_longest_delay(const struct config_module *settings,
                             const struct policy_history *history)
{
    return backoff(settings, history->streak > 0 ? history->streak - 1 : 0, SPREAD_STEPS - 1);
}

int policy_history_resize(struct policy_history *history, unsigned size)
{
    int64_t *times;

    if (size == history->size)
        return 0;
    times = calloc(size, sizeof(*times));
    if (!times)
        return -ENOMEM;
    /* The newest first, as far as they fit; the ring's next place is the oldest. */
    for (unsigned i = 0; i < MIN(size, history->size); i++)
        times[size - 1 - i] =
            history->times[(history->next + history->size - 1 - i) % history->size];
    free(history->times);
    history->times = times;
    history->size = size;
    history->next = 0;
    return 0;
}

void policy_history_clear(struct policy_history *history)
{
    for (unsigned i = 0; i < history->size; i++)
        history->times[i] = 0;
    history->streak = 0;
}

void policy_history_free(struct policy_history *history)
{
    free(history->times);
    *history = (struct policy_history){0};
}
