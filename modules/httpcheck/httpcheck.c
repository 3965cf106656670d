/* SPDX-License-Identifier: MIT */
/*
 * httpcheck - fetches URLs in parallel and reports latency and errors
 *
 * Options
 *
 *     url = URL                http:// or https://; may be given several times; required
 *     expect-status = NUMBER   the status that is good. Default: 200
 *     expect-body = TEXT       text that must occur in the first 1M of the body
 *     timeout = DURATION       for one URL as a whole. Default: 10s
 *     parallel = NUMBER        fetches at once. Default: 8
 *     follow-redirects = yes | no   Default: no
 *
 * Tasks
 *
 *     check                    every 30s; fails when any URL does, with the reasons of all that did
 *
 * What it last found, with each URL's latency, is shown as the task's progress.
 *
 * Example
 *
 *     [module:web]
 *     load = httpcheck
 *     url = https://example.org/
 *     url = https://example.net/health
 *     expect-body = "status":"ok"
 *     check.every = 1min
 */
#include <curl/curl.h>
#include <errno.h>
#include <reeve/module.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BODY_MAX (1024 * 1024)

struct httpcheck {
    struct rv_list url;
    int64_t expect_status;
    char *expect_body;
    rv_duration timeout;
    int64_t parallel;
    bool follow_redirects;
};

/* One fetch and what came of it. */
struct fetch {
    const struct httpcheck *options;
    const char *url;
    char *body;
    size_t size;
    long status;
    double seconds;
    char error[256]; /* "" when all is well */
};

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *fetch = arg;
    size_t bytes = size * count, room = BODY_MAX - fetch->size;
    size_t kept = bytes < room ? bytes : room;
    char *larger;

    if (!fetch->options->expect_body || kept == 0)
        return bytes;
    larger = realloc(fetch->body, fetch->size + kept + 1);
    if (!larger)
        return 0;
    memcpy(larger + fetch->size, data, kept);
    fetch->body = larger;
    fetch->size += kept;
    larger[fetch->size] = '\0';
    return bytes;
}

/* curl asks about once a second and on every piece of data; a cancel is honoured then. */
static int is_cancelled(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return rv_context_err(arg) != 0;
}

static void set_options(CURL *curl, struct rv_context *ctx, struct fetch *fetch)
{
    const struct httpcheck *options = fetch->options;

    curl_easy_setopt(curl, CURLOPT_URL, fetch->url);
    /* Nothing but the web, also after a redirect. */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, options->follow_redirects ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(options->timeout / RV_MILLISECOND));
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "reeve-httpcheck/1");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_cancelled);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, ctx);
}

/* Drives one transfer by curl's multi interface, whose wait a cancel can end at once: the context's
 * descriptor is among those waited for. */
static CURLcode perform(CURL *curl, struct rv_context *ctx)
{
    CURLM *multi = curl_multi_init();
    struct curl_waitfd cancel = {.fd = rv_context_fd(ctx), .events = CURL_WAIT_POLLIN};
    CURLcode code = CURLE_OUT_OF_MEMORY;
    int running = 1, left;
    CURLMsg *message;

    if (!multi || curl_multi_add_handle(multi, curl) != CURLM_OK) {
        curl_multi_cleanup(multi);
        return code;
    }
    code = CURLE_ABORTED_BY_CALLBACK;
    while (running > 0 && rv_context_err(ctx) == 0 &&
           curl_multi_perform(multi, &running) == CURLM_OK && running > 0)
        curl_multi_poll(multi, &cancel, cancel.fd >= 0 ? 1 : 0, 1000, NULL);
    while ((message = curl_multi_info_read(multi, &left)))
        if (message->msg == CURLMSG_DONE)
            code = message->data.result;
    curl_multi_remove_handle(multi, curl);
    curl_multi_cleanup(multi);
    return code;
}

static void judge(struct fetch *fetch, CURLcode code, const char *detail)
{
    const struct httpcheck *options = fetch->options;

    if (code != CURLE_OK)
        snprintf(fetch->error, sizeof(fetch->error), "%s",
                 detail[0] ? detail : curl_easy_strerror(code));
    else if (fetch->status != options->expect_status)
        snprintf(fetch->error, sizeof(fetch->error), "status %ld, expected %lld", fetch->status,
                 (long long)options->expect_status);
    else if (options->expect_body &&
             (!fetch->body || !memmem(fetch->body, fetch->size, options->expect_body,
                                      strlen(options->expect_body))))
        snprintf(fetch->error, sizeof(fetch->error), "the body has no \"%.100s\"",
                 options->expect_body);
}

