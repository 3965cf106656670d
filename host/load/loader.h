/* SPDX-License-Identifier: MIT */
/*
 * Loading a module's .so. Nothing of it runs before its note was read from the file: dlopen() runs
 * constructors. A module that is loaded stays: unloading code that has had threads crashes.
 */
#ifndef REEVE_HOST_LOAD_LOADER_H
#define REEVE_HOST_LOAD_LOADER_H

#include <reeve/module.h>

#include "base/file_id.h"

/* A module's tables in the host's own shape, whatever the size of its elements was. */
struct loaded_module {
    struct rv_module module;
    struct rv_option *options;
    size_t option_count;
    struct rv_task *tasks;
    size_t task_count;
    struct rv_module_pool *pools;
    size_t pool_count;
    struct file_id file_id; /* as it was when it was loaded */
};

/*
 * Checks the file (regular, owned by root or by us, not writable for others), its note, loads it,
 * and checks its tables. Returns 0 or a negative errno with a text that names the file: -EACCES,
 * -ENOEXEC (no module), -EPROTO (another ABI version), -ELIBBAD (the loader refused it), -EINVAL
 * (bad tables), -EEXIST (loaded by another path), -EAGAIN (the file was replaced meanwhile) and
 * -ESTALE (it was since its path was loaded: both need another process), or of opening. Must be
 * freed with loader_free().
 */
int loader_load(const char *path, uint32_t slot, struct loaded_module *ret_loaded);
void loader_free(struct loaded_module *loaded);

#endif
