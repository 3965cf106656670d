/* SPDX-License-Identifier: MIT */
#include "daemon/unit/check.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/list.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/process/crash.h"
#include "daemon/process/host.h"
#include "settings/errors.h"
#include "settings/key_tables.h"
#include "settings/keys.h"

#define CHECK_GRACE (2 * NSEC_PER_SEC)

static const char not_checked[] = "could not be checked, nothing is known to be wrong with it: ";

struct asked {
    struct list list;
    struct check *check;
    const struct config_module *module;
    struct host *host;
    struct loop_timer *timer;
    size_t errors;
    bool answered;
};

struct check {
    struct check_options options;
    const struct config *config;
    struct config_errors *errors;
    struct list asked;
    size_t running;
    struct loop_timer *done_timer;
};

size_t check_errors_max(const struct config_module *module)
{
    /* A line can have several errors, and check() has its own. */
    return 4 * module->option_count + 256;
}

void check_add_option_error(struct config_errors *errors, const struct config_module *module,
                            const struct wire_message *message)
{
    const char *file = module->file;
    unsigned line = module->line;
    char key[256], text[512], hint[128] = "";
    struct nearest nearest;

    string_copy(key, sizeof(key), message->key);
    string_copy(text, sizeof(text), message->text);
    text_clean(key, sizeof(key));
    text_clean(text, sizeof(text));
    /* A place counts only if it is one that we gave: no host makes up file names. */
    for (size_t i = 0; i < module->option_count; i++)
        if (strcmp(module->options[i].key, message->key) == 0 &&
            module->options[i].line == message->line &&
            strcmp(module->options[i].file, message->path) == 0) {
            file = module->options[i].file;
            line = module->options[i].line;
        }
    nearest_begin(&nearest, key);
    if (message->flags & WIRE_OPTION_UNKNOWN_KEY) {
        key_tables_hint(module_keys, key, hint, sizeof(hint));
        setting_offer_keys(module_keys, "", &nearest);
        nearest_offer(&nearest, message->value);
    }
    config_error(errors, file, line, "[module:%s] %s%s", module->name, text,
                 *hint ? hint : nearest_words(&nearest));
}

struct config_place check_place_of(const struct config *config, const struct config_module *module,
                                   const struct wire_message *message)
{
    bool is_load = message && strcmp(message->name, "load") == 0;

    return config_place_of(config, module, is_load ? "load" : "", 0);
}

void check_add_crash(struct config_errors *errors, const struct config_place *place,
                     const char *module, const struct crash *crash, const struct host_end *end)
{
    char text[sizeof(*crash)];

    crash_describe(crash, text, sizeof(text));
    if (text[0] != '\0')
        config_error(errors, place->file, place->line, "[module:%s] %s", module, text);
    if (end->words[0] != '\0')
        config_error(errors, place->file, place->line, "[module:%s] its last lines: %s", module,
                     end->words);
}

/* Until here the process has its own time for its hello, and before that it waited for its turn. */
static void host_up(struct host *host _unused_, void *arg)
{
    const struct wire_message message = {.type = WIRE_CHECK};
    struct asked *asked = arg;

    /* A start gives the module so long to be loaded: a check must not refuse it sooner. */
    loop_timer_arm(asked->timer, asked->module->start_timeout);
    host_send_module(asked->host, 0, asked->module);
    host_send(asked->host, &message);
}

/* Without memory for a note it is not told. */
static void take_option_error(struct asked *asked, const struct wire_message *message)
{
    struct strings *notes = asked->check->options.notes;
    struct config_errors *errors = asked->check->errors, past = {0};

    if (!notes || !(message->flags & WIRE_OPTION_PAST)) {
        check_add_option_error(errors, asked->module, message);
        return;
    }
    check_add_option_error(&past, asked->module, message);
    if (past.texts.count > 0)
        (void)strings_add(notes, past.texts.items[0]);
    config_errors_free(&past);
}

static bool is_checked(const struct check *check, const struct config_module *module)
{
    return !check->options.wanted || check->options.wanted(module, check->options.arg);
}

/* Its file is not reentrant: whether another module of its host has it, too. Of two that are
 * checked the second tells. */
static void check_neighbours(struct check *check, const struct config_module *module)
{
    for (size_t i = 0; i < check->config->module_count; i++) {
        const struct config_module *other = check->config->modules[i];
        struct config_place place;

        if (other == module || strcmp(other->host, module->host) != 0 ||
            strcmp(other->path, module->path) != 0 ||
            (i > module->index && is_checked(check, other)))
            continue;
        place = config_place_of(check->config, module, "load", 0);
        config_error(
            check->errors, place.file, place.line,
            "[module:%s] and [module:%s] load the same %s in one host \"%s\", where they "
            "would share its variables, as it is not reentrant: give one of them another host",
            module->name, other->name, module->path, module->host);
    }
}

