/* SPDX-License-Identifier: MIT */
/* What a module asks of its host: the host sets where it goes, before modules run. */
#include <errno.h>
#include <reeve/host.h>
#include <reeve/module.h>
#include <reeve/runtime.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/macro.h"
#include "base/shown.h"
#include "lib/internal.h"

static void (*progress_sink)(const char *text);

void rv_host_set_progress(void (*sink)(const char *text))
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

static void (*thread_start)(void);

void rv_host_set_thread_start(void (*fn)(void))
{
    thread_start = fn;
}

void hosted_thread_start(void)
{
    if (thread_start)
        thread_start();
}

static int (*submit_sink)(struct rv_context *ctx, const char *pool, const void *data, size_t size);

void rv_host_set_submit(int (*sink)(struct rv_context *ctx, const char *pool, const void *data,
                                    size_t size))
{
    submit_sink = sink;
}

int rv_submit(struct rv_context *ctx, const char *pool, const void *data, size_t size)
{
    return submit_sink ? submit_sink(ctx, pool, data, size) : error_bare(-ENOSYS);
}

static void (*fail_option_sink)(struct rv_context *ctx, const char *option, const char *text);

void rv_host_set_fail_option(void (*sink)(struct rv_context *ctx, const char *option,
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

/* A hook of the host's, which knows nothing of the runtime's. */
struct hosted_hook {
    struct rv_host_hook *given;
    struct context_hook hook;
};
_Static_assert(sizeof(struct hosted_hook) <= sizeof(((struct rv_host_hook *)NULL)->own),
               "there is room for it");

static struct hosted_hook *own_of(struct rv_host_hook *hook)
{
    return (struct hosted_hook *)(void *)hook->own;
}

static void call_hosted(struct context_hook *hook)
{
    struct rv_host_hook *given = container_of(hook, struct hosted_hook, hook)->given;

    given->fn(given);
}

int rv_host_hook_add(struct rv_context *ctx, struct rv_host_hook *hook)
{
    struct hosted_hook *own = own_of(hook);

    *own = (struct hosted_hook){.given = hook, .hook = {.fn = call_hosted}};
    list_init(&own->hook.list);
    return error_bare(context_hook_add(ctx, &own->hook));
}

void rv_host_hook_remove(struct rv_context *ctx, struct rv_host_hook *hook)
{
    context_hook_remove(ctx, &own_of(hook)->hook);
}
