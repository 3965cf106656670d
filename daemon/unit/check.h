/* SPDX-License-Identifier: MIT */
/*
 * Asking modules about their own options without starting them: each module is loaded and
 * validated, without init, in a sandboxed host of its own that ends right after.
 */
#ifndef REEVE_DAEMON_UNIT_CHECK_H
#define REEVE_DAEMON_UNIT_CHECK_H

#include "settings/config.h"
#include "settings/place.h"

struct check;
struct crash;
struct host_end;
struct loop;
struct spawner;
struct wire_message;

struct check_options {
    struct loop *loop;
    struct spawner *spawner;
    const char *host_program;
    const char *directory;
    /* Which modules of the configuration are asked; NULL: all. */
    bool (*wanted)(const struct config_module *module, void *arg);
    /* Called for each module whose host has answered well; reloads: it can take new options while
     * it runs. NULL: nobody wants to know. */
    void (*checked)(const struct config_module *module, bool reloads, void *arg);
    /* Where to say that a time in the options has passed, which is no error then. NULL: it is one.
     */
    struct strings *notes;
    /* Called once, in a later turn of the loop, when every module has answered or its host has
     * ended; the check is gone when it returns. */
    void (*done)(void *arg);
    void *arg;
};

/*
 * Starts a check; errors are added to errors, and both it and config must live until done or
 * check_cancel(). Returns 0 or -ENOMEM.
 */
int check_start(const struct check_options *options, const struct config *config,
                struct config_errors *errors, struct check **ret_check);
/* Ends it without a call of done. */
void check_cancel(struct check *check);

/* Where the error of a module that FAILED in its check stands: in a line of its section, or at its
 * begin, as without a message. */
struct config_place check_place_of(const struct config *config, const struct config_module *module,
                                   const struct wire_message *message);

/* Adds what more is known of a module's process that has ended by itself when it was asked: where
 * it crashed, and what it has printed last. The error before says that it has ended. */
void check_add_crash(struct config_errors *errors, const struct config_place *place,
                     const char *module, const struct crash *crash, const struct host_end *end);

/* How many option errors an honest host can have for the module; one that tells more is ended. */
size_t check_errors_max(const struct config_module *module);

/* Adds an OPTION_ERROR with its place and the nearest key of all that may stand there. */
void check_add_option_error(struct config_errors *errors, const struct config_module *module,
                            const struct wire_message *message);

#endif
