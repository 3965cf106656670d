/* SPDX-License-Identifier: MIT */
/* The table of commands, its help, and the call of the command that was named. */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"
#include "ctl/options.h"

#define CTL_LOGS (CTL_JSON | CTL_FOLLOW | CTL_LINES | CTL_SINCE)

static const struct command {
    const char *name;
    const char *words; /* as the help shows them */
    int least, most;
    uint32_t options; /* beside those that every command takes */
    const char *help;
    int (*run)(const struct ctl *ctl, int count, char **words);
} commands[] = {
    {"status", "", 0, 0, CTL_JSON, "what the daemon and its modules are doing", command_status},
    {"list", "", 0, 0, CTL_JSON, "each task's schedule and its next five runs", command_list},
    {"show", "MODULE", 1, 1, CTL_JSON, "all that is known of a module", command_show},
    {"tree", "", 0, 0, CTL_JSON, "the live contexts of all processes: ages, deadlines, causes",
     command_tree},
    {"logs", "[MODULE]", 0, 1, CTL_LOGS, "the last lines of the log; -f for those that follow",
     command_logs},
    {"top", "", 0, 0, 0, "live: runs, failures, queues, latency, CPU and memory", command_top},
    {"start", "MODULE...", 1, 1000, CTL_JSON | CTL_NO_WAIT, "start modules, and what they require",
     command_start},
    {"stop", "MODULE...", 1, 1000, CTL_JSON | CTL_NO_WAIT,
     "stop modules, and those that require them", command_stop},
    {"restart", "MODULE...", 1, 1000, CTL_JSON | CTL_NO_WAIT, "stop and start again",
     command_restart},
    {"run", "MODULE/TASK", 1, 1, CTL_JSON | CTL_WAIT, "run a task now; --wait for how it went",
     command_run},
    {"submit", "MODULE/POOL", 1, 1, CTL_JSON | CTL_WAIT | CTL_TIMEOUT,
     "submit a job; its data is read from standard input", command_submit},
    {"reload", "", 0, 0, CTL_JSON | CTL_PLAN, "read the configuration again and apply what changed",
     command_reload},
    {"check", "", 0, 0, CTL_JSON, "find every error that a start would find", command_check},
    {"upgrade", "", 0, 0, CTL_JSON, "go over to the reeved that is installed now; modules go on",
     command_upgrade},
    {"modules", "", 0, 0, CTL_JSON | CTL_CONFIG, "the modules of the module path; needs no daemon",
     command_modules},
    {"describe", "FILE|NAME", 1, 1, CTL_JSON | CTL_CONFIG,
     "a module's options, tasks and pools, by file or name; needs no daemon", command_describe},
    {"keys", "[KEY]...", 0, 1000, CTL_JSON,
     "keys of reeve.ini that are reeve's own: defaults, values, what they do", command_keys},
    {"names", "KIND", 1, 1, 0, "names of modules, tasks or pools, a line each, for completion",
     command_names},
};

void commands_print_help(void)
{
    char left[64];

    fputs("Usage: reevectl [OPTION]... COMMAND [WORD]...\n\n", stdout);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].words);
        printf("  %-20s %s\n", left, commands[i].help);
    }
    putchar('\n');
    options_print_help();
    fputs("\n"
          "Exit codes:\n"
          "  0  done, and well\n"
          "  1  the daemon refused, or what was asked for failed\n"
          "  2  wrong usage: nothing was asked for\n"
          "  3  no daemon answers at the socket\n"
          "  4  no permission: to use the socket, or to ask for this\n"
          "  5  there is no such module, task or pool\n",
          stdout);
}

static int call(const struct command *command, const struct ctl *ctl, uint32_t given, int count,
                char **words)
{
    const char *foreign = options_find_foreign(given, command->options);

    if (foreign)
        return ctl_usage_error("%s does not take %s", command->name, foreign);
    if (count >= command->least && count <= command->most)
        return command->run(ctl, count, words);
    if (command->most == 0)
        return ctl_usage_error("%s takes no further words", command->name);
    return ctl_usage_error("%s wants %s", command->name, command->words);
}

int commands_run(const struct ctl *ctl, uint32_t given, int count, char **words)
{
    struct nearest nearest;

    nearest_begin(&nearest, words[0]);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(words[0], commands[i].name) == 0)
            return call(&commands[i], ctl, given, count - 1, words + 1);
        nearest_offer(&nearest, commands[i].name);
    }
    return ctl_usage_error("there is no command \"%s\"%s", words[0], nearest_words(&nearest));
}
