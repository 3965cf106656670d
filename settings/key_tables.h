/* SPDX-License-Identifier: MIT */
/* All keys of reeve.ini that are reeve's own. */
#ifndef REEVE_SETTINGS_KEY_TABLES_H
#define REEVE_SETTINGS_KEY_TABLES_H

#include "base/setting.h"

struct key_table {
    const char *name;   /* "daemon", "module", "TASK", "POOL" */
    const char *where;  /* its section, for people */
    const char *prefix; /* of each key in the section: "TASK." */
    const struct setting *keys;
};

/* In the order of the manual; ended by a name of NULL. */
extern const struct key_table key_tables[];

#endif
