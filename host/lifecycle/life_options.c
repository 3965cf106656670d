/* SPDX-License-Identifier: MIT */
/*
 * The options of a module: bound to a state, and then looked at by the module's own check(), which
 * finds what no table can say. Its errors are told like those of the tables, with the place of the
 * option's line.
 */
#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "base/shown.h"
#include "base/text.h"
#include "host/lifecycle/life_internal.h"
#include "host/load/option_table.h"
#include "host/load/options.h"
#include "host/module/module.h"
#include "host/process/forked.h"

/* Nobody reads more, and one that loops over them must not fill the log. */
#define ERRORS_MAX 32

/* A check() under way. */
struct checking {
    const struct option_lines *lines;
    option_error_fn tell;
    void *arg;
    int errors;
};

/* Of the module's thread: it is the one that check() runs on. */
static _Thread_local struct checking *current;

/* Of a key that stands there several times, the line whose value is named, if that can be told;
 * else the first. */
static const struct option_line *find_line(const struct option_lines *lines, const char *key,
                                           const char *text)
{
    const struct option_line *first = NULL;

    for (size_t i = 0; i < lines->count; i++) {
        const struct option_line *line = &lines->items[i];

        if (strcmp(line->key, key) != 0)
            continue;
        if (!line->credential && line->value[0] != '\0' && strstr(text, line->value))
            return line;
        first = first ? first : line;
    }
    return first;
}

static void tell(struct checking *checking, const char *key, const char *text)
{
    const struct option_line *line = find_line(checking->lines, key, text);
    char shown[RV_ERROR_TEXT_SIZE];
    struct option_error error = {
        .key = key, .file = line ? line->file : "", .line = line ? line->line : 0, .text = shown};

    text_copy_shown(shown, sizeof(shown), text);
    redact_urls(shown);
    checking->errors++;
    checking->tell(&error, checking->arg);
}

void life_fail_option(struct rv_context *ctx _unused_, const char *option, const char *text)
{
    char key[64], whole[RV_ERROR_TEXT_SIZE];

    if (!current || forked_is())
        return;
    if (current->errors > ERRORS_MAX)
        return;
    if (current->errors == ERRORS_MAX) {
        tell(current, "", "there are more errors, which are not told");
        return;
    }
    option_key(option, key, sizeof(key));
    /* "url = x: ...", as errors of the tables are, names it already. */
    if (strncmp(text, key, strlen(key)) == 0)
        snprintf(whole, sizeof(whole), "%s", text);
    else
        snprintf(whole, sizeof(whole), "%s: %s", key, text);
    tell(current, key, whole);
}

/* Returns the number of errors, or a negative errno when it could not be asked. */
static int ask(struct host_module *module, struct checking *checking, const void *state)
{
    struct rv_context *ctx;
    int r = life_begin_operation(module, false, &ctx), stopped;

    if (r < 0)
        return r;
    module_begin_activity(module, "check");
    rv_error_clear();
    current = checking;
    r = module->code.module.check(ctx, state);
    current = NULL;
    module_end_activity(module);
    life_end_operation(module);
    stopped = rv_context_err(ctx);
    rv_context_unref(ctx);
    /* Its error is not about its options then. */
    if (stopped < 0)
        return stopped;
    if (r < 0 && checking->errors == 0 && rv_error_text(r)[0] == '\0')
        rv_fail(r, "its check() failed, and does not say why");
    if (r < 0 && checking->errors == 0)
        tell(checking, "", life_error_text(r));
    return checking->errors;
}

int life_bind_options(struct host_module *module, const struct option_lines *lines,
                      option_error_fn fn, struct bound_options *ret_bound)
{
    struct checking checking = {.lines = lines, .tell = fn, .arg = module};
    int r = options_bind(&module->code, lines, fn, module, ret_bound);

    if (r != 0 || !module->code.module.check)
        return r;
    r = ask(module, &checking, ret_bound->state);
    if (r != 0)
        options_free(ret_bound);
    return r;
}
