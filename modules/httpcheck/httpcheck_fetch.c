/* SPDX-License-Identifier: MIT */
/*
 * One fetch: its redirects, and for each of them a transfer. The verdict on the answer is in
 * httpcheck_verdict.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "modules/httpcheck/httpcheck_fetch.h"
#include "modules/httpcheck/httpcheck_resolve.h"
#include "modules/httpcheck/httpcheck_verdict.h"

#define REDIRECTS_MAX 5

/* For so long a resolver of libcurl's own may still be at it: two tries of five seconds with each
 * of three name servers. */
#define PAUSE (30 * RV_SECOND)

/* The transfer ------------------------------------------------------------ */

/* curl asks about once a second and on every piece of data; a cancel is honoured then. */
static int is_cancelled(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return rv_context_err(arg) != 0;
}

/* libcurl would blame the server for a socket that there was none of. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    transfer->socket_error = fd < 0 ? errno : 0;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* libcurl tells nothing else of a proxy that it found in the environment. */
static int take_note(CURL *curl, curl_infotype type, char *data, size_t size, void *arg)
{
    static const char begin[] = "Uses proxy env variable ";
    struct transfer *transfer = arg;
    size_t length = sizeof(begin) - 1, end;

    (void)curl;
    if (type != CURLINFO_TEXT || size <= length || memcmp(data, begin, length) != 0 ||
        strncasecmp(data + length, "no_", 3) == 0)
        return 0;
    for (end = length; end < size && data[end] > ' '; end++)
        ;
    snprintf(transfer->variable, sizeof(transfer->variable), "%.*s", (int)(end - length),
             data + length);
    return 0;
}

static void set_login(struct transfer *transfer, const struct target *target)
{
    const struct address *address = transfer->address;
    const struct httpcheck *check = transfer->check;
    CURL *curl = transfer->curl;
    /* A redirect must not lead it elsewhere. */
    bool trusted = strcmp(address->origin, target->address.origin) == 0;

    if (trusted && !address->user)
        address = &target->address;
    if (address->user) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, address->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, address->password);
    } else if (trusted && check->username) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, check->username);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, check->password);
    } else if (trusted && check->token) {
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, check->token);
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    }
}

static void set_proxy(struct transfer *transfer)
{
    const struct httpcheck *check = transfer->check;
    CURL *curl = transfer->curl;

    if (check->environment) {
        curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
        curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, take_note);
        curl_easy_setopt(curl, CURLOPT_DEBUGDATA, transfer);
        return;
    }
    /* "" is none, also if the environment names one; and nothing is excepted. */
    curl_easy_setopt(curl, CURLOPT_PROXY, check->via.url ? check->via.url : "");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
    if (!check->via.url)
        return;
    curl_easy_setopt(curl, CURLOPT_PROXYUSERNAME, check->via.user);
    /* "user:@proxy" leaves it to the key. */
    curl_easy_setopt(curl, CURLOPT_PROXYPASSWORD,
                     check->via.password && *check->via.password != '\0' ? check->via.password
                                                                         : check->proxy_password);
}

