/* SPDX-License-Identifier: MIT */
/*
 * The files that this process has loaded. dlopen() knows files by their paths and by their inodes: what was loaded under
 * either it gives again, the same code with the same variables. So a file is claimed before it is loaded. Any thread.
 */
#ifndef REEVE_HOST_LOADED_FILES_H
#define REEVE_HOST_LOADED_FILES_H

#include "base/file_id.h"

/* Returns 0; -EEXIST when the file is loaded by another path; or -ESTALE when another file is loaded by this path; both
 * with a text. */
int loaded_files_claim(const char *path, const struct file_id *file_id);

/* Nothing of it was loaded after all. */
void loaded_files_disclaim(const char *path);

#endif
