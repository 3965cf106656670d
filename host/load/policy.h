/* SPDX-License-Identifier: MIT */
/* A task's policies, as a module's table has them, in the words of its section. */
#ifndef REEVE_HOST_LOAD_POLICY_H
#define REEVE_HOST_LOAD_POLICY_H

#include <reeve/module.h>

/* Each is one that no section has ("?") for what is no value of the enum. */
const char *policy_overlap(enum rv_overlap overlap);
const char *policy_on_error(enum rv_on_error on_error);
const char *policy_on_stop(enum rv_on_stop on_stop);
/* NULL for the default. */
const char *policy_catch_up(enum rv_catch_up catch_up);

#endif
