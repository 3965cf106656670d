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
#define LOOKUPS_MAX 2

/* Stacks whose names are remembered: one that crashes in a loop does so in one place. */
#define KNOWN_MAX 16

#define LOOKUP_TIMEOUT (10 * NSEC_PER_SEC)
#define LOOKUP_GRACE   NSEC_PER_SEC

/* How long an end waits: a module that crashes at the first start ends reeved, and where it did is
 * what its author asks. */
#define END_PATIENCE (2 * NSEC_PER_SEC)

struct lookup {
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
    struct list lookups;
    unsigned lookup_count;
    bool ending;
};

static void lookup_free(struct lookup *lookup)
{
    list_remove(&lookup->list);
    lookup->symbols->lookup_count--;
    host_destroy(lookup->host);
    loop_timer_destroy(lookup->timer);
    for (size_t i = 0; i < ARRAY_SIZE(lookup->texts); i++)
        free(lookup->texts[i]);
    free(lookup->module);
    free(lookup->key);
    free(lookup);
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
static void all_answered(struct lookup *lookup)
{
    struct unit *unit = units_find(lookup->symbols->units, lookup->module);
    struct text text = {0};
    char *whole;

    for (unsigned i = 0; i < lookup->frames.count; i++)
        text_append_format(&text, "%s%s", i == 0 ? "" : ", ",
                           lookup->texts[i] ? lookup->texts[i] : "?");
    whole = text_finish(&text);
    if (!whole)
        return;
    if (unit && unit->crash.id == lookup->crash_id)
        tell(unit, whole, lookup->told);
    remember(lookup->symbols, TAKE_PTR(lookup->key), whole);
}

static void host_up(struct host *host, void *arg)
{
    struct lookup *lookup = arg;

    if (!lookup->symbols->ending)
        loop_timer_arm(lookup->timer, LOOKUP_TIMEOUT);
    for (unsigned i = 0; i < lookup->frames.count; i++) {
        struct wire_message message = {
            .type = WIRE_FRAME,
            .line = i,
            .flags = i > 0 ? WIRE_FRAME_RETURN : 0,
            .number = lookup->frames.frames[i].offset,
            .path = lookup->frames.frames[i].path,
        };

        host_send(host, &message);
    }
}

static void host_message(struct host *host, const struct wire_message *message, void *arg)
{
    struct lookup *lookup = arg;

    if (message->type != WIRE_SYMBOL || message->line >= lookup->frames.count ||
        lookup->texts[message->line]) {
        host_kill(host, "it sent an unexpected %s", wire_type_name(message->type));
        return;
    }
    lookup->texts[message->line] = strdup(message->text);
    if (lookup->texts[message->line])
        text_sanitise(lookup->texts[message->line]);
    if (++lookup->answers < lookup->frames.count)
        return;
    all_answered(lookup);
    host_exit(host, "all symbols are known");
}

/* The owner of a host may destroy it here. */
static void host_ended(struct host *host _unused_, const struct host_end *end, void *arg)
{
    struct lookup *lookup = arg;
    struct units *units = lookup->symbols->units;

    if (!end->asked)
        log_warning("[%s] no symbols for its stack: %s: %s", lookup->module, PROGRAM, end->text);
    lookup_free(lookup);
    /* Its end may be what the daemon's waits for. */
    units_changed(units);
}

static void lookup_late(void *arg)
{
    struct lookup *lookup = arg;
    struct units *units = lookup->symbols->units;

    if (!lookup->symbols->ending) {
        host_kill(lookup->host, "it did not answer in time");
        return;
    }
    /* One that reads from a disk that hangs does not end when it is killed. */
    log_warning("[%s] no symbols for its stack: %s did not answer in time", lookup->module,
                PROGRAM);
    lookup_free(lookup);
    units_changed(units);
}

/* The user that the module runs as, or an even lesser one, and of all files only its own: the .so
 * and what lies beside it. */
static int limit_lookup(struct host *host, const struct config_module *settings)
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
static struct lookup *lookup_create(struct symbols *symbols, const struct unit *unit, char *key)
{
    static const struct host_events events = {host_up, host_message, host_ended};
    struct units *units = symbols->units;
    struct host_options options = {
        .name = unit->name,
        .program = symbols->program,
        .directory = "/",
        .check_only = true,
        .grace = LOOKUP_GRACE,
    };
    struct lookup *lookup = calloc(1, sizeof(*lookup));

    if (!lookup) {
        free(key);
        return NULL;
    }
    lookup->symbols = symbols;
    lookup->key = key;
    symbols->lookup_count++;
    list_append(&symbols->lookups, &lookup->list);
    lookup->module = strdup(unit->name);
    lookup->crash_id = unit->crash.id;
    if (!lookup->module ||
        loop_timer_create(units->loop, lookup_late, lookup, &lookup->timer) < 0 ||
        host_create(units->loop, units->spawner, &options, &events, lookup, &lookup->host) < 0 ||
        limit_lookup(lookup->host, unit->settings) < 0) {
        lookup_free(lookup);
        return NULL;
    }
    return lookup;
}

void symbols_look_up(struct symbols *symbols, struct unit *unit, const struct crash_frames *frames,
                     bool told)
{
    const char *known;
    struct lookup *lookup;
    char *key;

    if (frames->count == 0 || symbols->units->phase >= PHASE_STOPPING)
        return;
    key = make_key(unit);
    known = key ? find_known(symbols, key) : NULL;
    if (known)
        tell(unit, known, told);
    if (!key || known || symbols->lookup_count >= LOOKUPS_MAX ||
        access(symbols->program, X_OK) < 0) {
        free(key);
        return;
    }
    lookup = lookup_create(symbols, unit, key);
    if (!lookup)
        return;
    lookup->frames = *frames;
    lookup->told = told;
    host_start(lookup->host);
}

int symbols_create(struct units *units, struct symbols **ret_symbols)
{
    const char *slash = strrchr(units->host_program, '/');
    struct symbols *symbols = calloc(1, sizeof(*symbols));

    if (!symbols)
        return -ENOMEM;
    symbols->units = units;
    list_init(&symbols->lookups);
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
    struct lookup *lookup;

    if (!symbols->ending)
        LIST_FOREACH (lookup, &symbols->lookups, list)
            loop_timer_arm(lookup->timer, END_PATIENCE);
    symbols->ending = true;
    return list_is_empty(&symbols->lookups);
}

void symbols_abandon(struct symbols *symbols)
{
    struct lookup *lookup, *next;

    LIST_FOREACH_SAFE (lookup, next, &symbols->lookups, list)
        lookup_free(lookup);
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
