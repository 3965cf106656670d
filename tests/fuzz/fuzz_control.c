/* SPDX-License-Identifier: MIT */
/*
 * A hostile peer on the control socket, through the real server: bytes of any kind go in at
 * a socket, pass libevent, our limits, the routing, and what serves the request; hosts answer at
 * once. Each connection must end, with answers that are whole, and the daemon must still answer.
 * The last four bytes of an input are the code that hosts answer with.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/fd.h"
#include "daemon/loop/loop.h"
#include "tests/fuzz/world.h"

#define PATIENCE (5 * NSEC_PER_SEC)
/* The bytes that a socket takes at once, before anybody reads. */
#define INPUT_MAX (100 * 1024)

struct talk {
    struct world *world;
    int client;
    int32_t code; /* of the hosts' answers */
    struct text answer;
    bool ended;
};

/* The hosts' side --------------------------------------------------------- */

static void host_answers(int fd, unsigned events _unused_, void *arg)
{
    static unsigned char buffer[WIRE_PACKET_MAX];
    struct talk *talk = arg;
    struct wire_message message, reply;
    int r = wire_receive(fd, buffer, &message);

    if (r == -EAGAIN)
        return;
    fuzz_check(r == 1, "a host was sent what is no message: %d", r);
    /* A reload tells every host of the machine's zone; nothing is answered. */
    if (message.type == WIRE_CLOCK)
        return;
    fuzz_check(message.type == WIRE_RUN || message.type == WIRE_SUBMIT, "a host was sent %s",
               wire_type_name(message.type));
    reply = (struct wire_message){.type = WIRE_ACCEPTED,
                                  .module = message.module,
                                  .request = message.request,
                                  .number = message.request % 2};
    if (talk->code % 2 == 0)
        wire_send(fd, &reply);
    reply.type = WIRE_RESULT;
    reply.code = talk->code;
    reply.duration = talk->code;
    reply.text = message.name;
    wire_send(fd, &reply);
}

/* The peer's side --------------------------------------------------------- */

static void may_end(struct talk *talk)
{
    if (talk->ended && http_server_connections(talk->world->edge.control) == 0)
        loop_stop(talk->world->loop);
}

static void client_reads(int fd, unsigned events _unused_, void *arg)
{
    struct talk *talk = arg;
    char bytes[4096];
    ssize_t size = read(fd, bytes, sizeof(bytes));

    if (size > 0) {
        text_append_bytes(&talk->answer, bytes, (size_t)size);
    } else if (size == 0 || errno != EAGAIN) {
        talk->ended = true;
        loop_stop(talk->world->loop);
    }
}

static void too_late(void *arg _unused_)
{
    fuzz_check(false, "the connection does not end");
}

static void tick(void *arg)
{
    may_end(arg);
}

static int connect_to(int listener)
{
    struct sockaddr_un address;
    socklen_t length = sizeof(address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fuzz_check(fd >= 0 && getsockname(listener, (struct sockaddr *)&address, &length) == 0 &&
                   connect(fd, (struct sockaddr *)&address, length) == 0,
               "cannot connect");
    fd_set_nonblock(fd, true);
    return fd;
}

/* A name that the kernel chooses and that is in no directory. */
static int listen_somewhere(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    fuzz_check(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)) == 0 &&
                   listen(fd, 16) == 0,
               "cannot listen");
    return fd;
}

/* One connection; the loop runs until it has ended at both sides. */
static void talk_run(struct talk *talk, const uint8_t *data, size_t size)
{
    struct loop_io *client_io, *host_io[WORLD_HOSTS];
    struct loop_timer *late, *ticker;
    struct loop *loop = talk->world->loop;

    fuzz_check(write_all(talk->client, data, size) == 0, "cannot write");
    shutdown(talk->client, SHUT_WR);
    fuzz_check(loop_io_create(loop, talk->client, LOOP_READ, client_reads, talk, &client_io) == 0 &&
                   loop_timer_create(loop, too_late, talk, &late) == 0 &&
                   loop_timer_create(loop, tick, talk, &ticker) == 0,
               "no loop");
    for (size_t i = 0; i < WORLD_HOSTS; i++)
        fuzz_check(loop_io_create(loop, talk->world->channels[i], LOOP_READ, host_answers, talk,
                                  &host_io[i]) == 0,
                   "no loop");
    loop_timer_arm(late, PATIENCE);
    loop_run(loop);
    loop_io_destroy(client_io);
    /* Our side of the connection has ended: the server's must follow. */
    close(talk->client);
    while (http_server_connections(talk->world->edge.control) > 0) {
        loop_timer_arm(ticker, 0);
        loop_run(loop);
    }
    for (size_t i = 0; i < WORLD_HOSTS; i++)
        loop_io_destroy(host_io[i]);
    loop_timer_destroy(late);
    loop_timer_destroy(ticker);
}

/* Looks at the first answer only: what follows depends on what the peer sent. */
static void check_answer(const char *answer, bool head)
{
    const char *body = strstr(answer, "\r\n\r\n");
    const char *length = strstr(answer, "Content-Length: ");
    const char *type = strstr(answer, "Content-Type: application/json");
    json_error_t error;
    json_t *json;

    fuzz_check(!strstr(answer, "\r\n\r\nout of memory\n"), "memory is not what is out: %.500s",
               answer);
    if (*answer == '\0')
        return;
    fuzz_check(strncmp(answer, "HTTP/", 5) == 0 && body, "no answer: %.200s", answer);
    if (head || !length || length > body || !type || type > body)
        return;
    json = json_loadb(body + 4, strtoul(length + strlen("Content-Length: "), NULL, 10), 0, &error);
    fuzz_check(json, "bad JSON: %s", error.text);
    json_decref(json);
}

static void make_server(struct world *world, struct http_server **ret_server, int *ret_listener)
{
    struct http_options options = {
        .connections_max = 4,
        .header_max = 8 * 1024,
        .body_max = WIRE_JOB_DATA_MAX,
        .request_timeout = PATIENCE,
        .write_timeout = PATIENCE,
        .idle_timeout = PATIENCE,
        .handler = control_serve,
        .arg = &world->edge,
    };

    *ret_listener = listen_somewhere();
    fuzz_check(http_server_create(world->loop, &options, ret_server) == 0 &&
                   http_server_add_listener(*ret_server, *ret_listener) == 0,
               "no server");
    world->edge.http = world->edge.control = *ret_server;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char health[] = "GET /livez HTTP/1.0\r\n\r\n";
    struct talk talk = {0};
    struct world world;
    struct http_server *server;
    int listener;

    if (size < sizeof(talk.code) || size > INPUT_MAX)
        return 0;
    size -= sizeof(talk.code);
    memcpy(&talk.code, data + size, sizeof(talk.code));
    world_init(&world);
    make_server(&world, &server, &listener);
    talk.world = &world;
    talk.client = connect_to(listener);
    talk_run(&talk, data, size);
    check_answer(text_string(&talk.answer), size >= 4 && memcmp(data, "HEAD", 4) == 0);
    text_free(&talk.answer);
    talk = (struct talk){.world = &world, .client = connect_to(listener)};
    talk_run(&talk, (const uint8_t *)health, sizeof(health) - 1);
    fuzz_check(strstr(text_string(&talk.answer), " 200 OK\r\n"), "it does not answer any more");
    text_free(&talk.answer);
    http_server_destroy(server);
    world_finish(&world);
    return 0;
}
