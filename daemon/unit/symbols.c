/* SPDX-License-Identifier: MIT */
#include "daemon/unit/symbols.h"

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
#include "daemon/process/host.h"
#include "daemon/unit/restart.h"
#include "daemon/unit/units.h"
#include "wire/message.h"

#define PROGRAM "reeve-symbols"

/* A module that crashes again and again must not keep more processes busy than this. */
#define JOBS_MAX 2

/* Stacks whose names are remembered: one that crashes in a loop does so in one place. */
#define KNOWN_MAX 16

#define JOB_TIMEOUT (10 * NSEC_PER_SEC)
#define JOB_GRACE   NSEC_PER_SEC

/* How long an end waits: a module that crashes at the first start ends reeved, and where it did is what its author asks. */
#define END_PATIENCE (2 * NSEC_PER_SEC)

struct job {
    struct list list;
    struct symbols *symbols;
    struct host *host;
    struct loop_timer *timer;
    char *module;
    uint64_t crash_id;
    bool told;
    char *key;
    struct crash_frames frames;
    char *texts[SCOREBOARD_FRAMES];
    unsigned answers;
};

struct known {
    char *key;
    char *text;
};

struct symbols {
    struct units *units;
    char *program;
    struct known known[KNOWN_MAX];
    unsigned next_known; /* to be overwritten */
    struct list jobs;
    unsigned job_count;
    bool ending;
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
    free(job->key);
    free(job);
}

/* The same frames of the same file: another build of a module may have others at these places. */
static char *make_key(const struct unit *unit)
{
    return format_new("%s %" PRId64 " %s", unit->settings->path, unit->file_id.mtime,
                      unit->crash.frames);
}

static const char *find_known(const struct symbols *symbols, const char *key)
{
    for (size_t i = 0; i < KNOWN_MAX; i++)
        if (string_equal(symbols->known[i].key, key))
            return symbols->known[i].text;
    return NULL;
}

/* Takes over both. */
static void remember(struct symbols *symbols, char *key, char *text)
{
    struct known *known = &symbols->known[symbols->next_known];

    free(known->key);
    free(known->text);
    *known = (struct known){key, text};
    symbols->next_known = (symbols->next_known + 1) % KNOWN_MAX;
}

static void tell(struct unit *unit, const char *text, bool told)
{
    log_line(told ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, "[%s] stack of %s: %s", unit->name,
             unit->crash.summary, text);
    string_copy(unit->crash.frames, sizeof(unit->crash.frames), text);
    restart_name_frames(&unit->next_restart, unit->crash.id, text);
    restart_name_frames(&unit->last_restart, unit->crash.id, text);
    units_changed(unit->all);
}

/* From the innermost frame outwards. */
static void all_answered(struct job *job)
{
    struct unit *unit = units_find(job->symbols->units, job->module);
    struct text text = {0};
    char *whole;

    for (unsigned i = 0; i < job->frames.count; i++)
        text_append_format(&text, "%s%s", i == 0 ? "" : ", ", job->texts[i] ? job->texts[i] : "?");
    whole = text_finish(&text);
    if (!whole)
        return;
    if (unit && unit->crash.id == job->crash_id)
        tell(unit, whole, job->told);
    remember(job->symbols, TAKE_PTR(job->key), whole);
}

static void host_up(struct host *host, void *arg)
{
    struct job *job = arg;

    if (!job->symbols->ending)
        loop_timer_arm(job->timer, JOB_TIMEOUT);
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
    all_answered(job);
    host_exit(host, "all symbols are known");
}

/* The owner of a host may destroy it here. */
static void host_ended(struct host *host _unused_, const struct host_end *end, void *arg)
{
    struct job *job = arg;
    struct units *units = job->symbols->units;

    if (!end->asked)
        log_warning("[%s] no symbols for its stack: %s: %s", job->module, PROGRAM, end->text);
    job_free(job);
    /* Its end may be what the daemon's waits for. */
    units_changed(units);
}

