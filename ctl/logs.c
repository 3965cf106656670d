/* SPDX-License-Identifier: MIT */
/*
 * The last lines of the log, and with -f those that follow. The daemon has the last of them in
 * memory; where its log goes to systemd's journal, that has more, also from before the daemon's
 * last start.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/shown.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/journal.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/times.h"

/* How often -f asks for more. */
#define PAUSE_MS 300

/* Of a journal, which may have years of them. */
#define LINES_DEFAULT 1000

static void print_line(const struct ctl *ctl, const json_t *line)
{
    const char *level = get_text(line, "level");
    const char *colour = strcmp(level, "error") == 0     ? "\x1b[31m"
                         : strcmp(level, "warning") == 0 ? "\x1b[33m"
                                                         : "";
    char text[2400], time[64];

    if (ctl->json) {
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    string_copy(text, sizeof(text), get_text(line, "text"));
    text_clean(text, sizeof(text));
    printf("%s %s%-7s %s%s\n", get_local_time(get_text(line, "time"), time, sizeof(time)),
           ctl->colour ? colour : "", level, text, ctl->colour && *colour ? "\x1b[0m" : "");
}

/* The lines that are asked for. */
struct wish {
    const char *module; /* NULL: all */
    long long lines;    /* -1: as many as there are */
    int64_t since;
};

/* Asks the daemon for what comes after the number. */
static int ask(const struct ctl *ctl, const struct wish *wish, long long after, json_t **ret_answer)
{
    char number[32];
    const struct ctl_parameter parameters[] = {
        {wish->module ? "module" : NULL, wish->module ? wish->module : ""},
        {"after", number},
        {NULL, NULL}};

    snprintf(number, sizeof(number), "%lld", after);
    return ctl_request(ctl, "GET", "/v1/logs", parameters, NULL, 0, ret_answer);
}

/* From the daemon's memory ------------------------------------------------ */

static int print_answer(const struct ctl *ctl, const json_t *answer, const struct wish *wish)
{
    const json_t *lines = json_object_get(answer, "lines");
    size_t count = json_array_size(lines), i;
    size_t most = wish->lines < 0 ? count : MIN((size_t)wish->lines, count);
    json_t *line;

    json_array_foreach(lines, i, line)
    {
        int64_t when;

        if (i < count - most ||
            (time_parse_utc(get_text(line, "time"), &when) == 0 && when < wish->since))
            continue;
        print_line(ctl, line);
    }
    return fflush(stdout) == 0 ? 0 : CTL_EXIT_FAILURE;
}

static int follow(const struct ctl *ctl, const struct wish *wish, const json_t *first)
{
    const struct wish all = {.module = wish->module, .lines = -1};
    long long last = get_number(first, "last");
    json_t *answer;
    int r = 0;

    while (r == 0) {
        if (!output_wait(PAUSE_MS))
            return CTL_EXIT_FAILURE;
        r = ask(ctl, wish, last, &answer);
        if (r != 0)
            break;
        r = print_answer(ctl, answer, &all);
        last = get_number(answer, "last");
        json_decref(answer);
    }
    return r;
}

/* From the journal -------------------------------------------------------- */

static void take_line(const json_t *line, void *arg)
{
    print_line(arg, line);
    fflush(stdout);
}

static int64_t print_journal(const struct ctl *ctl, const char *unit, const struct wish *wish)
{
    const struct journal_query query = {
        .unit = unit,
        .module = wish->module,
        .since = wish->since,
        .lines = wish->lines >= 0  ? (size_t)wish->lines
                 : wish->since > 0 ? SIZE_MAX
                                   : LINES_DEFAULT,
        .follow = ctl->follow,
    };

    return journal_read(&query, take_line, (void *)(uintptr_t)ctl);
}

static void ignore(const json_t *line _unused_, void *arg _unused_)
{
}

/* Whether it may be read at all, and has records of the daemon. */
static bool has_journal(const char *unit)
{
    const struct journal_query any = {.unit = unit, .lines = 1};

    return journal_read(&any, ignore, NULL) > 0;
}

static int print_from_journal(const struct ctl *ctl, const char *unit, const struct wish *wish)
{
    int64_t r = print_journal(ctl, unit, wish);

    if (r < 0)
        fprintf(stderr, "reevectl: the journal cannot be read: %s\n", strerror((int)-r));
    return r < 0 ? CTL_EXIT_FAILURE : 0;
}

/* There is no daemon. Why not may stand in the journal: of the system's own, not of one that has
 * another socket. */
static int look_back(const struct ctl *ctl, const struct wish *wish)
{
    if (!ctl->own || !has_journal(NULL))
        return CTL_EXIT_UNREACHABLE;
    fputs("reevectl: the journal has:\n", stderr);
    return print_from_journal(ctl, NULL, wish);
}

int command_logs(const struct ctl *ctl, int count, char **words)
{
    struct wish wish = {.module = count > 0 ? words[0] : NULL, .lines = -1};
    const char *unit;
    json_t *answer;
    int r;

    /* Their form was checked with the options. */
    if (ctl->lines)
        (void)integer_parse(ctl->lines, 0, INT32_MAX, &wish.lines);
    if (ctl->since)
        (void)time_parse(ctl->since, &wish.since);
    r = ask(ctl, &wish, 0, &answer);
    if (r != 0)
        return r == CTL_EXIT_UNREACHABLE ? look_back(ctl, &wish) : r;
    unit = json_string_value(json_object_get(answer, "unit"));
    if (json_is_true(json_object_get(answer, "journal")) && has_journal(unit)) {
        r = print_from_journal(ctl, unit, &wish);
    } else {
        r = print_answer(ctl, answer, &wish);
        if (r == 0 && ctl->follow)
            r = follow(ctl, &wish, answer);
    }
    json_decref(answer);
    return r;
}
