/* SPDX-License-Identifier: MIT */
/*
 * httpcheck - fetches URLs in parallel and reports latency and errors
 *
 * Options
 *
 *     url = URL                http:// or https://; may be given several times; required
 *     expect-status = NUMBER   the status that is good. Default: 200
 *     expect-body = TEXT       text that must occur in the first 1M of the body
 *     timeout = DURATION       for one URL as a whole, with redirects and the look-up of names.
 *                              Default: 10s
 *     parallel = NUMBER        fetches at once. Default: 8
 *     follow-redirects = yes | no
 *                              up to 5. One that `expect-status` names is good, and not followed.
 *                              Default: no
 *     username = TEXT          for basic authentication at all URLs of the section
 *     password = SECRET        of this user
 *     token = SECRET           in their place: a bearer token
 *     proxy = URL | environment | none
 *                              through what all URLs are fetched: http://, https:// or socks5h://
 *                              and a port; or what http_proxy, https_proxy, all_proxy and no_proxy
 *                              say. Default: none
 *     proxy-password = SECRET  of the user in the proxy's URL
 *
 * Tasks
 *
 *     check                    every 30s; fails when any URL does, with the reasons of all that
 *                              did
 *
 * What it last found, with the time until each URL's answer was known, is shown as the task's
 * progress. A run that is cut, by check.timeout or a stop, shows what it has found until then.
 *
 * `reevectl status` and /health have room for some 500 bytes. Where the URLs that failed do not all
 * fit, the error ends with "and 8 more, see the log", and the log has a line for each that failed.
 * The progress then ends with "and 8 more". A section for each group of URLs shows them all. A URL
 * or a reason that is too long loses its middle, as "[...]".
 *
 * Secrets
 *
 * A password in a URL can be read by whoever may read the configuration, so a start warns of it:
 * use `username` and `password = credential:NAME` (see reeve.ini(5)). The passwords and queries
 * of URLs are never shown. A redirect to another scheme, host or port gets neither password nor
 * token.
 *
 * Bodies
 *
 * A fetch ends as soon as its verdict is known: behind the headers, or with `expect-body` where the
 * text ends, at the latest after 1M. So a large file costs nothing, and a stream that never ends is
 * good.
 *
 * Names and proxies
 *
 * An internationalized name may be written as it is, in UTF-8, or as xn--NAME. A monitor asks the
 * server itself: variables such as http_proxy count only with the key `proxy`. When a proxy was
 * used, the text of a failure says so. A name server that does not answer holds up only those URLs
 * that need it, for their timeout. With the environment's proxies libcurl itself looks names up,
 * and what did not end in time cannot be ended: such a URL is not asked again for 30 s.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/httpcheck/httpcheck_fetch.h"
#include "modules/httpcheck/httpcheck_report.h"

static int check(struct rv_context *ctx, void *state)
{
    const struct httpcheck *check = state;
    struct fetch *fetches = calloc(check->count, sizeof(*fetches));
    struct rv_group *group;
    int r;

    if (!fetches)
        return -ENOMEM;
    for (size_t i = 0; i < check->count; i++)
        fetches[i] = (struct fetch){.check = check, .target = &check->targets[i]};
    r = rv_group_create(ctx, &group);
    if (r == 0) {
        int waited;

        rv_group_set_limit(group, (unsigned)check->parallel);
        for (size_t i = 0; i < check->count && r == 0; i++)
            r = rv_group_go(group, fetch_run, &fetches[i]);
        waited = rv_group_wait(group);
        rv_group_destroy(group);
        r = r < 0 ? r : waited;
    }
    /* A run that was cut still reports the URLs that it has checked. */
    if (r == 0 || rv_context_err(ctx) != 0)
        r = report(ctx, fetches, check->count, r == 0 ? 0 : rv_context_err(ctx));
    free(fetches);
    return r;
}

/* Options ----------------------------------------------------------------- */

static void free_targets(struct target *targets, size_t count)
{
    for (size_t i = 0; targets && i < count; i++)
        address_free(&targets[i].address);
    free(targets);
}

/* Returns 0 or a negative errno with a text. */
static int parse_urls(const struct httpcheck *check, struct target **ret_targets)
{
    static const char *const schemes[] = {"http", "https", NULL};
    struct target *targets = calloc(check->url.count, sizeof(*targets));
    int r = targets ? 0 : -ENOMEM;

    for (size_t i = 0; i < check->url.count && r == 0; i++)
        r = address_parse("url", check->url.items[i], schemes, &targets[i].address);
    if (r < 0)
        free_targets(targets, check->url.count);
    else
        *ret_targets = targets;
    return r;
}

static int parse_proxy(const struct httpcheck *check, struct address *ret_via)
{
    static const char *const schemes[] = {"http", "https", "socks5h", NULL};
    int r = 0;

    *ret_via = (struct address){0};
    if (strcmp(check->proxy, "none") != 0 && strcmp(check->proxy, "environment") != 0)
        r = address_parse("proxy", check->proxy, schemes, ret_via);
    /* The port that libcurl takes then is neither 80 nor 443. */
    if (r == 0 && ret_via->url && !ret_via->own_port) {
        r = rv_fail_text(-EINVAL, "proxy = %s: it needs a port", ret_via->shown);
        address_free(ret_via);
    }
    if (r == 0 && check->proxy_password && !ret_via->user) {
        address_free(ret_via);
        r = rv_fail_text(-EINVAL, "proxy-password needs a user in the URL of `proxy`");
    }
    return r;
}

