/* SPDX-License-Identifier: MIT */
/*
 * A scoreboard that a hostile host wrote, read by everything that reads one: the counters, the
 * watch, the crash's record, and the answers that are made of it. The input is a list of patches,
 * each
 *
 *     kind of record, its index, offset in it (2 bytes), count, bytes
 *
 * over an empty board, so that a short input reaches any field.
 */
#include "tests/fuzz/fuzz.h"

#include "base/clock.h"
#include "daemon/control/health_rules.h"
#include "daemon/control/snapshot_take.h"
#include "daemon/control/supervisor_internal.h"
#include "daemon/control/watchdog.h"
#include "daemon/edge/control/status.h"
#include "daemon/edge/edge_record.h"
#include "daemon/edge/health.h"
#include "daemon/edge/metrics/metrics.h"
#include "tests/fuzz/world.h"

#define RECORDS(array)                                                               \
    {offsetof(struct scoreboard, array), sizeof(((struct scoreboard *)0)->array[0]), \
     ARRAY_SIZE(((struct scoreboard *)0)->array)}

static const struct {
    size_t offset, size, count;
} kinds[] = {
    {offsetof(struct scoreboard, crash), sizeof(struct scoreboard_stack), 1},
    RECORDS(modules),
    RECORDS(tasks),
    RECORDS(pools),
    RECORDS(threads),
    {offsetof(struct scoreboard, hang), sizeof(struct scoreboard_stack), 1},
    RECORDS(objects),
};

static void patch(struct scoreboard *board, const uint8_t **data, size_t *size)
{
    struct {
        uint8_t kind, index;
        uint16_t offset;
        uint8_t count;
    } __attribute__((packed)) head;
    struct scoreboard_head *record;
    size_t kind, offset;

    fuzz_take(data, size, &head, sizeof(head));
    kind = head.kind % ARRAY_SIZE(kinds);
    /* Mostly the first ones, since a reader stops where a record is not used; but also the last. */
    record = (struct scoreboard_head *)(void *)((char *)board + kinds[kind].offset +
                                                head.index % kinds[kind].count * kinds[kind].size);
    /* An object has no head. */
    if (head.kind < 128 && kinds[kind].offset != offsetof(struct scoreboard, objects))
        record->used = 1;
    offset = head.offset % kinds[kind].size;
    fuzz_take(data, size, (char *)record + offset,
              MIN((size_t)head.count, kinds[kind].size - offset));
}

static void begin_books(struct scoreboard *board)
{
    for (size_t i = 0; i < SCOREBOARD_MODULES; i++)
        board->modules[i].books++;
}

static struct scoreboard *make_board(const uint8_t *data, size_t size)
{
    struct scoreboard *board = calloc(1, sizeof(*board));

    if (!board)
        abort();
    /* Nothing of a module that has not begun its books is looked at. */
    begin_books(board);
    while (size > 0)
        patch(board, &data, &size);
    return board;
}

static void read_records(const struct scoreboard *board)
{
    struct scoreboard_module module;
    struct scoreboard_thread thread;

    for (unsigned i = 0; i < SCOREBOARD_MODULES; i++) {
        scoreboard_read_module(board, i, &module);
        fuzz_check(strlen(module.activity) < sizeof(module.activity), "no end");
    }
    for (unsigned i = 0; i < SCOREBOARD_THREADS; i++) {
        scoreboard_read_thread(board, i, &thread);
        fuzz_check(strlen(thread.what) < sizeof(thread.what), "no end");
    }
}

/* A document with a part that could not be made is not told from one with no memory for it. */
static void check_document(json_t *json, const char *what)
{
    char *text = json ? json_dumps(json, 0) : NULL;

    fuzz_check(text, "the %s cannot be written", what);
    free(text);
    json_decref(json);
}

/* The counts as shown can be added up without overflow, even if the board's were nonsense. */
static void check_histogram(const struct histogram *histogram)
{
    fuzz_check(histogram->sum >= 0 && histogram->sum <= SCOREBOARD_TIME_MAX, "a sum without limit");
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        fuzz_check(histogram->counts[i] <= HISTOGRAM_COUNT_MAX, "a count without limit");
}

static void check_histograms(const struct snapshot_module *module)
{
    for (size_t i = 0; i < module->task_count; i++) {
        check_histogram(&module->tasks[i].record->run_duration);
        check_histogram(&module->tasks[i].record->lateness);
    }
    for (size_t i = 0; i < module->pool_count; i++) {
        check_histogram(&module->pools[i].job_duration);
        check_histogram(&module->pools[i].job_wait);
    }
}

static void answer(struct world *world)
{
    struct edge edge = {0};
    struct snapshot *snapshot;
    struct text text = {0};
    json_t *status;

    fuzz_check(snapshot_take(world->supervisor, &snapshot) == 0, "no snapshot");
    health_write(snapshot, NULL, &text);
    check_document(json_loads(text_string(&text), JSON_REJECT_DUPLICATES, NULL), "health");
    text_free(&text);
    status = status_json(&edge, snapshot);
    for (size_t i = 0; i < snapshot->module_count; i++) {
        json_t *module = json_array_get(json_object_get(status, "modules"), i);

        fuzz_check(json_array_size(json_object_get(module, "tasks")) ==
                           snapshot->modules[i].task_count &&
                       json_array_size(json_object_get(module, "pools")) ==
                           snapshot->modules[i].pool_count,
                   "a part of %s is missing", snapshot->modules[i].name);
        check_histograms(&snapshot->modules[i]);
    }
    check_document(status, "status");
    open_metrics_document.write(&edge.documents, snapshot, 0, &text);
    metrics_document.write(&edge.documents, snapshot, 0, &text);
    text_free(&text);
    snapshot_free(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scoreboard *board = make_board(data, size);
    struct crash_frames frames;
    struct world world;
    struct unit *unit;

    world_init(&world);
    for (size_t i = 0; i < WORLD_HOSTS; i++)
        world.hosts[i]->board = board;
    read_records(board);
    answer(&world);
    /* As when the hosts died: twice, so that sums of sums are made too. */
    LIST_FOREACH (unit, &world.supervisor->units.list, list) {
        counters_close(&unit->counters, board, unit->slot, "killed by SIGKILL");
        begin_books(board);
        counters_close(&unit->counters, board, unit->slot, "killed by SIGKILL");
        crash_read(board, unit->slot, &unit->crash, &frames);
        fuzz_check(frames.count <= SCOREBOARD_FRAMES, "too many frames");
        for (unsigned i = 0; i < frames.count; i++)
            fuzz_check(strlen(frames.frames[i].path) < SCOREBOARD_PATH_SIZE, "no end");
    }
    answer(&world);
    watchdog_update(world.supervisor->watchdog);
    world_finish(&world);
    free(board);
    return 0;
}