static void job_late(void *arg)
{
    struct job *job = arg;
    struct units *units = job->symbols->units;

    if (!job->symbols->ending) {
        host_kill(job->host, "it did not answer in time");
        return;
    }
    /* One that reads from a disk that hangs does not end when it is killed. */
    log_warning("[%s] no symbols for its stack: %s did not answer in time", job->module, PROGRAM);
    job_free(job);
    units_changed(units);
}

/* The user that the module runs as, or an even lesser one, and of all files only its own: the .so
 * and what lies beside it. */
static int limit_job(struct host *host, const struct config_module *settings)
{
    cleanup_strings struct strings own = {0};
    const char *slash = strrchr(settings->path, '/');
    cleanup_free char *folder =
        format_new("%.*s", slash ? (int)(slash - settings->path) : 0, settings->path);
    int r = folder ? strings_add(&own, settings->path) : -ENOMEM;

    if (r == 0 && folder[0] != '\0')
        r = strings_add(&own, folder);
    if (r == 0)
        host_set_limits(host, &settings->limits, &own);
    return r;
}

/* Takes over key. */
static struct job *job_create(struct symbols *symbols, const struct unit *unit, char *key)
{
    static const struct host_events events = {host_up, host_message, host_ended};
    struct units *units = symbols->units;
    struct host_options options = {
        .name = unit->name,
        .program = symbols->program,
        .directory = "/",
        .check_only = true,
        .grace = JOB_GRACE,
    };
    struct job *job = calloc(1, sizeof(*job));

    if (!job) {
        free(key);
        return NULL;
    }
    job->symbols = symbols;
    job->key = key;
    symbols->job_count++;
    list_append(&symbols->jobs, &job->list);
    job->module = strdup(unit->name);
    job->crash_id = unit->crash.id;
    if (!job->module || loop_timer_create(units->loop, job_late, job, &job->timer) < 0 ||
        host_create(units->loop, units->spawner, &options, &events, job, &job->host) < 0 ||
        limit_job(job->host, unit->settings) < 0) {
        job_free(job);
        return NULL;
    }
    return job;
}

void symbols_look_up(struct symbols *symbols, struct unit *unit, const struct crash_frames *frames,
                     bool told)
{
    const char *known;
    struct job *job;
    char *key;

    if (frames->count == 0 || symbols->units->phase >= PHASE_STOPPING)
        return;
    key = make_key(unit);
    known = key ? find_known(symbols, key) : NULL;
    if (known)
        tell(unit, known, told);
    if (!key || known || symbols->job_count >= JOBS_MAX || access(symbols->program, X_OK) < 0) {
        free(key);
        return;
    }
    job = job_create(symbols, unit, key);
    if (!job)
        return;
    job->frames = *frames;
    job->told = told;
    host_start(job->host);
}

int symbols_create(struct units *units, struct symbols **ret_symbols)
{
    const char *slash = strrchr(units->host_program, '/');
    struct symbols *symbols = calloc(1, sizeof(*symbols));

    if (!symbols)
        return -ENOMEM;
    symbols->units = units;
    list_init(&symbols->jobs);
    /* It lies beside reeve-host. */
    symbols->program = format_new(
        "%.*s" PROGRAM, slash ? (int)(slash - units->host_program) + 1 : 0, units->host_program);
    if (!symbols->program) {
        free(symbols);
        return -ENOMEM;
    }
    *ret_symbols = symbols;
    return 0;
}

bool symbols_finish(struct symbols *symbols)
{
    struct job *job;

    if (!symbols->ending)
        LIST_FOREACH (job, &symbols->jobs, list)
            loop_timer_arm(job->timer, END_PATIENCE);
    symbols->ending = true;
    return list_is_empty(&symbols->jobs);
}

void symbols_abandon(struct symbols *symbols)
{
    struct job *job, *next;

    LIST_FOREACH_SAFE (job, next, &symbols->jobs, list)
        job_free(job);
}

void symbols_destroy(struct symbols *symbols)
{
    if (!symbols)
        return;
    symbols_abandon(symbols);
    for (size_t i = 0; i < KNOWN_MAX; i++) {
        free(symbols->known[i].key);
        free(symbols->known[i].text);
    }
    free(symbols->program);
    free(symbols);
}
