/* SPDX-License-Identifier: MIT */
/* All keys of reeve.ini that are reeve's own. */
#ifndef REEVE_SETTINGS_KEY_TABLES_H
#define REEVE_SETTINGS_KEY_TABLES_H

#include "base/setting.h"

struct key_table {
    const char *name;   /* "daemon", "module", "TASK", "POOL" */
    const char *where;  /* its section, for people */
    const char *whose;  /* "each task" */
    const char *prefix; /* of each key in the section: "TASK." */
    const struct setting *keys;
};

/* In the order of the manual; ended by a name of NULL. */
extern const struct key_table key_tables[];

/* For a key that is unknown where it stands, and is one of another table than `here`: "; it is a
 * key of [daemon]", or of a task, "; it is a key of each task, as in TASK.every"; else "". Returns
 * buffer. */
char *key_tables_hint(const struct setting *here, const char *key, char *buffer, size_t size);

#endif
