/* SPDX-License-Identifier: MIT */
#include "daemon/config/errors.h"

void config_error(struct config_errors *errors, const char *file, unsigned line, const char *format,
                  ...)
{
    struct text text = {0};
    va_list args;

    text_append(&text, file);
    if (line > 0)
        text_append_format(&text, ":%u", line);
    text_append(&text, ": ");
    va_start(args, format);
    text_append_vformat(&text, format, args);
    va_end(args);
    if (strings_take(&errors->texts, text_finish(&text)) < 0)
        errors->failed = true;
}

void config_errors_free(struct config_errors *errors)
{
    strings_free(&errors->texts);
    errors->failed = false;
}
