/* SPDX-License-Identifier: MIT */
/*
 * Requests. How bytes are cut changes nothing in what is read; what is read and written anew is
 * read as itself; and a real server, with evhttp in it, comes to the same requests, and answers
 * each. The last two bytes of an input say how it is cut.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/fd.h"
#include "daemon/loop/http.h"
#include "daemon/loop/http_framing.h"
#include "daemon/loop/loop.h"

#define PATIENCE (5 * NSEC_PER_SEC)
/* The bytes that a socket takes at once, before anybody reads. */
#define INPUT_MAX  (100 * 1024)
#define HEADER_MAX 1024
#define BODY_MAX   512

/* Without a server -------------------------------------------------------- */

/* The outcome: requests as they were written, and for a refusal its status. */
struct outcome {
    struct text text;
    size_t requests; /* whole ones */
    size_t answers;
};

static void add_request(struct outcome *outcome, const struct http_framing *framing)
{
    text_append_bytes(&outcome->text, framing->head.text.data, framing->head.text.length);
    text_append_bytes(&outcome->text, framing->body.data, framing->body.length);
    outcome->requests++;
    outcome->answers++;
}

static unsigned next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* With a seed of 0 it is not cut. */
static struct outcome frame(const char *bytes, size_t size, uint32_t seed, size_t header_max)
{
    struct http_framing framing;
    struct outcome outcome = {0};
    size_t at = 0, end = 0;

    http_framing_init(&framing, header_max, BODY_MAX);
    while (at < size) {
        if (at == end)
            end = seed == 0 ? size : at + 1 + next_random(&seed) % 16;
        if (end > size)
            end = size;
        at += http_framing_take(&framing, bytes + at, end - at);
        if (!http_framing_is_over(&framing))
            continue;
        if (framing.state == HTTP_FRAMING_REFUSED) {
            text_append_format(&outcome.text, "!%d", framing.refusal.status);
            outcome.answers++;
            break;
        }
        add_request(&outcome, &framing);
        if (http_framing_closes(&framing))
            break;
        http_framing_reset(&framing);
    }
    http_framing_reset(&framing);
    return outcome;
}

static void check_same(const struct outcome *a, const struct outcome *b, const char *what)
{
    fuzz_check(a->text.length == b->text.length &&
                   (a->text.length == 0 || memcmp(a->text.data, b->text.data, a->text.length) == 0),
               "%s:\n%s\nand not\n%s", what, text_string(&b->text), text_string(&a->text));
}

static void check_cuts(const char *bytes, size_t size, uint32_t seed, const struct outcome *outcome)
{
    struct outcome cut = frame(bytes, size, seed, HEADER_MAX);

    check_same(outcome, &cut, "cut, it is read as");
    text_free(&cut.text);
}

/* The text that is written for evhttp can be read in one way only. */
static void check_again(const struct outcome *outcome)
{
    /* It may have become longer, by a space for each header. */
    struct outcome again =
        frame(text_string(&outcome->text), outcome->text.length, 0, 2 * HEADER_MAX);

    if (!memchr(text_string(&outcome->text), '!', outcome->text.length)) {
        check_same(outcome, &again, "what was written is read as");
        fuzz_check(outcome->requests == again.requests, "%zu requests become %zu",
                   outcome->requests, again.requests);
    }
    text_free(&again.text);
}

/* With a server ----------------------------------------------------------- */

static struct {
    struct loop *loop;
    struct loop_timer *late;
    struct http_server *server;
    int listener;
    /* Of one input. */
    const struct text *expected; /* requests, of which so much has come */
    size_t at;
    size_t requests;
    size_t answers;
    struct text answer;
} run;

static bool takes(const char *text, size_t size)
{
    const struct text *expected = run.expected;

    if (expected->length - run.at < size || memcmp(expected->data + run.at, text, size) != 0)
        return false;
    run.at += size;
    return true;
}

