/* SPDX-License-Identifier: MIT */
#include "daemon/unit/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/process/host.h"
#include "daemon/unit/tenancy.h"
#include "daemon/unit/unit.h"
#include "wire/message.h"

struct request {
    struct list list;
    uint64_t id;
    const struct unit *unit;
    uint64_t number;
    int64_t asked_at;    /* monotonic; 0: an earlier program did that */
    int64_t accepted_at; /* monotonic, as far as we know; 0: it was not yet */
    unsigned nodes;      /* that were answered */
    request_fn fn;
    void *arg;
};

void requests_init(struct requests *requests)
{
    list_init(&requests->list);
    requests->next_id = 1;
}

static void answer_last(struct request *request, const struct request_answer *answer)
{
    list_remove(&request->list);
    request->fn(answer, request->arg);
    free(request);
}

static void answer_all(struct requests *requests, const struct unit *unit, int code,
                       const char *text)
{
    struct request *request, *next;

    LIST_FOREACH_SAFE (request, next, &requests->list, list) {
        struct request_answer answer = {
            .final = true, .number = request->number, .code = code, .text = text};

        /* The host can no longer report how long it took. */
        if (request->accepted_at > 0)
            answer.duration = clock_monotonic() - request->accepted_at;

        if (!unit || request->unit == unit)
            answer_last(request, &answer);
    }
}

void requests_finish(struct requests *requests)
{
    answer_all(requests, NULL, -ECANCELED, "reeved stops");
}

void requests_host_ended(struct requests *requests, const struct unit *unit, const char *why)
{
    cleanup_free char *text = format_new("the module's host ended: %s", why);

    answer_all(requests, unit, -EPIPE, text ? text : "the module's host ended");
}

static int add_request(struct requests *requests, struct unit *unit, request_fn fn, void *arg,
                       uint64_t *ret_id)
{
    struct request *request;

    /* After an upgrade a host may speak another version: it is about to be replaced. */
    if (unit->state != UNIT_READY || !unit->attached || host_is_foreign(unit->tenancy->host))
        return -EAGAIN;
    if (!host_takes_requests(unit->tenancy->host))
        return -ENOBUFS;
    request = calloc(1, sizeof(*request));
    if (!request)
        return -ENOMEM;
    *request = (struct request){.id = requests->next_id++,
                                .unit = unit,
                                .asked_at = clock_monotonic(),
                                .fn = fn,
                                .arg = arg};
    list_append(&requests->list, &request->list);
    *ret_id = request->id;
    return 0;
}

int request_run(struct requests *requests, struct unit *unit, const char *task, request_fn fn,
                void *arg)
{
    struct wire_message message = {.type = WIRE_RUN, .module = unit->slot, .name = task};
    int r = add_request(requests, unit, fn, arg, &message.request);

    if (r == 0)
        host_send(unit->tenancy->host, &message);
    return r;
}

int request_submit(struct requests *requests, struct unit *unit, const char *pool, const void *data,
                   size_t size, int64_t timeout, request_fn fn, void *arg)
{
    struct wire_message message = {.type = WIRE_SUBMIT,
                                   .module = unit->slot,
                                   .name = pool,
                                   .data = data,
                                   .size = size,
                                   .timeout = timeout};
    int r;

    if (size > WIRE_JOB_DATA_MAX)
        return -EMSGSIZE;
    r = add_request(requests, unit, fn, arg, &message.request);
    if (r == 0)
        host_send(unit->tenancy->host, &message);
    return r;
}

int request_tree(struct requests *requests, struct unit *unit, request_fn fn, void *arg)
{
    struct wire_message message = {.type = WIRE_TREE, .module = unit->slot};
    int r = add_request(requests, unit, fn, arg, &message.request);

    if (r == 0)
        host_send(unit->tenancy->host, &message);
    return r;
}

void requests_each(const struct requests *requests,
                   void (*fn)(const struct request_record *record, request_fn answered,
                              void *waiting, void *arg),
                   void *arg)
{
    const struct request *request;

    LIST_FOREACH (request, &requests->list, list) {
        struct request_record record = {.id = request->id,
                                        .number = request->number,
                                        .accepted_at = request->accepted_at,
                                        .module = request->unit->name};

        fn(&record, request->fn, request->arg, arg);
    }
}

int request_resume(struct requests *requests, struct unit *unit,
                   const struct request_record *record, request_fn fn, void *arg)
{
    struct request *request = calloc(1, sizeof(*request));

    if (!request)
        return -ENOMEM;
    *request = (struct request){.id = record->id,
                                .unit = unit,
                                .number = record->number,
                                .accepted_at = record->accepted_at,
                                .fn = fn,
                                .arg = arg};
    list_append(&requests->list, &request->list);
    return 0;
}

void requests_forget(struct requests *requests, request_fn fn, void *arg)
{
    struct request *request, *next;

    LIST_FOREACH_SAFE (request, next, &requests->list, list)
        if (request->fn == fn && request->arg == arg) {
            list_remove(&request->list);
            free(request);
        }
}

/* A host may send what it likes, as often as it likes, until it is told apart from a good one. */
#define NODES_MAX 256
#define DEPTH_MAX 64U

static int64_t bound_time(int64_t time)
{
    return MIN(MAX(time, 0), SCOREBOARD_TIME_MAX);
}

/* We may read an ACCEPTED late, so its time is the host's; but a host may say what it likes. */
static int64_t bound_acceptance(const struct request *request, int64_t since)
{
    int64_t now = clock_monotonic();

    return since <= 0 ? now : MIN(MAX(since, request->asked_at), now);
}

static void answer_node(struct request *request, const struct wire_message *message)
{
    char name[SCOREBOARD_NAME_SIZE];
    struct request_node node = {
        .depth = MIN(message->line, DEPTH_MAX),
        .err = wire_code(message->code),
        .run = message->number,
        .age = bound_time(message->duration),
        .deadline = message->deadline == INT64_MAX ? INT64_MAX : bound_time(message->deadline),
        .name = name};
    struct request_answer answer = {.node = &node, .text = ""};

    if (request->nodes++ >= NODES_MAX)
        return;
    string_copy(name, sizeof(name), message->name);
    text_sanitise(name);
    request->fn(&answer, request->arg);
}

void request_answered(struct requests *requests, const struct unit *unit,
                      const struct wire_message *message)
{
    struct request *request, *next;
    struct request_answer answer = {
        .number = message->number, .code = wire_code(message->code), .duration = message->duration};

    LIST_FOREACH_SAFE (request, next, &requests->list, list) {
        cleanup_free char *text = NULL;
        size_t size;

        /* A host answers for its own modules only. */
        if (request->id != message->request || request->unit != unit)
            continue;
        if (message->type == WIRE_NODE) {
            answer_node(request, message);
            return;
        }
        if (message->type == WIRE_ACCEPTED) {
            request->number = message->number;
            request->accepted_at = bound_acceptance(request, message->since);
            answer.text = "";
            request->fn(&answer, request->arg);
            return;
        }
        /* Lines that become one take up to twice their room. */
        size = 2 * strlen(message->text) + 1;
        text = malloc(size);
        if (text) {
            string_copy(text, size, message->text);
            text_clean(text, size);
        }
        answer.final = true;
        answer.text = text ? text : "";
        answer_last(request, &answer);
        return;
    }
}
