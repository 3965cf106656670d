/* SPDX-License-Identifier: MIT */
/*
 * reevectl: arguments and the table of commands. It speaks HTTP and JSON to the daemon's control
 * socket (request.c) and prints tables for people or the daemon's JSON for programs.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/commands.h"

static const struct command {
    const char *name;
    const char *words; /* as the help shows them */
    int least, most;
    const char *help;
    int (*run)(const struct ctl *ctl, int count, char **words);
} commands[] = {
    {"status", "", 0, 0, "what the daemon and its modules are doing", command_status},
    {"list", "", 0, 0, "each task's schedule and its next five runs", command_list},
    {"show", "MODULE", 1, 1, "all that is known of a module", command_show},
    {"tree", "", 0, 0, "the live contexts of all processes: ages, deadlines, causes", command_tree},
    {"logs", "[MODULE]", 0, 1, "the last lines of the log; -f for those that follow", command_logs},
    {"top", "", 0, 0, "live: runs, failures, queues, latency, CPU and memory", command_top},
    {"start", "MODULE...", 1, 1000, "start modules, and what they require", command_start},
    {"stop", "MODULE...", 1, 1000, "stop modules, and those that require them", command_stop},
    {"restart", "MODULE...", 1, 1000, "stop and start again", command_restart},
    {"run", "MODULE/TASK", 1, 1, "run a task now; --wait for how it went", command_run},
    {"submit", "MODULE/POOL", 1, 1, "submit a job; its data is read from standard input",
     command_submit},
    {"reload", "", 0, 0, "read the configuration again and apply what changed", command_reload},
    {"names", "KIND", 1, 1, "names of modules, tasks or pools, a line each, for completion",
     command_names},
    {"check", "", 0, 0, "find every error that a start would find", command_check},
};

static void print_help(void)
{
    char left[64];

    fputs("Usage: reevectl [OPTION]... COMMAND [WORD]...\n\n", stdout);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].words);
        printf("  %-20s %s\n", left, commands[i].help);
    }
    printf("\n"
           "  -s, --socket PATH  the daemon's control socket (default: $REEVE_CONTROL, else %s)\n"
           "      --wait         run, submit: wait for the end, and say how it went\n"
           "      --no-wait      start, stop, restart: do not wait until it is done\n"
           "      --plan         reload: only say what it would do\n"
           "  -f, --follow       logs: go on with what is written from now on\n"
           "  -n, --lines N      logs: the last N\n"
           "      --timeout 30s  submit: the job's deadline\n"
           "      --json         print the daemon's own answer\n"
           "      --version, -h, --help\n"
           "\n"
           "Exit codes: 0 done; 1 the daemon refused or what was asked for failed; 2 wrong usage;\n"
           "3 the daemon cannot be reached.\n",
           CTL_SOCKET);
}

enum {
    OPTION_JSON = 256,
    OPTION_WAIT,
    OPTION_NO_WAIT,
    OPTION_PLAN,
    OPTION_TIMEOUT,
    OPTION_VERSION
};

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

/* Returns 0 to go on, or the exit code + 1. */
static int parse_options(int argc, char **argv, struct ctl *ctl)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"json", no_argument, NULL, OPTION_JSON},
        {"wait", no_argument, NULL, OPTION_WAIT},
        {"no-wait", no_argument, NULL, OPTION_NO_WAIT},
        {"plan", no_argument, NULL, OPTION_PLAN},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"follow", no_argument, NULL, 'f'},
        {"lines", required_argument, NULL, 'n'},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "s:fn:h", options, NULL)) != -1)
        switch (option) {
        case 's':
            ctl->socket = optarg;
            break;
        case OPTION_JSON:
            ctl->json = true;
            break;
        case OPTION_WAIT:
            ctl->wait = true;
            break;
        case 'f':
            ctl->follow = true;
            break;
        case 'n':
            ctl->lines = optarg;
            break;
        case OPTION_NO_WAIT:
            ctl->no_wait = true;
            break;
        case OPTION_PLAN:
            ctl->plan = true;
            break;
        case OPTION_TIMEOUT:
            ctl->timeout = optarg;
            break;
        case OPTION_VERSION:
            printf("reevectl %s\n", REEVE_VERSION);
            return 1;
        case 'h':
            print_help();
            return 1;
        default:
            fputs("Try `reevectl --help`.\n", stderr);
            return CTL_EXIT_USAGE + 1;
        }
    return 0;
}

static int call(const struct command *command, const struct ctl *ctl, int count, char **words)
{
    if (count >= command->least && count <= command->most)
        return command->run(ctl, count, words);
    if (command->most == 0)
        return ctl_usage_error("%s takes no further words", command->name);
    return ctl_usage_error("%s wants %s", command->name, command->words);
}

static int run_command(const struct ctl *ctl, int count, char **words)
{
    const char *nearest = NULL;
    unsigned best = -1U;

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(words[0], commands[i].name) == 0)
            return call(&commands[i], ctl, count - 1, words + 1);
        nearest = name_nearest(words[0], commands[i].name, nearest, &best);
    }
    return ctl_usage_error("there is no command \"%s\"%s%s%s", words[0],
                           nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                           nearest ? "\"?" : "");
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.socket = getenv("REEVE_CONTROL")};
    int r = parse_options(argc, argv, &ctl);

    if (r != 0)
        return r - 1;
    if (!ctl.socket || *ctl.socket == '\0')
        ctl.socket = CTL_SOCKET;
    ctl.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    if (optind == argc)
        return ctl_usage_error("what should it do?");
    return run_command(&ctl, argc - optind, argv + optind);
}
