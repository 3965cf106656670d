/* SPDX-License-Identifier: MIT */
/* A module's operations, done by its own thread. */
#ifndef REEVE_HOST_LIFECYCLE_LIFE_H
#define REEVE_HOST_LIFECYCLE_LIFE_H

#include "host/module/module.h"

/* Does one operation, and tells how it went. */
void life_do(struct host_module *module, struct module_op *op);

/* Is told of each answer of health(), on its thread: 0 or a negative errno, with its text. The
 * supervisor reads records instead. */
void life_set_health_told(void (*told)(int code, const char *text));

/* The calls that libreeve hands on to the host: rv_progress(), rv_submit() and rv_fail_option(). */
void life_install_hooks(void);

#endif
