/* SPDX-License-Identifier: MIT */
/* Requests over the control socket, by libcurl. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/ctl.h"

/* An answer is a status of at most a few hundred modules. */
#define ANSWER_MAX (64 * 1024 * 1024)

/* A daemon that has not told its status by then is stopped, or as good as that. */
#define ANSWER_SECONDS 20L

static size_t take_bytes(char *data, size_t size, size_t count, void *arg)
{
    struct text *answer = arg;

    if (answer->length + size * count > ANSWER_MAX)
        return 0;
    text_append_bytes(answer, data, size * count);
    return answer->failed ? 0 : size * count;
}

/* The host in the URL means nothing on a unix socket. */
static char *make_url(CURL *curl, const char *path, const struct ctl_parameter *parameters)
{
    struct text url = {0};
    char separator = '?';

    text_append_format(&url, "http://reeved%s", path);
    for (; parameters && (parameters->name || parameters->value); parameters++) {
        char *value;

        if (!parameters->name)
            continue;
        value = curl_easy_escape(curl, parameters->value, 0);
        text_append_format(&url, "%c%s=%s", separator, parameters->name, value ? value : "");
        curl_free(value);
        separator = '&';
    }
    return text_finish(&url);
}

static int report_unreachable(const struct ctl *ctl, CURLcode code, long os_error)
{
    if (os_error == ENOENT || os_error == ECONNREFUSED)
        fprintf(stderr,
                "reevectl: no reeved listens at %s%s: %s; start it (systemctl start reeve; in a "
                "checkout ./dev run), or name its socket with -s or REEVE_CONTROL\n",
                ctl->socket, ctl->socket_from, strerror((int)os_error));
    else if (os_error == EACCES) {
        fprintf(stderr, "reevectl: %s: permission denied; try it as root or as reeved's user\n",
                ctl->socket);
        return CTL_EXIT_DENIED;
    } else if (code == CURLE_OPERATION_TIMEDOUT)
        fprintf(
            stderr,
            "reevectl: reeved at %s does not answer: it is stopped by a signal or a debugger, or "
            "hangs; its process shows in ps\n",
            ctl->socket);
    else
        fprintf(stderr, "reevectl: %s: %s\n", ctl->socket, curl_easy_strerror(code));
    return CTL_EXIT_UNREACHABLE;
}

static int take_answer(const struct ctl *ctl, long status, const struct text *answer,
                       json_t **ret_answer)
{
    json_error_t error;
    json_t *json = json_loads(text_string(answer), 0, &error);
    const json_t *errors;
    size_t i;
    json_t *item;

    if (!json) {
        fprintf(stderr, "reevectl: %s did not answer with JSON (HTTP %ld): is it a reeved?\n",
                ctl->socket, status);
        return CTL_EXIT_UNREACHABLE;
    }
    if (status < 300) {
        *ret_answer = json;
        return 0;
    }
    fprintf(stderr, "reevectl: %s\n",
            json_string_value(json_object_get(json, "error"))
                ? json_string_value(json_object_get(json, "error"))
                : "refused");
    errors = json_object_get(json, "errors");
    json_array_foreach(errors, i, item) fprintf(stderr, "%s\n", json_string_value(item));
    json_decref(json);
    return status == 403 ? CTL_EXIT_DENIED : status == 404 ? CTL_EXIT_UNKNOWN : CTL_EXIT_FAILURE;
}

/* How often the daemon is looked at meanwhile, in milliseconds: for who tells what is waited for,
 * and for others. */
#define WATCH_INTERVAL 500
#define LOOK_INTERVAL  10000

struct watch {
    void (*fn)(const struct ctl *ctl, const json_t *status, void *arg);
    void *arg;
};

/* A request and its answer. */
struct exchange {
    const char *method;
    const char *path;
    const struct ctl_parameter *parameters;
    const void *data;
    size_t size;
    const struct watch *watch; /* NULL: the answer is due at once */
    CURLcode *ret_code;        /* for who is to say nothing of errors; or NULL */
};

static int request(const struct ctl *ctl, const struct exchange *exchange, json_t **ret_answer);

/* The daemon takes its time with what is asked for, but not with its status. Returns whether there
 * is hope. That it has ended shows in the transfer itself, and one that is too busy for another
 * connection goes on. */
