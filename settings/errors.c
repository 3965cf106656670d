/* SPDX-License-Identifier: MIT */
#include "settings/errors.h"

#include "base/shown.h"

void config_error(struct config_errors *errors, const char *file, unsigned line, const char *format,
                  ...)
{
    struct text text = {0};
    char *whole;
    va_list args;

    text_append(&text, file);
    if (line > 0)
        text_append_format(&text, ":%u", line);
    text_append(&text, ": ");
    va_start(args, format);
    text_append_vformat(&text, format, args);
    va_end(args);
    whole = text_finish(&text);
    /* Most errors quote a value. */
    if (whole)
        redact_urls(whole);
    if (strings_take(&errors->texts, whole) < 0)
        errors->failed = true;
}

void config_errors_free(struct config_errors *errors)
{
    strings_free(&errors->texts);
    errors->failed = false;
}
