/* SPDX-License-Identifier: MIT */
/*
 * The words of a check about its URLs: in its progress, in its error and in the log.
 *
 * Properties: an error's text and a progress hold some 500 bytes, and each URL that is named there
 * is named whole, with its reason. Of those that find no room the text says how many they are, and
 * the log has a line for each that failed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "modules/httpcheck/httpcheck_report.h"

/* How much of a reason a text shows, so that one always fits beside its URL; and of a URL in the
 * log, which has room for more. */
#define REASON_SIZE  224
#define LOG_URL_SIZE 1024

/* The texts before the list of URLs, and at its end. */
#define BEGIN_SIZE 96
#define END_SIZE   40

/* A list of URLs in a text of a fixed size. */
struct list {
    char text[RV_ERROR_TEXT_SIZE];
    size_t size; /* of the text that may be used */
    size_t left_out;
};

/* Adds an entry, if it fits whole and none before it was left out. */
static void list_add(struct list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void list_add(struct list *list, const char *format, ...)
{
    char entry[RV_ERROR_TEXT_SIZE];
    size_t length = strlen(list->text);
    va_list args;

    va_start(args, format);
    vsnprintf(entry, sizeof(entry), format, args);
    va_end(args);
    if (list->left_out > 0 || length + strlen(entry) + 2 + END_SIZE > list->size)
        list->left_out++;
    else
        snprintf(list->text + length, list->size - length, "%s%s", length > 0 ? "; " : "", entry);
}

static void list_end(struct list *list, const char *where)
{
    size_t length = strlen(list->text);

    if (list->left_out > 0)
        snprintf(list->text + length, list->size - length, "; and %zu more%s", list->left_out,
                 where);
}

static bool is_bad(const struct fetch *fetch)
{
    return fetch->ended && fetch->error[0] != '\0';
}

static void tell_progress(struct rv_context *ctx, const struct fetch *fetches, size_t count)
{
    struct list found = {.size = sizeof(found.text)};
    char url[SHOWN_SIZE], reason[REASON_SIZE];

    for (size_t i = 0; i < count; i++) {
        const struct fetch *fetch = &fetches[i];
        const char *shown = shorten(fetch->target->address.shown, url, sizeof(url));

        if (fetch->ended)
            list_add(&found, "%s %.0f ms%s%s", shown, fetch->seconds * 1000,
                     is_bad(fetch) ? " " : "", shorten(fetch->error, reason, sizeof(reason)));
        else
            list_add(&found, "%s not done", shown);
    }
    list_end(&found, "");
    rv_progress(ctx, "%s", found.text);
}

static void add_failures(struct list *failed, const struct fetch *fetches, size_t count, bool ended)
{
    char url[SHOWN_SIZE], reason[REASON_SIZE];

    for (size_t i = 0; i < count; i++)
        if (ended ? is_bad(&fetches[i]) : !fetches[i].ended)
            list_add(failed, "%s: %s", shorten(fetches[i].target->address.shown, url, sizeof(url)),
                     ended ? shorten(fetches[i].error, reason, sizeof(reason)) : "not done");
}

/* undone: also those that were not done. */
static void log_failures(struct rv_context *ctx, const struct fetch *fetches, size_t count,
                         bool undone)
{
    char url[LOG_URL_SIZE];

    for (size_t i = 0; i < count; i++)
        if (is_bad(&fetches[i]) || (undone && !fetches[i].ended))
            rv_log(ctx, RV_LOG_WARNING, "%s: %s",
                   shorten(fetches[i].target->address.shown, url, sizeof(url)),
                   fetches[i].ended ? fetches[i].error : "not done");
}

int report(struct rv_context *ctx, const struct fetch *fetches, size_t count, int r)
{
    struct list failed = {.size = sizeof(failed.text) - BEGIN_SIZE};
    size_t failures = 0, ended = 0;

    tell_progress(ctx, fetches, count);
    for (size_t i = 0; i < count; i++) {
        failures += is_bad(&fetches[i]);
        ended += fetches[i].ended;
    }
    if (r == 0 && failures == 0)
        return 0;
    add_failures(&failed, fetches, count, true);
    if (r < 0)
        add_failures(&failed, fetches, count, false);
    list_end(&failed, ", see the log");
    /* A stop that leaves URLs undone is nothing to look into. */
    if (failed.left_out > 0)
        log_failures(ctx, fetches, count, r == -ETIMEDOUT);
    if (r == 0)
        return rv_fail_text(-EPROTO, "%zu of %zu URLs failed: %s", failures, count, failed.text);
    return rv_fail_text(r, "cut by %s: %zu of %zu URLs failed, %zu not done: %s",
                        r == -ETIMEDOUT ? "check.timeout" : "its end", failures, count,
                        count - ended, failed.text);
}
