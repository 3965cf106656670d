/* SPDX-License-Identifier: MIT */
/*
 * The counters of dead incarnations are records of a scoreboard of ours, but what is handed on is
 * not its layout, which another version may not share: each field goes by its name.
 */
#include "daemon/unit/counters_serialize.h"
#include "wire/histogram.h"

#include <errno.h>
#include <stdlib.h>

#define TASK(kind, member) SERIALIZE_MEMBER(kind, struct scoreboard_task, member, #member)

static const struct serialize_field task_fields[] = {
    TASK(SERIALIZE_TEXT, name),
    TASK(SERIALIZE_UINT, state),
    TASK(SERIALIZE_UINT, run),
    TASK(SERIALIZE_UINT, runs),
    TASK(SERIALIZE_UINT, failures),
    TASK(SERIALIZE_UINT, timeouts),
    TASK(SERIALIZE_UINT, cancels),
    TASK(SERIALIZE_UINT, skipped),
    TASK(SERIALIZE_INT, interval),
    TASK(SERIALIZE_INT, next_due),
    TASK(SERIALIZE_INT, started_at),
    TASK(SERIALIZE_INT, ended_at),
    TASK(SERIALIZE_INT, succeeded_at),
    TASK(SERIALIZE_INT, started_realtime),
    TASK(SERIALIZE_INT, last_duration),
    TASK(SERIALIZE_INT, worst_lateness),
    TASK(SERIALIZE_INT, worst_cancel),
    TASK(SERIALIZE_INT, last_code),
    TASK(SERIALIZE_UINT, failures_in_row),
    TASK(SERIALIZE_UINT, kept),
    TASK(SERIALIZE_INTS, points),
    TASK(SERIALIZE_TEXT, schedule),
    TASK(SERIALIZE_TEXT, last_text),
    TASK(SERIALIZE_TEXT, progress),
    SERIALIZE_MEMBER(SERIALIZE_INT, struct scoreboard_task, run_duration.sum, "run_duration_sum"),
    SERIALIZE_MEMBER(SERIALIZE_INTS, struct scoreboard_task, run_duration.counts,
                     "run_duration_counts"),
    SERIALIZE_MEMBER(SERIALIZE_INT, struct scoreboard_task, lateness.sum, "lateness_sum"),
    SERIALIZE_MEMBER(SERIALIZE_INTS, struct scoreboard_task, lateness.counts, "lateness_counts"),
    SERIALIZE_END,
};

#define POOL(kind, member) SERIALIZE_MEMBER(kind, struct scoreboard_pool, member, #member)

static const struct serialize_field pool_fields[] = {
    POOL(SERIALIZE_TEXT, name),
    POOL(SERIALIZE_UINT, workers),
    POOL(SERIALIZE_UINT, capacity),
    POOL(SERIALIZE_INT, last_code),
    POOL(SERIALIZE_UINT, accepted),
    POOL(SERIALIZE_UINT, finished),
    POOL(SERIALIZE_UINT, failed),
    POOL(SERIALIZE_UINT, lost),
    POOL(SERIALIZE_UINT, rejected),
    POOL(SERIALIZE_UINT, retried),
    POOL(SERIALIZE_INT, last_failure_at),
    POOL(SERIALIZE_INT, succeeded_at),
    POOL(SERIALIZE_TEXT, last_text),
    POOL(SERIALIZE_TEXT, progress),
    SERIALIZE_MEMBER(SERIALIZE_INT, struct scoreboard_pool, job_duration.sum, "job_duration_sum"),
    SERIALIZE_MEMBER(SERIALIZE_INTS, struct scoreboard_pool, job_duration.counts,
                     "job_duration_counts"),
    SERIALIZE_MEMBER(SERIALIZE_INT, struct scoreboard_pool, job_wait.sum, "job_wait_sum"),
    SERIALIZE_MEMBER(SERIALIZE_INTS, struct scoreboard_pool, job_wait.counts, "job_wait_counts"),
    SERIALIZE_END,
};

static json_t *save_list(const struct serialize_field *fields, const void *records, size_t count,
                         size_t size)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, serialize(fields, (const char *)records + i * size)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *counters_save(const struct counters *counters)
{
    return json_pack(
        "{s:I, s:o, s:o}", "closed_books", (json_int_t)counters->closed_books, "tasks",
        save_list(task_fields, counters->tasks, counters->task_count, sizeof(*counters->tasks)),
        "pools",
        save_list(pool_fields, counters->pools, counters->pool_count, sizeof(*counters->pools)));
}

/* *ret_records is allocated, and the caller's in any case. */
static int load_list(const json_t *list, const struct serialize_field *fields, size_t size,
                     size_t most, void **ret_records, size_t *ret_count,
                     struct serialize_error *error)
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
        r = deserialize(json_array_get(list, i), fields, (char *)*ret_records + i * size, error);
    *ret_count = count;
    return r;
}

int counters_load(struct counters *counters, const json_t *state, struct serialize_error *error)
{
    void *tasks = NULL, *pools = NULL;
    int r;

    counters->closed_books = (uint32_t)json_integer_value(json_object_get(state, "closed_books"));
    r = load_list(json_object_get(state, "tasks"), task_fields, sizeof(*counters->tasks),
                  SCOREBOARD_TASKS, &tasks, &counters->task_count, error);
    counters->tasks = tasks;
    for (size_t i = 0; i < counters->task_count; i++) {
        histogram_limit(&counters->tasks[i].run_duration);
        histogram_limit(&counters->tasks[i].lateness);
    }
    if (r < 0)
        return r;
    r = load_list(json_object_get(state, "pools"), pool_fields, sizeof(*counters->pools),
                  SCOREBOARD_POOLS, &pools, &counters->pool_count, error);
    counters->pools = pools;
    for (size_t i = 0; i < counters->pool_count; i++) {
        histogram_limit(&counters->pools[i].job_duration);
        histogram_limit(&counters->pools[i].job_wait);
    }
    return r;
}
