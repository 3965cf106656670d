/* SPDX-License-Identifier: MIT */
/*
 * Runs and jobs that are asked for over the control socket. A client that waits for one goes on
 * waiting over a live upgrade: the next program takes over the connection, and knows by the
 * request's number which answer of a host is for it.
 */
#include "daemon/edge/control/work.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/log.h"
#include "daemon/control/supervisor.h"
#include "daemon/edge/control/named.h"
#include "daemon/edge/respond.h"
#include "daemon/loop/http_handover.h"
#include "daemon/serialize/fields.h"
#include "daemon/unit/request.h"
#include "daemon/unit/unit.h"

/* A request that waits for its answer from a host. */
struct waiting {
    struct http_request *request;
    bool wait; /* for the result, not only the acceptance */
};

static int status_of(int code)
{
    switch (code) {
    case 0:
        return 200;
    case -ENOENT:
        return 404;
    case -EAGAIN:
    case -ENOBUFS:
    case -EBUSY:
        return 503;
    default:
        return 500;
    }
}

/* The answers of a request that was accepted and is not waited for have nobody to go to. */
static void answered(const struct request_answer *answer, void *arg)
{
    struct waiting *waiting = arg;
    struct http_request *request = waiting->request;

    if (!answer->final && waiting->wait)
        return;
    if (request) {
        waiting->request = NULL;
        if (!answer->final)
            respond_json(request, 202, RESPOND_JSON,
                         json_pack("{s:I}", "number", (json_int_t)answer->number));
        else if (answer->code < 0 && answer->number == 0)
            respond_error(request, status_of(answer->code), answer->code, "%s",
                          answer->text[0] ? answer->text : strerror(-answer->code));
        else
            /* A run that failed is a good answer to the question how it went. */
            respond_json(request, 200, RESPOND_JSON,
                         json_pack("{s:I, s:i, s:s, s:o, s:f}", "number",
                                   (json_int_t)answer->number, "code", answer->code, "name",
                                   answer->code < 0 && strerrorname_np(-answer->code)
                                       ? strerrorname_np(-answer->code)
                                       : "OK",
                                   "text", serialize_text(answer->text), "seconds",
                                   (double)answer->duration / NSEC_PER_SEC));
    }
    if (answer->final)
        free(waiting);
}

static void respond_refused(struct http_request *request, const struct unit *unit, int code)
{
    /* That is of a host that this reeved cannot talk with. */
    if (code == -EAGAIN && unit->state == UNIT_READY)
        respond_error(request, 503, code, "module %s takes nothing now: its host is being replaced",
                      unit->name);
    else if (code == -EAGAIN)
        respond_error(request, 503, code, "module %s is %s%s%s", unit->name,
                      unit_state_words(unit->state), unit->reason[0] ? ": " : "", unit->reason);
    else if (code == -ENOBUFS)
        respond_error(request, 503, code, "module %s takes nothing now: its host reads no requests",
                      unit->name);
    else
        respond_error(request, status_of(code), code, "%s", strerror(-code));
}

static struct waiting *make_waiting(struct http_request *request)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));

    if (!waiting) {
        respond_error(request, 503, -ENOMEM, "out of memory");
        return NULL;
    }
    waiting->request = request;
    waiting->wait = http_request_parameter(request, "wait") != NULL;
    return waiting;
}

void work_serve_run(struct edge *edge, struct http_request *request)
{
    const char *task = http_request_parameter(request, "task");
    struct unit *unit = named_unit(edge, request);
    struct waiting *waiting;
    int r;

    if (!unit)
        return;
    waiting = make_waiting(request);
    if (!waiting)
        return;
    r = request_run(supervisor_requests(edge->supervisor), unit, task ? task : "", answered,
                    waiting);
    if (r < 0) {
        free(waiting);
        respond_refused(request, unit, r);
    } else {
        http_request_set_movable(request);
    }
}

