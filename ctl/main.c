/* SPDX-License-Identifier: MIT */
/*
 * reevectl: arguments and commands. It speaks HTTP and JSON to the daemon's control socket
 * (request.c) and prints tables for people or the daemon's JSON for programs (print.c).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/ctl.h"

static void print_help(void)
{
    printf("Usage: reevectl [-s SOCKET] [--json] COMMAND\n"
           "\n"
           "  status                     what the daemon and its modules are doing\n"
           "  run MODULE/TASK [--wait]   run a task now; --wait for how it went\n"
           "  submit MODULE/POOL [--wait] [--timeout 30s]\n"
           "                             submit a job; its data is read from standard input\n"
           "  reload                     read the configuration again and apply what changed\n"
           "\n"
           "  -s, --socket PATH  the daemon's control socket (default: $REEVE_CONTROL, else %s)\n"
           "      --json         print the daemon's own answer\n"
           "      --version, -h, --help\n"
           "\n"
           "Exit codes: 0 done; 1 the daemon refused or what was asked for failed; 2 wrong usage;\n"
           "3 the daemon cannot be reached.\n",
           CTL_SOCKET);
}

enum { OPTION_JSON = 256, OPTION_WAIT, OPTION_TIMEOUT, OPTION_VERSION };

static int usage_error(const char *format, ...) printf_like(1, 2);
static int usage_error(const char *format, ...)
{
    va_list args;

    fputs("reevectl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("; try `reevectl --help`\n", stderr);
    return CTL_EXIT_USAGE;
}

/* Splits "MODULE/PART". */
static int split_target(const char *command, const char *what, char *target, char **ret_module,
                        char **ret_part)
{
    char *slash = target ? strchr(target, '/') : NULL;

    if (!slash || slash == target || slash[1] == '\0')
        return usage_error("%s wants MODULE/%s", command, what);
    *slash = '\0';
    *ret_module = target;
    *ret_part = slash + 1;
    return 0;
}

static int command_status(const struct ctl *ctl, char **arguments unused)
{
    json_t *status;
    int r = ctl_request(ctl, "GET", "/v1/status", NULL, NULL, 0, &status);

    if (r == 0)
        print_status(ctl, status);
    json_decref(status);
    return r;
}

static int command_run(const struct ctl *ctl, char **arguments)
{
    char *module, *task;
    int r = split_target("run", "TASK", arguments[0], &module, &task);

    if (r != 0)
        return r;
    return ctl_request_number(
        ctl, "/v1/run",
        (const struct ctl_parameter[]){
            {"module", module}, {"task", task}, {ctl->wait ? "wait" : NULL, ""}, {NULL, NULL}},
        NULL, 0, "run");
}

static int command_submit(const struct ctl *ctl, char **arguments)
{
    /* One more than the daemon takes, so that it is the daemon who says that it is too much. */
    static char data[64 * 1024 + 1];
    char *module, *pool;
    size_t size;
    int r = split_target("submit", "POOL", arguments[0], &module, &pool);

    if (r != 0)
        return r;
    size = fread(data, 1, sizeof(data), stdin);
    if (ferror(stdin)) {
        fprintf(stderr, "reevectl: cannot read standard input: %s\n", strerror(errno));
        return CTL_EXIT_FAILURE;
    }
    if (size == sizeof(data)) {
        fprintf(stderr, "reevectl: a job has at most 64 KiB of data: put it into a file, and its "
                        "path into the job\n");
        return CTL_EXIT_FAILURE;
    }
    return ctl_request_number(
        ctl, "/v1/submit",
        (const struct ctl_parameter[]){{"module", module},
                                       {"pool", pool},
                                       {ctl->wait ? "wait" : NULL, ""},
                                       {ctl->timeout ? "timeout" : NULL, ctl->timeout},
                                       {NULL, NULL}},
        data, size, "job");
}

static int command_reload(const struct ctl *ctl, char **arguments unused)
{
    json_t *answer;
    int r = ctl_request(ctl, "POST", "/v1/reload", NULL, NULL, 0, &answer);

    if (r == 0)
        print_reloaded(ctl, answer);
    json_decref(answer);
    return r;
}

static const struct command {
    const char *name;
    int arguments;
    int (*run)(const struct ctl *ctl, char **arguments);
} commands[] = {
    {"status", 0, command_status},
    {"run", 1, command_run},
    {"submit", 1, command_submit},
    {"reload", 0, command_reload},
};

/* Returns 0 to go on, or the exit code + 1. */
static int parse_options(int argc, char **argv, struct ctl *ctl)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"json", no_argument, NULL, OPTION_JSON},
        {"wait", no_argument, NULL, OPTION_WAIT},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "s:h", options, NULL)) != -1)
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

static int run_command(const struct ctl *ctl, int count, char **words)
{
    const char *nearest = NULL;
    unsigned best = -1U;

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(words[0], commands[i].name) == 0) {
            if (count - 1 != commands[i].arguments)
                return usage_error("%s takes %d argument%s, not %d", words[0],
                                   commands[i].arguments, commands[i].arguments == 1 ? "" : "s",
                                   count - 1);
            return commands[i].run(ctl, words + 1);
        }
        nearest = name_nearest(words[0], commands[i].name, nearest, &best);
    }
    return usage_error("there is no command \"%s\"%s%s%s", words[0],
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
        return usage_error("what should it do?");
    return run_command(&ctl, argc - optind, argv + optind);
}
