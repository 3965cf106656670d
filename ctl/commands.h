/* SPDX-License-Identifier: MIT */
/* The commands of reevectl: words are those behind the command, as many as its row in
 * commands.c allows. They return exit codes. */
#ifndef REEVE_CTL_COMMANDS_H
#define REEVE_CTL_COMMANDS_H

#include <stdint.h>

#include "ctl/ctl.h"

/* Calls the command that words[0] names; given: the options (ctl/options.h). Returns its exit code,
 * or CTL_EXIT_USAGE with an error on standard error. */
int commands_run(const struct ctl *ctl, uint32_t given, int count, char **words);
void commands_print_help(void);

/* show.c */
int command_status(const struct ctl *ctl, int count, char **words);
int command_list(const struct ctl *ctl, int count, char **words);
int command_names(const struct ctl *ctl, int count, char **words);

/* show_module.c */
int command_show(const struct ctl *ctl, int count, char **words);

/* tree.c */
int command_tree(const struct ctl *ctl, int count, char **words);

/* logs.c */
int command_logs(const struct ctl *ctl, int count, char **words);

/* top.c */
int command_top(const struct ctl *ctl, int count, char **words);

/* operate.c */
int command_start(const struct ctl *ctl, int count, char **words);
int command_stop(const struct ctl *ctl, int count, char **words);
int command_restart(const struct ctl *ctl, int count, char **words);
int command_reload(const struct ctl *ctl, int count, char **words);
int command_check(const struct ctl *ctl, int count, char **words);

/* upgrade.c */
int command_upgrade(const struct ctl *ctl, int count, char **words);

/* work.c */
int command_run(const struct ctl *ctl, int count, char **words);
int command_submit(const struct ctl *ctl, int count, char **words);

/* describe.c */
int command_describe(const struct ctl *ctl, int count, char **words);

/* keys.c */
int command_keys(const struct ctl *ctl, int count, char **words);

/* modules.c */
int command_modules(const struct ctl *ctl, int count, char **words);

#endif