static int check_login(const struct httpcheck *check)
{
    if (check->password && !check->username)
        return rv_fail_text(-EINVAL, "password needs the key `username`");
    if (check->token && check->username)
        return rv_fail_text(-EINVAL, "give a `username` or a `token`, not both");
    return 0;
}

/* Texts show neither; but the file does. */
static void warn_of_passwords(struct rv_context *ctx, const struct httpcheck *check)
{
    for (size_t i = 0; i < check->count; i++)
        if (check->targets[i].address.user)
            rv_log(ctx, RV_LOG_WARNING,
                   "url = %s: its password is in the configuration; `username` and `password = "
                   "credential:NAME` keep it out",
                   check->targets[i].address.shown);
    if (check->via.password && *check->via.password != '\0')
        rv_log(ctx, RV_LOG_WARNING,
               "proxy = %s: its password is in the configuration; `proxy-password = "
               "credential:NAME` keeps it out",
               check->via.shown);
}

static int check_options(struct rv_context *ctx, const void *state)
{
    static const char *const schemes[] = {"http", "https", NULL};
    const struct httpcheck *check = state;
    struct address address;
    int r = check_login(check), failed;

    if (r < 0)
        r = rv_fail_option(ctx, check->username ? "token" : "password", "%s", rv_error_text(r));
    failed = parse_proxy(check, &address);
    if (failed < 0)
        r = rv_fail_option(ctx, "proxy", "%s", rv_error_text(failed));
    else
        address_free(&address);
    for (size_t i = 0; i < check->url.count; i++) {
        address = (struct address){0};
        failed = address_parse("url", check->url.items[i], schemes, &address);
        if (failed < 0)
            r = rv_fail_option(ctx, "url", "%s", rv_error_text(failed));
        address_free(&address);
    }
    return r;
}

/* Takes the options apart, or leaves all as it was. */
static int take_options(struct rv_context *ctx, struct httpcheck *check)
{
    struct target *targets = NULL;
    struct address via;
    int r = check_login(check);

    if (r == 0)
        r = parse_proxy(check, &via);
    if (r < 0)
        return r;
    r = parse_urls(check, &targets);
    if (r < 0) {
        address_free(&via);
        return r;
    }
    free_targets(check->targets, check->count);
    address_free(&check->via);
    check->targets = targets;
    check->count = check->url.count;
    check->via = via;
    check->environment = strcmp(check->proxy, "environment") == 0;
    warn_of_passwords(ctx, check);
    return 0;
}

static int init(struct rv_context *ctx, void *state)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return rv_fail(-ENOMEM, "libcurl cannot be initialised");
    return take_options(ctx, state);
}

static int reload(struct rv_context *ctx, void *state)
{
    return take_options(ctx, state);
}

static void fini(void *state)
{
    struct httpcheck *check = state;

    free_targets(check->targets, check->count);
    address_free(&check->via);
}

RV_MODULE(.name = "httpcheck", .version = "1",
          .summary = "Fetches URLs in parallel and reports latency and errors",
          .state_size = sizeof(struct httpcheck),
          .options = RV_OPTIONS(
              RV_OPTION_LIST(struct httpcheck, url, .required = true, .help = "URL to fetch"),
              RV_OPTION_INT64(struct httpcheck, expect_status, .fallback = "200", .minimum = 100,
                              .maximum = 599, .help = "status that is good"),
              RV_OPTION_STRING(struct httpcheck, expect_body,
                               .help = "text that must occur in the body"),
              RV_OPTION_DURATION(struct httpcheck, timeout, .fallback = "10s",
                                 .minimum = RV_MILLISECOND, .maximum = RV_HOUR,
                                 .help = "time for one URL"),
              RV_OPTION_INT64(struct httpcheck, parallel, .fallback = "8", .minimum = 1,
                              .maximum = 64, .help = "fetches at once"),
              RV_OPTION_BOOL(struct httpcheck, follow_redirects, .fallback = "no",
                             .help = "whether redirects are followed"),
              RV_OPTION_STRING(struct httpcheck, username, .help = "user for basic authentication"),
              RV_OPTION_SECRET(struct httpcheck, password, .help = "password of this user"),
              RV_OPTION_SECRET(struct httpcheck, token, .help = "bearer token"),
              RV_OPTION_STRING(struct httpcheck, proxy, .fallback = "none",
                               .help = "URL of a proxy, `environment` or `none`"),
              RV_OPTION_SECRET(struct httpcheck, proxy_password,
                               .help = "password of the proxy's user")),
          .tasks = RV_TASKS({.name = "check",
                             .run = check,
                             .every = "30s",
                             .timeout = "5min",
                             .help = "fetches all URLs"}),
          .check = check_options, .init = init, .fini = fini, .reload = reload, );
