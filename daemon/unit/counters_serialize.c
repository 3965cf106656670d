/* SPDX-License-Identifier: MIT */
/*
 * The counters of dead incarnations are records of a scoreboard of ours, but what is handed on is not
 * its layout, which another version may not share: each field goes by its name.
 */
#include "daemon/unit/counters_serialize.h"

#include <errno.h>
#include <stdlib.h>

#define TASK(kind, member) STATE_MEMBER(kind, struct scoreboard_task, member, #member)

static const struct state_field task_fields[] = {
    TASK(STATE_TEXT, name),
    TASK(STATE_UINT, state),
    TASK(STATE_UINT, run),
    TASK(STATE_UINT, runs),
    TASK(STATE_UINT, failures),
    TASK(STATE_UINT, timeouts),
    TASK(STATE_UINT, cancels),
    TASK(STATE_UINT, skipped),
    TASK(STATE_INT, interval),
    TASK(STATE_INT, next_due),
    TASK(STATE_INT, started_at),
    TASK(STATE_INT, ended_at),
    TASK(STATE_INT, succeeded_at),
    TASK(STATE_INT, started_realtime),
    TASK(STATE_INT, last_duration),
    TASK(STATE_INT, worst_lateness),
    TASK(STATE_INT, worst_cancel),
    TASK(STATE_INT, last_code),
    TASK(STATE_UINT, failures_in_row),
    TASK(STATE_UINT, kept),
    TASK(STATE_INTS, points),
    TASK(STATE_TEXT, schedule),
    TASK(STATE_TEXT, last_text),
    TASK(STATE_TEXT, progress),
    STATE_MEMBER(STATE_INT, struct scoreboard_task, run_duration.sum, "run_duration_sum"),
    STATE_MEMBER(STATE_INTS, struct scoreboard_task, run_duration.counts, "run_duration_counts"),
    STATE_MEMBER(STATE_INT, struct scoreboard_task, lateness.sum, "lateness_sum"),
    STATE_MEMBER(STATE_INTS, struct scoreboard_task, lateness.counts, "lateness_counts"),
    STATE_END,
};

#define POOL(kind, member) STATE_MEMBER(kind, struct scoreboard_pool, member, #member)

static const struct state_field pool_fields[] = {
    POOL(STATE_TEXT, name),
    POOL(STATE_UINT, workers),
    POOL(STATE_UINT, capacity),
    POOL(STATE_INT, last_code),
    POOL(STATE_UINT, accepted),
    POOL(STATE_UINT, finished),
    POOL(STATE_UINT, failed),
    POOL(STATE_UINT, lost),
    POOL(STATE_UINT, rejected),
    POOL(STATE_UINT, retried),
    POOL(STATE_INT, last_failure_at),
    POOL(STATE_INT, succeeded_at),
    POOL(STATE_TEXT, last_text),
    POOL(STATE_TEXT, progress),
    STATE_MEMBER(STATE_INT, struct scoreboard_pool, job_duration.sum, "job_duration_sum"),
    STATE_MEMBER(STATE_INTS, struct scoreboard_pool, job_duration.counts, "job_duration_counts"),
    STATE_MEMBER(STATE_INT, struct scoreboard_pool, job_wait.sum, "job_wait_sum"),
    STATE_MEMBER(STATE_INTS, struct scoreboard_pool, job_wait.counts, "job_wait_counts"),
    STATE_END,
};

static json_t *save_list(const struct state_field *fields, const void *records, size_t count,
                         size_t size)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, state_write(fields, (const char *)records + i * size)) <
            0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *tally_save(const struct tally *tally)
{
    return json_pack(
        "{s:I, s:o, s:o}", "closed_books", (json_int_t)tally->closed_books, "tasks",
        save_list(task_fields, tally->tasks, tally->task_count, sizeof(*tally->tasks)), "pools",
        save_list(pool_fields, tally->pools, tally->pool_count, sizeof(*tally->pools)));
}

/* *ret_records is allocated, and the caller's in any case. */
static int load_list(const json_t *list, const struct state_field *fields, size_t size, size_t most,
                     void **ret_records, size_t *ret_count, struct state_error *error)
{
    size_t count = json_array_size(list);
    int r = 0;

    if (count == 0)
        return 0;
    if (count > most) {
        snprintf(error->text, sizeof(error->text), "a module has too many tasks or pools");
        return -EBADMSG;
    }
    *ret_records = calloc(count, size);
    if (!*ret_records)
        return -ENOMEM;
    for (size_t i = 0; i < count && r == 0; i++)
        r = state_read(json_array_get(list, i), fields, (char *)*ret_records + i * size, error);
    *ret_count = count;
    return r;
}

int tally_load(struct tally *tally, const json_t *state, struct state_error *error)
{
    void *tasks = NULL, *pools = NULL;
    int r;

    tally->closed_books = (uint32_t)json_integer_value(json_object_get(state, "closed_books"));
    r = load_list(json_object_get(state, "tasks"), task_fields, sizeof(*tally->tasks),
                  SCOREBOARD_TASKS, &tasks, &tally->task_count, error);
    tally->tasks = tasks;
    for (size_t i = 0; i < tally->task_count; i++) {
        histogram_limit(&tally->tasks[i].run_duration);
        histogram_limit(&tally->tasks[i].lateness);
    }
    if (r < 0)
        return r;
    r = load_list(json_object_get(state, "pools"), pool_fields, sizeof(*tally->pools),
                  SCOREBOARD_POOLS, &pools, &tally->pool_count, error);
    tally->pools = pools;
    for (size_t i = 0; i < tally->pool_count; i++) {
        histogram_limit(&tally->pools[i].job_duration);
        histogram_limit(&tally->pools[i].job_wait);
    }
    return r;
}
