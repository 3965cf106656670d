/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/symbols.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/host.h"
#include "daemon/supervisor/supervisor_internal.h"
#include "daemon/supervisor/unit.h"

#define PROGRAM "reeve-symbols"

/* A module that crashes again and again must not keep more processes busy than this. */
#define JOBS_MAX 2

#define JOB_TIMEOUT (10 * NSEC_PER_SEC)
#define JOB_GRACE   NSEC_PER_SEC

struct job {
    struct list list;
    struct symbols *symbols;
    struct host *host;
    struct loop_timer *timer;
    char *module;
    uint64_t crash_id;
    struct crash_frames frames;
    char *texts[SCOREBOARD_FRAMES];
    unsigned answers;
};

struct symbols {
    struct supervisor *supervisor;
    char *program;
    struct list jobs;
    unsigned job_count;
};

static void job_free(struct job *job)
{
    list_remove(&job->list);
    job->symbols->job_count--;
    host_destroy(job->host);
    loop_timer_destroy(job->timer);
    for (size_t i = 0; i < ARRAY_SIZE(job->texts); i++)
        free(job->texts[i]);
    free(job->module);
    free(job);
}

/* From the innermost frame outwards, one line in the log. */
static void tell(struct job *job)
{
    struct unit *unit = supervisor_find(job->symbols->supervisor, job->module);
    cleanup_text struct text text = {0};

    for (unsigned i = 0; i < job->frames.count; i++)
        text_append_format(&text, "%s%s", i == 0 ? "" : ", ", job->texts[i] ? job->texts[i] : "?");
    if (!unit || unit->crash.id != job->crash_id || text.failed)
        return;
    log_error("[%s] stack of %s: %s", job->module, unit->crash.summary, text_string(&text));
    string_copy(unit->crash.frames, sizeof(unit->crash.frames), text_string(&text));
    supervisor_changed(job->symbols->supervisor);
}

static void host_up(struct host *host, void *arg)
{
    struct job *job = arg;

    for (unsigned i = 0; i < job->frames.count; i++) {
        struct wire_message message = {
            .type = WIRE_FRAME,
            .line = i,
            .flags = i > 0 ? WIRE_FRAME_RETURN : 0,
            .number = job->frames.frames[i].offset,
            .path = job->frames.frames[i].path,
        };

        host_send(host, &message);
    }
}

static void host_message(struct host *host, const struct wire_message *message, void *arg)
{
    struct job *job = arg;

    if (message->type != WIRE_SYMBOL || message->line >= job->frames.count ||
        job->texts[message->line]) {
        host_kill(host, "it sent an unexpected %s", wire_type_name(message->type));
        return;
    }
    job->texts[message->line] = strdup(message->text);
    if (job->texts[message->line])
        text_sanitise(job->texts[message->line]);
    if (++job->answers < job->frames.count)
        return;
    tell(job);
    host_exit(host, "all symbols are known");
}

/* The owner of a host may destroy it here. */
static void host_ended(struct host *host unused, const struct host_end *end, void *arg)
{
    struct job *job = arg;

    if (!end->asked)
        log_warning("[%s] no symbols for its stack: %s: %s", job->module, PROGRAM, end->text);
    job_free(job);
}

static void job_late(void *arg)
{
    struct job *job = arg;

    host_kill(job->host, "it did not answer within 10s");
}

static struct job *job_create(struct symbols *symbols, const struct unit *unit)
{
    static const struct host_events events = {host_up, host_message, host_ended};
    struct supervisor *supervisor = symbols->supervisor;
    struct host_options options = {
        .name = unit->name,
        .program = symbols->program,
        .directory = "/",
        .check_only = true,
        .grace = JOB_GRACE,
    };
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->symbols = symbols;
    symbols->job_count++;
    list_append(&symbols->jobs, &job->list);
    job->module = strdup(unit->name);
    job->crash_id = unit->crash.id;
    if (!job->module || loop_timer_create(supervisor->loop, job_late, job, &job->timer) < 0 ||
        host_create(supervisor->loop, supervisor->spawner, &options, &events, job, &job->host) <
            0) {
        job_free(job);
        return NULL;
    }
    return job;
}

void symbols_look_up(struct symbols *symbols, const struct unit *unit,
                     const struct crash_frames *frames)
{
    struct job *job;

    if (frames->count == 0 || symbols->job_count >= JOBS_MAX ||
        access(symbols->program, X_OK) < 0 || symbols->supervisor->phase >= PHASE_STOPPING)
        return;
    job = job_create(symbols, unit);
    if (!job)
        return;
    job->frames = *frames;
    loop_timer_arm(job->timer, JOB_TIMEOUT);
    host_start(job->host);
}

int symbols_create(struct supervisor *supervisor, struct symbols **ret_symbols)
{
    const char *slash = strrchr(supervisor->host_program, '/');
    struct symbols *symbols = calloc(1, sizeof(*symbols));

    if (!symbols)
        return -ENOMEM;
    symbols->supervisor = supervisor;
    list_init(&symbols->jobs);
    /* It lies beside reeve-host. */
    symbols->program =
        format_new("%.*s" PROGRAM, slash ? (int)(slash - supervisor->host_program) + 1 : 0,
                   supervisor->host_program);
    if (!symbols->program) {
        free(symbols);
        return -ENOMEM;
    }
    *ret_symbols = symbols;
    return 0;
}

void symbols_destroy(struct symbols *symbols)
{
    struct job *job, *next;

    if (!symbols)
        return;
    LIST_FOREACH_SAFE (job, next, &symbols->jobs, list)
        job_free(job);
    free(symbols->program);
    free(symbols);
}
