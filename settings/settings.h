/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's own keys as a typed table: key, parser, destination, default, help. The manual
 * page and the sample configuration are checked against it.
 */
#ifndef REEVE_SETTINGS_SETTINGS_H
#define REEVE_SETTINGS_SETTINGS_H

#include <stddef.h>

#include "settings/config.h"

struct nearest;

/* Reads text into *target. Returns NULL, or what was expected, for the error message. */
typedef const char *setting_parser(const char *text, void *target);

struct setting {
    const char *key;
    setting_parser *parse;
    size_t offset;
    const char *fallback; /* NULL: none, or worked out from other settings */
    bool list;            /* may be given several times; each adds to a struct strings */
    bool required;
    bool paths; /* a list of paths, relative to the state folder, of things that must exist */
    const char *help;
};

/* Tables that end with a key of NULL. */
extern const struct setting daemon_settings[];
extern const struct setting module_settings[];

const struct setting *setting_find(const struct setting *table, const char *key);

/* Offers all keys of the table. */
void setting_nearest(const struct setting *table, struct nearest *nearest);

/* Reads value into the structure at base. Returns NULL or what was expected. */
const char *setting_apply(const struct setting *setting, void *base, const char *value);

/* Fills the structure with the table's defaults. */
void settings_init(const struct setting *table, void *base);

#endif
