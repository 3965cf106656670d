/* SPDX-License-Identifier: MIT */
/* What a module asks of its host: the host sets where it goes, before modules run. */
#include <errno.h>
#include <reeve/module.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/shown.h"

static void (*progress_sink)(const char *text);

void rv_runtime_set_progress(void (*sink)(const char *text))
{
    progress_sink = sink;
}

void rv_progress(struct rv_context *ctx, const char *format, ...)
{
    char text[512];
    va_list args;

    (void)ctx;
    if (!progress_sink)
        return;
    va_start(args, format);
    text_format_shown(text, sizeof(text), format, args);
    va_end(args);
    progress_sink(text);
}

static int (*submit_sink)(struct rv_context *ctx, const char *pool, const void *data, size_t size);

void rv_runtime_set_submit(int (*sink)(struct rv_context *ctx, const char *pool, const void *data,
                                       size_t size))
{
    submit_sink = sink;
}

int rv_submit(struct rv_context *ctx, const char *pool, const void *data, size_t size)
{
    return submit_sink ? submit_sink(ctx, pool, data, size) : -ENOSYS;
}

static void (*fail_option_sink)(struct rv_context *ctx, const char *option, const char *text);

void rv_runtime_set_fail_option(void (*sink)(struct rv_context *ctx, const char *option,
                                             const char *text))
{
    fail_option_sink = sink;
}

int rv_fail_option(struct rv_context *ctx, const char *option, const char *format, ...)
{
    char text[RV_ERROR_TEXT_SIZE];
    va_list args;

    va_start(args, format);
    text_format_shown(text, sizeof(text), format, args);
    va_end(args);
    if (fail_option_sink)
        fail_option_sink(ctx, option, text);
    return rv_fail_text(-EINVAL, "%s", text);
}
