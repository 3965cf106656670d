/* SPDX-License-Identifier: MIT */
/* Steps of a module's life, for the files that make it up: life.c starts and stops, life_reload.c
 * gives new options, life_runners.c has the tasks and pools. All are of the module's thread. */
#ifndef REEVE_HOST_LIFECYCLE_LIFE_INTERNAL_H
#define REEVE_HOST_LIFECYCLE_LIFE_INTERNAL_H

#include "host/lifecycle/life.h"

void life_set_state(struct host_module *module, uint32_t state);
/* The error's text, or that of the code. */
const char *life_error_text(int r);
/* Sends one error of the options; arg is the module. */
/* As the module starts or reloads: what is past is only told in the log. */
void life_tell_option_error(const struct option_error *error, void *arg);

/* Binds the lines to a new state, and asks the module's check() about it; fn gets the module.
 * Returns the number of errors, each of which was told, or a negative errno with a text. */
int life_bind_options(struct host_module *module, const struct option_lines *lines,
                      option_error_fn fn, struct bound_options *ret_bound);

/* Makes tasks and pools, and starts the schedules and the asking for health(). Returns 0 or a
 * negative errno with a text; then there is none. */
int life_create_runners(struct host_module *module);
/* life_health.c: asks health(), if there is one, until tasks are cancelled; then stopping waits for
 * an answer under way. Returns 0, or a negative errno with a text. */
int life_start_health(struct host_module *module);
void life_stop_health(struct host_module *module);
/* Returns false when a stop waits, which goes first. */
bool life_make_ready(struct host_module *module);

/* Nothing is taken any more that somebody outside asks for. */
void life_refuse_requests(struct host_module *module);
/* Cancels tasks. Pools take no more jobs, and those that wait are dropped unless op->drain_queue.
 * It cannot be undone. */
void life_begin_drain(struct host_module *module, const struct module_op *op);
/* Cancels what is left, and waits for all of it to return. */
void life_end_runners(struct host_module *module, const struct module_op *op);
/* fini, and what belongs to the module that has been through init. */
void life_finish(struct host_module *module);

/* A context for the operation under way, which a STOP cancels, and a RELOAD if the operation is
 * replaceable by one; the caller unrefs it after life_end_operation(). Returns 0 or -ENOMEM. */
int life_begin_operation(struct host_module *module, bool replaceable, struct rv_context **ret_ctx);
void life_end_operation(struct host_module *module);

/* MODULE_OP_RELOAD. */
void life_reload(struct host_module *module, const struct module_op *op);

/* life_options.c: rv_fail_option(), of the check() that the calling thread runs, if it runs one. */
void life_fail_option(struct rv_context *ctx, const char *option, const char *text);

#endif