static int fetch_one(struct rv_context *ctx, void *arg)
{
    struct fetch *fetch = arg;
    char detail[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    CURLcode code;

    if (!curl)
        return rv_fail(-ENOMEM, "fetch %s", fetch->url);
    set_options(curl, ctx, fetch);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    code = perform(curl, ctx);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &fetch->status);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &fetch->seconds);
    judge(fetch, code, detail);
    curl_easy_cleanup(curl);
    free(fetch->body);
    fetch->body = NULL;
    /* One URL's failure must not cancel the fetches of the others: it is a result, not an error. */
    return rv_context_err(ctx);
}

/* Adds to a text of a fixed size; what does not fit is left out. */
static void add(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + length, size - length, format, args);
    va_end(args);
}

static int report(struct rv_context *ctx, const struct fetch *fetches, size_t count)
{
    char found[RV_ERROR_TEXT_SIZE] = "", failed[RV_ERROR_TEXT_SIZE - 64] = "";
    size_t failures = 0;

    for (size_t i = 0; i < count; i++) {
        const struct fetch *fetch = &fetches[i];

        add(found, sizeof(found), "%s%s %.0f ms%s%s", i > 0 ? "; " : "", fetch->url,
            fetch->seconds * 1000, fetch->error[0] ? " " : "", fetch->error);
        if (fetch->error[0] == '\0')
            continue;
        add(failed, sizeof(failed), "%s%s: %s", failures > 0 ? "; " : "", fetch->url, fetch->error);
        failures++;
    }
    rv_progress(ctx, "%s", found);
    if (failures == 0)
        return 0;
    return rv_fail_text(-EPROTO, "%zu of %zu URLs failed: %s", failures, count, failed);
}

static int check(struct rv_context *ctx, void *state)
{
    const struct httpcheck *options = state;
    struct fetch *fetches = calloc(options->url.count, sizeof(*fetches));
    struct rv_group *group;
    int r;

    if (!fetches)
        return -ENOMEM;
    r = rv_group_create(ctx, &group);
    if (r == 0) {
        rv_group_set_limit(group, (unsigned)options->parallel);
        for (size_t i = 0; i < options->url.count && r == 0; i++) {
            fetches[i] = (struct fetch){.options = options, .url = options->url.items[i]};
            r = rv_group_go(group, fetch_one, &fetches[i]);
        }
        if (r == 0)
            r = rv_group_wait(group);
        else
            rv_group_wait(group);
    }
    if (r == 0)
        r = report(ctx, fetches, options->url.count);
    free(fetches);
    return r;
}

static int check_urls(const struct httpcheck *options)
{
    for (size_t i = 0; i < options->url.count; i++)
        if (strncasecmp(options->url.items[i], "http://", 7) != 0 &&
            strncasecmp(options->url.items[i], "https://", 8) != 0)
            return rv_fail_text(-EINVAL, "url = %s: expected http:// or https://",
                                options->url.items[i]);
    return 0;
}

static int init(struct rv_context *ctx, void *state)
{
    (void)ctx;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return rv_fail(-ENOMEM, "libcurl cannot be initialised");
    return check_urls(state);
}

static int reload(struct rv_context *ctx, void *state)
{
    (void)ctx;
    return check_urls(state);
}

RV_MODULE(.name = "httpcheck", .version = "1",
          .summary = "Fetches URLs in parallel and reports latency and errors",
          .state_size = sizeof(struct httpcheck),
          .options = RV_OPTIONS(
              RV_OPTION_LIST(struct httpcheck, url, .required = true, .help = "URL to fetch"),
              RV_OPTION_INT(struct httpcheck, expect_status, .fallback = "200", .minimum = 100,
                            .maximum = 599, .help = "status that is good"),
              RV_OPTION_STRING(struct httpcheck, expect_body,
                               .help = "text that must occur in the body"),
              RV_OPTION_DURATION(struct httpcheck, timeout, .fallback = "10s",
                                 .minimum = RV_MILLISECOND, .maximum = RV_HOUR,
                                 .help = "time for one URL"),
              RV_OPTION_INT(struct httpcheck, parallel, .fallback = "8", .minimum = 1,
                            .maximum = 64, .help = "fetches at once"),
              RV_OPTION_BOOL(struct httpcheck, follow_redirects, .fallback = "no",
                             .help = "whether redirects are followed")),
          .tasks = RV_TASKS({.name = "check",
                             .run = check,
                             .every = "30s",
                             .timeout = "5min",
                             .help = "fetches all URLs"}),
          .init = init, .reload = reload, );
