/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <reeve/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/shown.h"
#include "base/text.h"
#include "lib/internal.h"

/* A text is that of one error, by its number; an empty one is of none. */
static __thread char current[RV_ERROR_TEXT_SIZE];
static __thread int current_code;

const char *error_name(int err, char *buffer, size_t size)
{
    /* The lowest number has no positive one. */
    return strerror_r(err < 0 ? -MAX(err, -INT_MAX) : err, buffer, size);
}

int rv_fail(int err, const char *format, ...)
{
    char text[RV_ERROR_TEXT_SIZE], name[128];
    va_list args;
    size_t length;

    /* Through a buffer of its own: an argument may be the present text. */
    va_start(args, format);
    text_format_shown(text, sizeof(text), format, args);
    va_end(args);
    string_copy(current, sizeof(current), text);
    length = strlen(current);
    snprintf(current + length, sizeof(current) - length, ": %s",
             error_name(err, name, sizeof(name)));
    current_code = err;
    return err;
}

int rv_fail_text(int err, const char *format, ...)
{
    char text[RV_ERROR_TEXT_SIZE];
    va_list args;

    va_start(args, format);
    text_format_shown(text, sizeof(text), format, args);
    va_end(args);
    string_copy(current, sizeof(current), text);
    current_code = err;
    return err;
}

int rv_wrap(int err, const char *format, ...)
{
    char text[2 * RV_ERROR_TEXT_SIZE], name[128];
    va_list args;
    int length;

    va_start(args, format);
    length = text_format_shown(text, RV_ERROR_TEXT_SIZE, format, args);
    va_end(args);
    if (length >= RV_ERROR_TEXT_SIZE)
        length = RV_ERROR_TEXT_SIZE - 1;
    if (length < 0)
        length = 0;
    snprintf(text + length, sizeof(text) - (size_t)length, ": %s",
             rv_error_text(err)[0] ? current : error_name(err, name, sizeof(name)));
    text_copy_shown(current, sizeof(current), text);
    current_code = err;
    return err;
}

const char *rv_error_text(int err)
{
    return err == current_code ? current : "";
}

void rv_redact_urls(char *text)
{
    redact_urls(text);
}

void rv_error_clear(void)
{
    current[0] = '\0';
}

int error_set(int err, const char *text)
{
    text_copy_shown(current, sizeof(current), text);
    current_code = err;
    return err;
}

int error_bare(int r)
{
    if (r < 0 && r == current_code)
        current[0] = '\0';
    return r;
}

int call_function(rv_function fn, struct rv_context *ctx, void *arg)
{
    rv_error_clear();
    return fn(ctx, arg);
}
