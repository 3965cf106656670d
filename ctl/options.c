/* SPDX-License-Identifier: MIT */
#include "ctl/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/text.h"
#include "ctl/times.h"

enum { VERSION = 256, LONG_ONLY };

/* The rule for a value, told when it is broken; NULL: it is good. */
static const char *check_lines(const char *text)
{
    long long number;

    return integer_parse(text, 0, INT_MAX, &number) < 0 ? "a number" : NULL;
}

static const char *check_timeout(const char *text)
{
    int64_t ns;

    return duration_parse(text, &ns) < 0 || ns <= 0 ? "a duration with its unit, such as 30s"
                                                    : NULL;
}

static const char *check_since(const char *text)
{
    int64_t realtime;

    return time_parse(text, &realtime) < 0
               ? "a duration back from now, such as 2h, or a local time: \"2026-03-01 14:00\", 14:00"
               : NULL;
}

/* value: where the argument goes; flag: what becomes true. */
static const struct row {
    uint32_t bit; /* 0: every command takes it */
    const char *name;
    int letter; /* 0: none */
    const char *argument;
    size_t target;
    const char *(*check)(const char *text);
    const char *help;
} rows[] = {
    {0, "socket", 's', "PATH", offsetof(struct ctl, socket), NULL,
     "the daemon's control socket (default: $REEVE_CONTROL, else `control` in " REEVE_CONFIG_FILE
     ", else " CTL_SOCKET ")"},
    {CTL_WAIT, "wait", 0, NULL, offsetof(struct ctl, wait), NULL,
     "run, submit: wait for the end, and say how it went"},
    {CTL_NO_WAIT, "no-wait", 0, NULL, offsetof(struct ctl, no_wait), NULL,
     "start, stop, restart: do not wait until it is done"},
    {CTL_PLAN, "plan", 0, NULL, offsetof(struct ctl, plan), NULL,
     "reload: only say what it would do"},
    {CTL_FOLLOW, "follow", 'f', NULL, offsetof(struct ctl, follow), NULL,
     "logs: go on with what is written from now on"},
    {CTL_LINES, "lines", 'n', "N", offsetof(struct ctl, lines), check_lines, "logs: the last N"},
    {CTL_SINCE, "since", 0, "TIME", offsetof(struct ctl, since), check_since,
     "logs: from this time on: 2h for two hours ago, or 14:00"},
    {CTL_TIMEOUT, "timeout", 0, "30s", offsetof(struct ctl, timeout), check_timeout,
     "submit: the job's deadline"},
    {CTL_CONFIG, "config", 'c', "FILE", offsetof(struct ctl, config), NULL,
     "describe, modules: whose module path (default: " REEVE_CONFIG_FILE ")"},
    {CTL_JSON, "json", 0, NULL, offsetof(struct ctl, json), NULL,
     "JSON for programs, see reevectl(1)"},
};

#define ROWS ARRAY_SIZE(rows)

const char *options_find_foreign(uint32_t given, uint32_t allowed)
{
    static char name[32];

    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].bit & given & ~allowed) {
            snprintf(name, sizeof(name), "--%s", rows[i].name);
            return name;
        }
    return NULL;
}

int ctl_usage_error(const char *format, ...)
{
    va_list args;

    fputs("reevectl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("; try `reevectl --help`\n", stderr);
    return CTL_EXIT_USAGE;
}

void options_print_help(void)
{
    char left[40];

    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];

        snprintf(left, sizeof(left), "%c%c%c --%s%s%s", row->letter ? '-' : ' ',
                 row->letter ? row->letter : ' ', row->letter ? ',' : ' ', row->name,
                 row->argument ? " " : "", row->argument ? row->argument : "");
        printf("  %-20s %s\n", left, row->help);
    }
    fputs("      --version, -h, --help\n", stdout);
}

/* getopt's tables; the long options' values are their rows' numbers behind LONG_ONLY. */
static void make_tables(struct option *options, char *letters)
{
    for (size_t i = 0; i < ROWS; i++) {
        options[i] = (struct option){rows[i].name, rows[i].argument ? 1 : 0, NULL,
                                     rows[i].letter ? rows[i].letter : LONG_ONLY + (int)i};
        if (rows[i].letter)
            *letters++ = (char)rows[i].letter;
        if (rows[i].letter && rows[i].argument)
            *letters++ = ':';
    }
    options[ROWS] = (struct option){"version", 0, NULL, VERSION};
    options[ROWS + 1] = (struct option){"help", 0, NULL, 'h'};
    *letters++ = 'h';
    *letters = '\0';
}

static const struct row *find_row(int value)
{
    for (size_t i = 0; i < ROWS; i++)
        if (value == (rows[i].letter ? rows[i].letter : LONG_ONLY + (int)i))
            return &rows[i];
    return NULL;
}

/* Returns 0 or the exit code. */
static int take(struct ctl *ctl, const struct row *row, const char *argument)
{
    void *target = (char *)ctl + row->target;
    const char *expected = row->check ? row->check(argument) : NULL;

    if (expected)
        return ctl_usage_error("--%s %s: expected %s", row->name, argument, expected);
    if (row->argument)
        *(const char **)target = argument;
    else
        *(bool *)target = true;
    return 0;
}

int options_parse(int argc, char **argv, void (*print_help)(void), struct ctl *ctl,
                  uint32_t *ret_given)
{
    struct option options[ROWS + 3] = {0};
    char letters[2 * ROWS + 2];
    const struct row *row;
    int value, r;

    make_tables(options, letters);
    *ret_given = 0;
    while ((value = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        row = find_row(value);
        if (value == VERSION) {
            printf("reevectl %s\n", REEVE_VERSION);
            return 1;
        }
        if (value == 'h') {
            print_help();
            return 1;
        }
        if (!row) {
            fputs("Try `reevectl --help`.\n", stderr);
            return CTL_EXIT_USAGE + 1;
        }
        r = take(ctl, row, optarg);
        if (r != 0)
            return r + 1;
        *ret_given |= row->bit;
    }
    return 0;
}
