/* SPDX-License-Identifier: MIT */
/*
 * reeve-host --describe: what a module's file and tables say, for reevectl. It writes records, a
 * line each, of cells between tabs: a kind, and then KEY=VALUE for what there is to say. Values are
 * printable and without tabs, so nothing needs quoting, and no JSON library is in a host's memory.
 *
 *     host     abi, version: this program's
 *     file     abi, runtime: what the file says without being loaded
 *     module   name, version, summary, functions
 *     option   name, type, required, repeated, default, minimum, maximum, choices, help
 *     task     name, schedule, help, and what is in force of each key of tasks when the section has
 *              nothing
 *     pool     name, help, and the same of the keys of pools
 *     task-key, pool-key: what may stand in the section for each task and pool; as option
 *     problem  text: what is wrong with the module's own defaults
 *     error    text: why nothing more could be said
 *     end
 */
#ifndef REEVE_HOST_STANDALONE_DESCRIBE_H
#define REEVE_HOST_STANDALONE_DESCRIBE_H

/* Enters the strictest sandbox and describes the file on stdout; nothing of the module but its
 * constructors runs. Returns the exit code: 0, or 1 after an error record. */
int describe_file(const char *path);

#endif
