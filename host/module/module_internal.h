/* SPDX-License-Identifier: MIT */
/* For module.c and module_queue.c. */
#ifndef REEVE_HOST_MODULE_MODULE_INTERNAL_H
#define REEVE_HOST_MODULE_MODULE_INTERNAL_H

#include "host/module/module.h"

/* Operations that wait; a supervisor sends the next one when the last was answered. */
#define OPS_MAX 8

#endif
