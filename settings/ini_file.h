/* SPDX-License-Identifier: MIT */
/*
 * Strict ini files, read with inih.
 *
 * inih forgives much that would surprise an operator: it cuts long lines and names, cuts a value at
 * " ;", joins an indented line to the key before it, takes "key: value", skips what follows a "]",
 * merges sections that appear twice, and never mentions empty ones. So every line passes a checker
 * before inih sees it; what inih would misread is an error that names file and line, and all errors
 * of a file are found in one pass.
 */
#ifndef REEVE_SETTINGS_INI_FILE_H
#define REEVE_SETTINGS_INI_FILE_H

#include "settings/errors.h"

/* The longest line, without its end. */
#define INI_LINE_MAX 4096
/* The longest section and key: inih's buffers hold 50 bytes. */
#define INI_NAME_MAX 49
/* The largest file. */
#define INI_FILE_MAX (1024 * 1024)

/* The calls to a reader, in the file's order. A section is told once, also when it is empty. */
struct ini_handler {
    void (*section)(void *arg, const char *section, unsigned line);
    void (*value)(void *arg, const char *section, const char *key, const char *value,
                  unsigned line);
};

/*
 * Reads a file and tells handler of each section and value; strings are valid during the call only.
 * Errors are added to errors. Returns 0, also with errors in the file; 1 when there is nothing in
 * it; a negative errno when the file could not be read, which is then among the errors too.
 */
int ini_read(const char *path, const struct ini_handler *handler, void *arg,
             struct config_errors *errors);

#endif
