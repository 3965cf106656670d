/* SPDX-License-Identifier: MIT */
/* Looking at modules' files without a daemon: where they are, and what reeve-host says of them. */
#ifndef REEVE_CTL_INSPECT_H
#define REEVE_CTL_INSPECT_H

#include "ctl/ctl.h"
#include "settings/config.h"

/*
 * The configuration that ctl names, or reeved's default. *ret_config is NULL when there is none:
 * then modules are where this program's installation, or its build tree, has them. Errors that keep
 * it from being read are printed; that it has others is said. Returns 0 or an exit code.
 */
int inspect_read_config(const struct ctl *ctl, struct config **ret_config);

/* The directories of the module path, the caller's to free. Returns 0 or an exit code. */
int inspect_find_folders(const struct config *config, struct strings *ret_folders);

/*
 * Has a sandboxed reeve-host describe the file. The answer, the caller's, is the object that
 * `describe --json` prints, its members as docs/reevectl.md lists them; "error" says why a file
 * could not be described further. Blocks for at most ten seconds. NULL without memory, or without
 * reeve-host, which is printed.
 */
json_t *inspect_file(const char *path);

#endif