static bool look(const struct ctl *ctl, const struct watch *watch)
{
    json_t *status = NULL;
    CURLcode code = CURLE_OK;
    struct exchange exchange = {.method = "GET", .path = "/v1/status", .ret_code = &code};

    if (request(ctl, &exchange, &status) == 0 && status && watch->fn)
        watch->fn(ctl, status, watch->arg);
    json_decref(status);
    return code != CURLE_OPERATION_TIMEDOUT;
}

/* One transfer that may take any time, with a look now and then. */
static CURLcode transfer(const struct ctl *ctl, CURL *curl, const struct watch *watch)
{
    CURLM *multi = curl_multi_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    int running = 1, left, events;
    bool hope = true;
    CURLMsg *message;

    if (!multi || curl_multi_add_handle(multi, curl) != CURLM_OK) {
        curl_multi_cleanup(multi);
        return code;
    }
    while (hope && curl_multi_perform(multi, &running) == CURLM_OK && running > 0) {
        if (curl_multi_poll(multi, NULL, 0, watch->fn ? WATCH_INTERVAL : LOOK_INTERVAL, &events) !=
            CURLM_OK)
            break;
        if (events == 0)
            hope = look(ctl, watch);
    }
    while ((message = curl_multi_info_read(multi, &left)))
        if (message->msg == CURLMSG_DONE)
            code = message->data.result;
    if (!hope)
        code = CURLE_OPERATION_TIMEDOUT;
    curl_multi_remove_handle(multi, curl);
    curl_multi_cleanup(multi);
    return code;
}

static int perform(const struct ctl *ctl, CURL *curl, const struct exchange *exchange,
                   json_t **ret_answer)
{
    const struct watch *watch = exchange->watch;
    cleanup_text struct text answer = {0};
    long status = 0, os_error = 0;
    CURLcode code;

    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (!watch)
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_SECONDS);
    code = watch ? transfer(ctl, curl, watch) : curl_easy_perform(curl);
    if (exchange->ret_code)
        *exchange->ret_code = code;
    if (code != CURLE_OK && exchange->ret_code)
        return CTL_EXIT_UNREACHABLE;
    if (code != CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
        return report_unreachable(ctl, code, os_error);
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300 && exchange->ret_code)
        return CTL_EXIT_FAILURE;
    return take_answer(ctl, status, &answer, ret_answer);
}

static int request(const struct ctl *ctl, const struct exchange *exchange, json_t **ret_answer)
{
    CURL *curl = curl_easy_init();
    cleanup_free char *url = curl ? make_url(curl, exchange->path, exchange->parameters) : NULL;
    struct curl_slist *headers = NULL;
    int r;

    *ret_answer = NULL;
    if (!url) {
        curl_easy_cleanup(curl);
        fputs("reevectl: out of memory\n", stderr);
        return CTL_EXIT_FAILURE;
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ctl->socket);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (strcmp(exchange->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, exchange->size > 0 ? exchange->data : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)exchange->size);
        headers = curl_slist_append(headers, "Content-Type: application/octet-stream");
        /* No waiting for "100 Continue". */
        headers = curl_slist_append(headers, "Expect:");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    }
    r = perform(ctl, curl, exchange, ret_answer);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return r;
}

int ctl_request(const struct ctl *ctl, const char *method, const char *path,
                const struct ctl_parameter *parameters, const void *data, size_t size,
                json_t **ret_answer)
{
    const struct watch watch = {0};
    const struct exchange exchange = {
        .method = method,
        .path = path,
        .parameters = parameters,
        .data = data,
        .size = size,
        .watch = strcmp(method, "GET") == 0 ? NULL : &watch,
    };

    return request(ctl, &exchange, ret_answer);
}

int ctl_get_status(const struct ctl *ctl, json_t **ret_status)
{
    return ctl_request(ctl, "GET", "/v1/status", NULL, NULL, 0, ret_status);
}

int ctl_request_watched(const struct ctl *ctl, const char *method, const char *path,
                        const struct ctl_parameter *parameters,
                        void (*fn)(const struct ctl *ctl, const json_t *status, void *arg),
                        void *arg, json_t **ret_answer)
{
    const struct watch watch = {fn, arg};
    const struct exchange exchange = {
        .method = method, .path = path, .parameters = parameters, .watch = &watch};

    return request(ctl, &exchange, ret_answer);
}
