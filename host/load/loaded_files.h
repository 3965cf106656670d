/* SPDX-License-Identifier: MIT */
/*
 * The files that this process has loaded. dlopen() knows files by their paths and by their inodes:
 * what was loaded under either it gives again, the same code with the same variables. So a file is
 * claimed before it is loaded. Any thread.
 */
#ifndef REEVE_HOST_LOAD_LOADED_FILES_H
#define REEVE_HOST_LOAD_LOADED_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file_id.h"

/*
 * For the module in that slot, until loaded_files_confirm() or loaded_files_disclaim(): meanwhile
 * another claim of the file waits. Returns 0; -EEXIST when the file is loaded by another path, or
 * for another slot and is not reentrant; or -ESTALE when another file is loaded by this path; all
 * with a text.
 */
int loaded_files_claim(const char *path, const struct file_id *file_id, uint32_t slot);

/* It was loaded, and that is what its table says. */
void loaded_files_confirm(const char *path, bool reentrant);

/* Nothing of it was loaded after all. */
void loaded_files_disclaim(const char *path);

#endif
