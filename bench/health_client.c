/* SPDX-License-Identifier: MIT */
/*
 * Load for an HTTP server on loopback: `health_client PORT PATH CONNECTIONS COUNT [RATE]`.
 *
 * Each connection is kept and has one request under way. Without a rate the next one goes out when
 * its answer has come: that measures throughput. With one, requests are due at fixed moments,
 * whatever the answers do, and a latency counts from the moment at which its request was due: a
 * server that hangs for a while is not spared the requests of that while.
 *
 * Every answer is checked. Prints {"seconds", "result": answers, "bytes", "p50", "p99", "p999",
 * "max"}, latencies in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "bench/histogram.h"

#define CONNECTIONS_MAX 1024
#define ANSWER_MAX      (256 * 1024)

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct connection {
    int fd;
    bool busy;
    double due;
    size_t have;
    char answer[ANSWER_MAX];
};

static struct client {
    int epoll, timer;
    uint64_t sent, received, count;
    double rate, started;
    size_t bytes;
    size_t request_length;
    char request[512];
    unsigned connection_count;
    struct connection *connections[CONNECTIONS_MAX];
    struct histogram latencies;
} client;

static void fail(const char *what)
{
    fprintf(stderr, "health_client: %s: %s\n", what, errno ? strerror(errno) : "bad answer");
    exit(1);
}

static void open_connection(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct connection *connection = calloc(1, sizeof(*connection));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    int yes = 1;

    if (!connection)
        fail("calloc");
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        fail("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (epoll_ctl(client.epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        fail("epoll_ctl");
    client.connections[client.connection_count++] = connection;
}

static void send_request(struct connection *connection, double due)
{
    connection->busy = true;
    connection->due = due;
    connection->have = 0;
    client.sent++;
    if (send(connection->fd, client.request, client.request_length, MSG_NOSIGNAL) !=
        (ssize_t)client.request_length)
        fail("send");
}

/* Whether the whole answer has come; a wrong one ends the program. */
static bool is_whole(struct connection *connection)
{
    const char *end, *length;
    size_t whole;

    connection->answer[connection->have] = '\0';
    end = strstr(connection->answer, "\r\n\r\n");
    if (!end)
        return false;
    errno = 0;
    length = strstr(connection->answer, "Content-Length: ");
    if (strncmp(connection->answer, "HTTP/1.1 200 ", 13) != 0 || !length || length > end)
        fail("answer");
    whole = (size_t)(end + 4 - connection->answer) + strtoul(length + 16, NULL, 10);
    if (connection->have > whole)
        fail("answer");
    client.bytes = strtoul(length + 16, NULL, 10);
    return connection->have == whole;
}

static void receive(struct connection *connection)
{
    ssize_t n = recv(connection->fd, connection->answer + connection->have,
                     ANSWER_MAX - 1 - connection->have, 0);

    if (n <= 0 || !connection->busy)
        fail("recv");
    connection->have += (size_t)n;
    if (!is_whole(connection))
        return;
    histogram_add(&client.latencies, (uint64_t)((seconds_now() - connection->due) * 1e9));
    connection->busy = false;
    client.received++;
    if (client.rate == 0 && client.sent < client.count)
        send_request(connection, seconds_now());
}

/* Sends what is due on whatever connections are free; what finds none waits, and is late. */
static void send_due(void)
{
    double now = seconds_now(), due = 0;
    struct itimerspec next = {0};

    for (unsigned i = 0; i < client.connection_count && client.sent < client.count; i++) {
        due = client.started + (double)client.sent / client.rate;
        if (due > now)
            break;
        if (!client.connections[i]->busy)
            send_request(client.connections[i], due);
    }
    due = client.started + (double)client.sent / client.rate;
    next.it_value.tv_sec = (time_t)due;
    next.it_value.tv_nsec = (long)((due - (double)next.it_value.tv_sec) * 1e9);
    /* Nothing is free: the next answer brings us here again. */
    if (due > now && client.sent < client.count)
        timerfd_settime(client.timer, TFD_TIMER_ABSTIME, &next, NULL);
}

static void run(void)
{
    struct epoll_event events[64];
    uint64_t expirations;

    while (client.received < client.count) {
        int n = epoll_wait(client.epoll, events, 64, 10000);

        if (n == 0)
            fail("no answer within 10 s");
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                receive(events[i].data.ptr);
            else if (read(client.timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
                fail("timerfd");
        if (client.rate > 0)
            send_due();
    }
}

static void print_result(void)
{
    const struct histogram *h = &client.latencies;

    printf("{\"seconds\": %.9f, \"result\": %" PRIu64 ", \"bytes\": %zu, \"p50\": %.1f, "
           "\"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}\n",
           seconds_now() - client.started, client.received, client.bytes,
           (double)histogram_percentile(h, 0.5) / 1e3, (double)histogram_percentile(h, 0.99) / 1e3,
           (double)histogram_percentile(h, 0.999) / 1e3, (double)h->max / 1e3);
}

int main(int argc, char **argv)
{
    struct epoll_event event = {.events = EPOLLIN};
    unsigned connections = argc > 3 ? (unsigned)atoi(argv[3]) : 0;

    if (argc < 5 || argc > 6 || connections < 1 || connections > CONNECTIONS_MAX) {
        fprintf(stderr, "Usage: %s PORT PATH CONNECTIONS COUNT [RATE]\n", argv[0]);
        return 2;
    }
    client.count = strtoull(argv[4], NULL, 10);
    client.rate = argc == 6 ? strtod(argv[5], NULL) : 0;
    client.request_length =
        (size_t)snprintf(client.request, sizeof(client.request),
                         "GET %.400s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[2]);
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    client.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (client.epoll < 0 || client.timer < 0 ||
        epoll_ctl(client.epoll, EPOLL_CTL_ADD, client.timer, &event) < 0)
        fail("epoll");
    for (unsigned i = 0; i < connections; i++)
        open_connection((unsigned)atoi(argv[1]));
    client.started = seconds_now();
    if (client.rate > 0)
        send_due();
    else
        for (unsigned i = 0; i < connections && client.sent < client.count; i++)
            send_request(client.connections[i], seconds_now());
    run();
    print_result();
    return 0;
}