void work_serve_submit(struct edge *edge, struct http_request *request)
{
    const char *pool = http_request_parameter(request, "pool");
    const char *timeout_text = http_request_parameter(request, "timeout");
    struct unit *unit = named_unit(edge, request);
    struct waiting *waiting;
    int64_t timeout = 0;
    const void *data;
    size_t size;
    int r;

    if (!unit)
        return;
    if (timeout_text && duration_parse(timeout_text, &timeout) < 0) {
        respond_error(request, 400, -EINVAL, "timeout = %s: expected a duration such as 30s",
                      timeout_text);
        return;
    }
    waiting = make_waiting(request);
    if (!waiting)
        return;
    data = http_request_body(request, &size);
    r = request_submit(supervisor_requests(edge->supervisor), unit, pool ? pool : "", data, size,
                       timeout, answered, waiting);
    if (r < 0) {
        free(waiting);
        respond_refused(request, unit, r);
    } else {
        http_request_set_movable(request);
    }
}

/* Live upgrade ------------------------------------------------------------ */

static void save_waiting(const struct request_record *record, request_fn fn, void *waiting_arg,
                         void *arg)
{
    const struct waiting *waiting = waiting_arg;
    json_t *list = arg;

    /* A request that nobody waits for any more needs no answer. */
    if (fn != answered || !waiting->request || http_request_fd(waiting->request) < 0)
        return;
    json_array_append_new(
        list,
        json_pack("{s:i, s:b, s:b, s:I, s:I, s:I, s:s}", "fd", http_request_fd(waiting->request),
                  "closes", http_request_closes(waiting->request), "wait", waiting->wait, "id",
                  (json_int_t)record->id, "number", (json_int_t)record->number, "accepted_at",
                  (json_int_t)record->accepted_at, "module", record->module));
}

json_t *work_save(const struct edge *edge)
{
    json_t *list = json_array();

    if (list)
        requests_each(supervisor_requests(edge->supervisor), save_waiting, list);
    return list;
}

bool work_is_awaited(const struct edge *edge)
{
    json_t *list = work_save(edge);
    bool any = !list || json_array_size(list) > 0;

    json_decref(list);
    return any;
}

/* One that is being taken over. */
struct taken {
    struct edge *edge;
    struct unit *unit;
    const char *module;
    int fd;
    int closes;
    int wait;
    json_int_t id;
    json_int_t number;
    json_int_t accepted_at;
};

static bool read_taken(json_t *item, struct taken *ret_taken)
{
    ret_taken->accepted_at = 0;
    return json_unpack(item, "{s:i, s:b, s:b, s:I, s:I, s?I, s:s}", "fd", &ret_taken->fd, "closes",
                       &ret_taken->closes, "wait", &ret_taken->wait, "id", &ret_taken->id, "number",
                       &ret_taken->number, "accepted_at", &ret_taken->accepted_at, "module",
                       &ret_taken->module) == 0 &&
           ret_taken->fd > STDERR_FILENO;
}

bool work_check_state(const json_t *list)
{
    struct taken taken;

    for (size_t i = 0; i < json_array_size(list); i++)
        if (!read_taken(json_array_get(list, i), &taken))
            return false;
    return json_is_array(list);
}

static void take_over(struct http_request *request, void *arg)
{
    const struct taken *taken = arg;
    struct waiting *waiting = taken->unit ? calloc(1, sizeof(*waiting)) : NULL;
    struct request_record record = {.id = (uint64_t)taken->id,
                                    .number = (uint64_t)taken->number,
                                    .accepted_at = taken->accepted_at};
    int r = taken->unit ? -ENOMEM : -EPIPE;

    if (waiting) {
        *waiting = (struct waiting){.request = request, .wait = taken->wait};
        r = request_resume(supervisor_requests(taken->edge->supervisor), taken->unit, &record,
                           answered, waiting);
    }
    if (r == 0) {
        http_request_set_movable(request);
        return;
    }
    free(waiting);
    respond_error(request, 503, r, "%s", taken->unit ? "out of memory" : "the module is gone");
}

int work_resume(struct edge *edge, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct taken taken;
        struct http_resumption resumption = {.came = take_over, .arg = &taken};
        int r;

        if (!read_taken(json_array_get(list, i), &taken))
            return -EBADMSG;
        taken.edge = edge;
        taken.unit = supervisor_find(edge->supervisor, taken.module);
        resumption.closes = taken.closes;
        r = http_server_adopt(edge->control, taken.fd, &resumption);
        /* The run goes on; only who asked for it does not hear of its end. */
        if (r < 0)
            log_warning("[%s] who waits for an answer could not be taken over: %s", taken.module,
                        strerror(-r));
    }
    return 0;
}