static void set_options(struct transfer *transfer, struct rv_context *ctx, rv_duration timeout)
{
    CURL *curl = transfer->curl;

    curl_easy_setopt(curl, CURLOPT_URL, transfer->address->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* Without this it waits for its resolver after the timeout. */
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout / RV_MILLISECOND));
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "reeve-httpcheck/1");
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, verdict_take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    /* Those of a proxy's tunnel are not the server's. */
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, verdict_take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_cancelled);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, ctx);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->detail);
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
#if LIBCURL_VERSION_NUM >= 0x081400
    /* From there on the threads of the resolver are the multi handle's. */
    curl_multi_setopt(multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
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

/* Its own thread may go on, and each further one would be added to that. */
static void pause_if_unresolved(struct fetch *fetch, const struct transfer *transfer, CURLcode code)
{
    double looked_up = 0;

    curl_easy_getinfo(transfer->curl, CURLINFO_NAMELOOKUP_TIME, &looked_up);
    if (fetch->check->environment && looked_up == 0 &&
        (code == CURLE_OPERATION_TIMEDOUT || code == CURLE_ABORTED_BY_CALLBACK))
        fetch->target->not_before = rv_now() + PAUSE;
}

/* A name in the environment may be that of a proxy: then libcurl alone knows which one is to be
 * looked up. Returns 0; the context's code; or a negative errno with a text. */
static int find_addresses(struct rv_context *ctx, const struct transfer *transfer,
                          rv_duration timeout, struct curl_slist **ret_entries)
{
    const struct httpcheck *check = transfer->check;
    const struct address *peer = check->via.url ? &check->via : transfer->address;
    char *addresses = NULL, *entry = NULL;
    int r = check->environment ? 0 : resolve(ctx, peer->host, timeout, &addresses);

    *ret_entries = NULL;
    if (r == 0 && addresses &&
        asprintf(&entry, "%s:%s:%s", peer->host, peer->port, addresses) >= 0) {
        *ret_entries = curl_slist_append(NULL, entry);
        free(entry);
    }
    free(addresses);
    return r;
}

/* Nobody is to be blamed who was not asked. */
static int out_of_time(struct fetch *fetch, const struct transfer *transfer, const char *how)
{
    char shown[SHOWN_SIZE];

    snprintf(fetch->error, sizeof(fetch->error), "%s: its time was used up %s",
             shorten(transfer->address->shown, shown, sizeof(shown)), how);
    return 0;
}

/* One address. Returns 0, with a result in the fetch or a location in the transfer, or the
 * context's code. */
static int transfer_run(struct rv_context *ctx, struct fetch *fetch, struct transfer *transfer,
                        rv_time deadline)
{
    struct curl_slist *entries;
    rv_duration left = deadline - rv_now();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    int r;

    if (left < RV_MILLISECOND)
        return out_of_time(fetch, transfer, "before it was asked");
    r = find_addresses(ctx, transfer, left, &entries);
    if (r < 0) {
        snprintf(fetch->error, sizeof(fetch->error), "%s", rv_error_text(r));
        verdict_name_proxy(fetch, transfer);
        return rv_context_err(ctx);
    }
    left = deadline - rv_now();
    /* 0 would be without a limit. */
    if (left < RV_MILLISECOND) {
        curl_slist_free_all(entries);
        return out_of_time(fetch, transfer, "by the look-up of its name");
    }
    transfer->curl = curl_easy_init();
    if (transfer->curl) {
        set_options(transfer, ctx, left);
        set_login(transfer, fetch->target);
        set_proxy(transfer);
        curl_easy_setopt(transfer->curl, CURLOPT_RESOLVE, entries);
        code = perform(transfer->curl, ctx);
        pause_if_unresolved(fetch, transfer, code);
        verdict_take_location(transfer);
    }
    if (!transfer->location) {
        verdict_judge(fetch, transfer, code);
        verdict_name_proxy(fetch, transfer);
    }
    curl_easy_cleanup(transfer->curl);
    curl_slist_free_all(entries);
    return rv_context_err(ctx);
}

/* Returns 0 or -ENOMEM. */
static int make_window(const struct httpcheck *check, char **ret_window)
{
    *ret_window = NULL;
    if (!check->expect_body || check->expect_body[0] == '\0')
        return 0;
    *ret_window = malloc(strlen(check->expect_body) + CURL_MAX_WRITE_SIZE);
    return *ret_window ? 0 : -ENOMEM;
}

/* From the target through its redirects. */
static int follow(struct rv_context *ctx, struct fetch *fetch, char *window)
{
    rv_time deadline = rv_now() + fetch->check->timeout;
    struct address here = {0}, next;
    int r = 0, failed;

    for (int i = 0; i <= REDIRECTS_MAX; i++) {
        struct transfer transfer = {.check = fetch->check,
                                    .address = here.url ? &here : &fetch->target->address,
                                    .window = window};

        r = transfer_run(ctx, fetch, &transfer, deadline);
        if (!transfer.location)
            break;
        if (r == 0 && i == REDIRECTS_MAX)
            snprintf(fetch->error, sizeof(fetch->error), "more than %d redirects", REDIRECTS_MAX);
        else if (r == 0 && transfer.location[strspn(transfer.location, " \t\r\n")] == '\0')
            snprintf(fetch->error, sizeof(fetch->error),
                     "redirected to nowhere: Location is empty");
        else if (r == 0 &&
                 (failed = address_follow(transfer.address, transfer.location, &next)) < 0)
            snprintf(fetch->error, sizeof(fetch->error), "%s", rv_error_text(failed));
        free(transfer.location);
        if (r < 0 || fetch->error[0] != '\0')
            break;
        address_free(&here);
        here = next;
    }
    address_free(&here);
    return r;
}

int fetch_run(struct rv_context *ctx, void *arg)
{
    struct fetch *fetch = arg;
    rv_time begin = rv_now();
    char *window;
    int r = 0;

    if (fetch->target->not_before > begin)
        snprintf(fetch->error, sizeof(fetch->error),
                 "not asked: the resolver, which did not answer, may still be at it for %lld s",
                 (long long)((fetch->target->not_before - begin) / RV_SECOND + 1));
    else if (make_window(fetch->check, &window) < 0)
        return rv_fail(-ENOMEM, "fetch %s", fetch->target->address.shown);
    else {
        r = follow(ctx, fetch, window);
        free(window);
    }
    fetch->seconds = (double)(rv_now() - begin) / RV_SECOND;
    /* A fetch that was cut has no result. One URL's failure must not cancel the fetches of the
     * others. */
    fetch->ended = r == 0;
    return r;
}
