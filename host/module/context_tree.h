/* SPDX-License-Identifier: MIT */
/* Shows a module's live contexts to whoever asked the supervisor. */
#ifndef REEVE_HOST_MODULE_CONTEXT_TREE_H
#define REEVE_HOST_MODULE_CONTEXT_TREE_H

#include "host/module/module.h"

/* Sends a NODE for each live context, parents first, and then RESULT, whose number tells how many
 * there are: no more than a few hundred are shown. Any thread that runs no code of the module. */
void context_tree_send(const struct host_module *module, uint64_t request);

#endif