/* Compares a request with the next that was written. */
static void handle(struct http_request *request, void *arg _unused_)
{
    static const char *const methods[] = {
        [HTTP_METHOD_GET] = "GET ", [HTTP_METHOD_HEAD] = "HEAD ", [HTTP_METHOD_POST] = "POST "};
    const struct http_response response = {.status = 200};
    enum http_method method = http_request_method(request);
    const char *host = http_request_header(request, "Host"), *path = http_request_path(request);
    const char *head = run.expected->data + run.at, *end;
    size_t size;
    const void *body = http_request_body(request, &size);

    fuzz_check(run.at < run.expected->length, "there is a request too many: %s", path);
    end = strstr(head, "\r\n\r\n");
    fuzz_check(end, "no request was written");
    if (method != HTTP_METHOD_OTHER)
        fuzz_check(takes(methods[method], strlen(methods[method])), "a %snot of %s",
                   methods[method], head);
    if (!memchr(head, '%', (size_t)(end - head)) && method != HTTP_METHOD_OTHER)
        fuzz_check(takes(path, strlen(path)), "%s is the path of %s", path, head);
    if (host) {
        const char *written = strstr(head, "\r\nHost: ");

        fuzz_check(written && written < end && strncmp(written + 8, host, strlen(host)) == 0,
                   "%s is the host of %s", host, head);
    }
    run.at = (size_t)(end + 4 - run.expected->data);
    fuzz_check(takes(body, size), "%zu bytes are not the body of %s", size, head);
    run.requests++;
    http_respond(request, &response);
}

static void client_reads(int fd, unsigned events _unused_, void *arg _unused_)
{
    char bytes[4096];
    ssize_t size = read(fd, bytes, sizeof(bytes));

    if (size > 0)
        text_append_bytes(&run.answer, bytes, (size_t)size);
    else if (size == 0 || errno != EAGAIN)
        loop_stop(run.loop);
}

static void too_late(void *arg _unused_)
{
    fuzz_check(false, "the connection does not end");
}

static void make_server(void)
{
    struct http_options options = {
        .connections_max = 4,
        .header_max = HEADER_MAX,
        .body_max = BODY_MAX,
        .request_timeout = PATIENCE,
        .write_timeout = PATIENCE,
        .idle_timeout = PATIENCE,
        .handler = handle,
    };
    /* A name that the kernel chooses and that is in no directory. */
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    run.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    fuzz_check(run.listener >= 0 &&
                   bind(run.listener, (struct sockaddr *)&address, sizeof(address.sun_family)) ==
                       0 &&
                   listen(run.listener, 16) == 0,
               "cannot listen");
    fuzz_check(loop_create(&run.loop) == 0 &&
                   http_server_create(run.loop, &options, &run.server) == 0 &&
                   http_server_add_listener(run.server, run.listener) == 0 &&
                   loop_timer_create(run.loop, too_late, NULL, &run.late) == 0,
               "no server");
}

static int connect_to_server(void)
{
    struct sockaddr_un address;
    socklen_t length = sizeof(address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fuzz_check(fd >= 0 && getsockname(run.listener, (struct sockaddr *)&address, &length) == 0 &&
                   connect(fd, (struct sockaddr *)&address, length) == 0,
               "cannot connect");
    fd_set_nonblock(fd, true);
    return fd;
}

static size_t count(const char *text, const char *word)
{
    size_t found = 0;

    for (text = strstr(text, word); text; text = strstr(text + 1, word))
        found++;
    return found;
}

static void check_server(const char *bytes, size_t size, const struct outcome *outcome)
{
    struct loop_io *io;
    int fd;

    if (!run.loop)
        make_server();
    run.expected = &outcome->text;
    run.at = run.requests = 0;
    fd = connect_to_server();
    fuzz_check(write_all(fd, bytes, size) == 0, "cannot write");
    shutdown(fd, SHUT_WR);
    fuzz_check(loop_io_create(run.loop, fd, LOOP_READ, client_reads, NULL, &io) == 0, "no loop");
    loop_timer_arm(run.late, PATIENCE);
    loop_run(run.loop);
    loop_timer_disarm(run.late);
    loop_io_destroy(io);
    close(fd);
    fuzz_check(run.requests == outcome->requests, "%zu requests of %zu have come", run.requests,
               outcome->requests);
    /* Every answer has this once, and no body. */
    fuzz_check(count(text_string(&run.answer), "\r\nX-Content-Type-Options: ") == outcome->answers,
               "%zu answers are not %s", outcome->answers, text_string(&run.answer));
    text_free(&run.answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome outcome;
    char *bytes;
    uint16_t seed;

    if (size < sizeof(seed) || size > INPUT_MAX)
        return 0;
    size -= sizeof(seed);
    memcpy(&seed, data + size, sizeof(seed));
    /* Memory of exactly its size, so that a read past its end is seen. */
    bytes = malloc(size > 0 ? size : 1);
    if (!bytes)
        abort();
    if (size > 0)
        memcpy(bytes, data, size);
    outcome = frame(bytes, size, 0, HEADER_MAX);
    check_cuts(bytes, size, 1u + seed, &outcome);
    check_again(&outcome);
    check_server(bytes, size, &outcome);
    text_free(&outcome.text);
    free(bytes);
    return 0;
}
