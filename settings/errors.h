/* SPDX-License-Identifier: MIT */
/*
 * The errors of a configuration: all of them, in the order of files and lines, each a sentence that
 * says what was expected.
 */
#ifndef REEVE_SETTINGS_ERRORS_H
#define REEVE_SETTINGS_ERRORS_H

#include "base/text.h"

struct config_errors {
    struct strings texts;
    /* An error could not be stored: there is no memory. Counts as an error. */
    bool failed;
};

/* Adds "FILE:LINE: text"; line 0 is left out. */
void config_error(struct config_errors *errors, const char *file, unsigned line, const char *format,
                  ...) printf_like(4, 5);

static inline bool config_errors_any(const struct config_errors *errors)
{
    return errors->texts.count > 0 || errors->failed;
}

void config_errors_free(struct config_errors *errors);

#endif
