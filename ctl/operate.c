/* SPDX-License-Identifier: MIT */
/*
 * Commands that take time: start, stop, restart, reload, check. While the daemon is at it, what it
 * waits for is told on standard error, a line for each change.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/table.h"

/* The text that was told last, so that nothing is told twice. */
struct waiting {
    char told[4096];
};

static bool is_moving(const json_t *module)
{
    static const char *const moving[] = {"checking", "waiting", "starting", "stopping", "backoff"};

    for (size_t i = 0; i < ARRAY_SIZE(moving); i++)
        if (strcmp(get_text(module, "state"), moving[i]) == 0)
            return true;
    return false;
}

/* "web: stopping; waiting for work under way", for each module that is on its way. */
static void tell_waiting(const struct ctl *ctl, const json_t *status, void *arg)
{
    cleanup_text struct text text = {0};
    struct waiting *waiting = arg;
    json_t *module;
    size_t i;

    if (ctl->json)
        return;
    json_array_foreach(json_object_get(status, "modules"), i, module) if (is_moving(module))
        text_append_format(&text, "%s%s: %s", text.length > 0 ? ", " : "", get_text(module, "name"),
                           get_text(module, "output"));
    if (text.length == 0 || strcmp(waiting->told, text_string(&text)) == 0)
        return;
    string_copy(waiting->told, sizeof(waiting->told), text_string(&text));
    text_sanitise(waiting->told);
    fprintf(stderr, "waiting: %s\n", waiting->told);
}

/* value: of the parameter; NULL: there is none. */
static int request(const struct ctl *ctl, const char *method, const char *path,
                   const char *parameter, const char *value, json_t **ret_answer)
{
    struct waiting waiting = {0};
    const struct ctl_parameter parameters[] = {{value ? parameter : NULL, value ? value : ""},
                                               {ctl->no_wait ? NULL : "wait", ""},
                                               {NULL, NULL}};

    return ctl_request_watched(ctl, method, path, parameters, tell_waiting, &waiting, ret_answer);
}

static int operate(const struct ctl *ctl, const char *path, const char *done, const char *begun,
                   int count, char **modules)
{
    int result = 0;

    for (int i = 0; i < count; i++) {
        json_t *answer;
        int r = request(ctl, "POST", path, "module", modules[i], &answer);

        if (r == 0 && ctl->json)
            print_json(answer);
        else if (r == 0)
            printf("%s %s\n", modules[i], ctl->no_wait ? begun : done);
        result = result != 0 ? result : r;
        json_decref(answer);
    }
    return result;
}

int command_start(const struct ctl *ctl, int count, char **words)
{
    return operate(ctl, "/v1/start", "started", "is being started", count, words);
}

int command_stop(const struct ctl *ctl, int count, char **words)
{
    return operate(ctl, "/v1/stop", "stopped", "is being stopped", count, words);
}

int command_restart(const struct ctl *ctl, int count, char **words)
{
    return operate(ctl, "/v1/restart", "restarted", "is being restarted", count, words);
}

/* The module that it requires or waits for, and why that takes it along. */
static void describe_because(const json_t *step, char *buffer, size_t size)
{
    const char *because = get_text(step, "because"), *state = get_text(step, "because_state");

    if (!*because)
        snprintf(buffer, size, "%s", "");
    else if (strcmp(get_text(step, "step"), "keep") == 0)
        snprintf(buffer, size, "waits for %s, and starts after it", because);
    else if (strcmp(state, "restart") == 0)
        snprintf(buffer, size, "it requires %s, which restarts", because);
    else
        snprintf(buffer, size, "it requires %s, which is %s", because,
                 strcmp(state, "add") == 0       ? "new"
                 : strcmp(state, "backoff") == 0 ? "in its backoff"
                                                 : state);
}

/* Why, and what becomes of work under way. */
static void describe_step(const json_t *step, char *buffer, size_t size)
{
    const char *work = get_text(step, "work");
    char because[200];
    bool waits = strcmp(get_text(step, "step"), "reload") == 0;

    describe_because(step, because, sizeof(because));
    if (json_is_true(json_object_get(step, "held")))
        snprintf(buffer, size, "stays stopped until it is started");
    else
        snprintf(buffer, size, "%s%s%s%s", because, *because && *work ? "; " : "",
                 !*work  ? ""
                 : waits ? "when this has ended: "
                         : "stops ",
                 work);
}

static void print_texts(const json_t *answer, const char *member)
{
    json_t *text;
    size_t i;

    json_array_foreach(json_object_get(answer, member), i, text)
    {
        puts(json_string_value(text));
    }
}

static void print_plan(const struct ctl *ctl, const json_t *plan)
{
    static const char *const columns[] = {"MODULE", "STEP", "NOTES", NULL};
    struct table *table = table_create(ctl, columns);
    char notes[400];
    json_t *step;
    size_t i;

    json_array_foreach(json_object_get(plan, "steps"), i, step)
    {
        table_line(table);
        table_cell(table, "%s", get_text(step, "module"));
        table_cell(table, "%s", get_text(step, "step"));
        describe_step(step, notes, sizeof(notes));
        if (*notes)
            table_cell(table, "%s", notes);
    }
    table_print(table);
    if (json_is_true(json_object_get(plan, "needs_restart")))
        puts("\nlisten, control and max-connections change only with a restart of reeved.");
    print_texts(plan, "warnings");
}

int command_reload(const struct ctl *ctl, int count _unused_, char **words _unused_)
{
    json_t *answer;
    int r = request(ctl, ctl->plan ? "GET" : "POST", ctl->plan ? "/v1/plan" : "/v1/reload", "",
                    NULL, &answer);

    if (r == 0 && ctl->json)
        print_json(answer);
    else if (r == 0 && ctl->plan)
        print_plan(ctl, answer);
    else if (r == 0) {
        puts("reloaded");
        print_texts(answer, "notes");
    }
    json_decref(answer);
    return r;
}

int command_check(const struct ctl *ctl, int count _unused_, char **words _unused_)
{
    json_t *answer;
    int r = request(ctl, "GET", "/v1/plan", "check", "yes", &answer);

    if (r == 0 && ctl->json)
        print_json(answer);
    else if (r == 0)
        puts("the configuration is good");
    json_decref(answer);
    return r;
}
