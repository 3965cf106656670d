/* SPDX-License-Identifier: MIT */
/* A module's operations, done by its own thread. */
#ifndef REEVE_HOST_LIFECYCLE_MODULE_LIFE_H
#define REEVE_HOST_LIFECYCLE_MODULE_LIFE_H

#include "host/module/module.h"

/* Does one operation, and tells how it went. */
void life_do(struct host_module *module, struct module_op *op);

#endif