static void host_message(struct host *host, const struct wire_message *message, void *arg)
{
    struct asked *asked = arg;
    struct config_place place;

    switch (message->type) {
    case WIRE_OPTION_ERROR:
        if (asked->errors++ < check_errors_max(asked->module))
            take_option_error(asked, message);
        else
            host_kill(host, "it told more errors than a section can have");
        return;
    case WIRE_FAILED:
        place = check_place_of(asked->check->config, asked->module, message);
        config_error(asked->check->errors, place.file, place.line, "[module:%s] %s%.400s",
                     asked->module->name, message->flags & WIRE_FAILED_PROCESS ? not_checked : "",
                     message->text);
        break;
    case WIRE_CHECKED:
        if (!asked->answered && !(message->flags & WIRE_CHECKED_REENTRANT))
            check_neighbours(asked->check, asked->module);
        if (asked->check->options.checked && !asked->answered)
            asked->check->options.checked(asked->module, message->flags & WIRE_CHECKED_RELOADS,
                                          asked->check->options.arg);
        break;
    default:
        return;
    }
    asked->answered = true;
    host_exit(host, "checked");
}

/* Its module has slot 0 there. */
static void add_end(struct asked *asked, const struct host_end *end)
{
    const struct config_module *module = asked->module;
    const struct config_place place = {module->file, module->line};
    const struct scoreboard *board = host_scoreboard(asked->host);
    struct crash crash = {0};

    config_error(asked->check->errors, place.file, place.line,
                 "[module:%s] %s ended while it was being checked: %s", module->name, module->path,
                 end->text);
    if (board)
        crash_read(board, 0, &crash, NULL);
    check_add_crash(asked->check->errors, &place, module->name, &crash, end);
}

/* A host's reason to refuse its limits begins with the key, as "user = bob: ...". */
static void add_refusal(struct asked *asked, const struct host_end *end)
{
    size_t length = strcspn(end->text, " ");
    struct config_place place;
    char key[32];

    string_copy(key, MIN(length + 1, sizeof(key)), end->text);
    place = config_place_of(asked->check->config, asked->module, key, 0);
    config_error(asked->check->errors, place.file, place.line, "[module:%s] %.480s",
                 asked->module->name, end->text);
}

/* With its host it gives up a scoreboard: there may be more modules than descriptors for these. */
static void host_ended(struct host *host _unused_, const struct host_end *end, void *arg)
{
    struct asked *asked = arg;
    struct check *check = asked->check;

    if (!asked->answered && end->refused)
        add_refusal(asked, end);
    else if (!asked->answered && end->not_started)
        config_error(check->errors, asked->module->file, asked->module->line, "[module:%s] %s%s",
                     asked->module->name, not_checked, end->text);
    else if (!asked->answered)
        add_end(asked, end);
    loop_timer_disarm(asked->timer);
    host_destroy(TAKE_PTR(asked->host));
    if (--check->running == 0)
        loop_timer_arm(check->done_timer, 0);
}

static void asked_late(void *arg)
{
    struct asked *asked = arg;
    char text[DURATION_TEXT_SIZE];

    host_kill_hanging(asked->host, 0, "it did not answer within %s (start-timeout)",
                      duration_format(asked->module->start_timeout, text, sizeof(text)));
}

static void all_done(void *arg)
{
    struct check *check = arg;
    struct check_options options = check->options;

    check_cancel(check);
    options.done(options.arg);
}

static int ask(struct check *check, const struct config_module *module)
{
    static const struct host_events events = {host_up, host_message, host_ended};
    struct asked *asked = calloc(1, sizeof(*asked));
    struct host_options options = {
        .name = module->name,
        .program = check->options.host_program,
        .directory = check->options.directory,
        .check_only = true,
        .grace = CHECK_GRACE,
    };
    const struct strings none = {0};

    if (!asked)
        return -ENOMEM;
    list_append(&check->asked, &asked->list);
    asked->check = check;
    asked->module = module;
    if (loop_timer_create(check->options.loop, asked_late, asked, &asked->timer) < 0 ||
        host_create(check->options.loop, check->options.spawner, &options, &events, asked,
                    &asked->host) < 0)
        return -ENOMEM;
    host_set_limits(asked->host, &module->limits, &none);
    check->running++;
    host_start(asked->host);
    return 0;
}

int check_start(const struct check_options *options, const struct config *config,
                struct config_errors *errors, struct check **ret_check)
{
    struct check *check = calloc(1, sizeof(*check));

    if (!check)
        return -ENOMEM;
    check->options = *options;
    check->config = config;
    check->errors = errors;
    list_init(&check->asked);
    if (loop_timer_create(options->loop, all_done, check, &check->done_timer) < 0) {
        check_cancel(check);
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->module_count; i++)
        if (is_checked(check, config->modules[i]))
            if (ask(check, config->modules[i]) < 0) {
                check_cancel(check);
                return -ENOMEM;
            }
    if (list_is_empty(&check->asked))
        loop_timer_arm(check->done_timer, 0);
    *ret_check = check;
    return 0;
}

void check_cancel(struct check *check)
{
    struct asked *asked, *next;

    if (!check)
        return;
    LIST_FOREACH_SAFE (asked, next, &check->asked, list) {
        list_remove(&asked->list);
        host_destroy(asked->host);
        loop_timer_destroy(asked->timer);
        free(asked);
    }
    loop_timer_destroy(check->done_timer);
    free(check);
}
