/* SPDX-License-Identifier: MIT */
/*
 * The files that a host process has loaded, slot by slot, since it was started. Code that was
 * loaded stays: a slot belongs to a section and to one file for as long as the process lives,
 * whoever runs in it by now.
 */
#ifndef REEVE_DAEMON_UNIT_LOADED_H
#define REEVE_DAEMON_UNIT_LOADED_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/serialize/fields.h"
#include "settings/config.h"
#include "wire/scoreboard.h"

struct loaded_slot {
    char *name; /* of the module; NULL: nothing was ever loaded here */
    char *path;
    struct file_id file_id; /* as the host says, once it has loaded it */
    bool reentrant;         /* the same: others may have this file, too */
};

/* Zero-initialised it is that of a process that has loaded nothing. */
struct loaded {
    struct loaded_slot *slots;
    uint32_t count; /* those from there on were never used */
    bool closed;    /* what else is loaded is not known: the process takes no other module */
};

/* The record of a slot; NULL: it was never used. */
struct loaded_slot *loaded_slot(const struct loaded *loaded, uint32_t slot);

/*
 * The slot for a module and the file that its path names: its own, or one that was never used.
 * Returns 0; -EEXIST when its file is loaded in the slot of another, and is not known to be
 * reentrant; *ret_slot is that one then; -ESTALE when another file is loaded in its own; and
 * -ENOSPC when there is no slot left.
 */
int loaded_find(const struct loaded *loaded, const struct config_module *module,
                const struct file_id *file_id, uint32_t *ret_slot);

/* That slot is the module's from now on, whatever is loaded in others. Returns 0, -ENOSPC or
 * -ENOMEM. */
int loaded_take(struct loaded *loaded, const struct config_module *module,
                const struct file_id *file_id, uint32_t *ret_slot);

/* The same with a slot that is given, and was never used. Returns 0 or -ENOMEM. */
int loaded_put(struct loaded *loaded, uint32_t slot, const struct config_module *module,
               const struct file_id *file_id);

/* A new process begins with nothing. */
void loaded_clear(struct loaded *loaded);

/* NULL: no memory. */
json_t *loaded_save(const struct loaded *loaded);

/* Returns 0, -ENOMEM, or -EBADMSG with an error. NULL for loaded only checks; a NULL state has
 * nothing. */
int loaded_load(struct loaded *loaded, const json_t *state, struct serialize_error *error);

#endif
