/* SPDX-License-Identifier: MIT */
/* Where a key stands in the files of a configuration, for errors about it. */
#ifndef REEVE_SETTINGS_PLACE_H
#define REEVE_SETTINGS_PLACE_H

#include <stddef.h>

struct config;
struct config_module;

/*
 * Where a key stands in the module's section, or for NULL in [daemon]; of a list of strings, the
 * line that its item of this index is in. A key that does not stand there is where the section
 * begins.
 */
struct config_place {
    const char *file;
    unsigned line;
};
struct config_place config_place_of(const struct config *config, const struct config_module *module,
                                    const char *key, size_t item);

#endif
