#!/bin/sh
# SPDX-License-Identifier: MIT
# evhttp answers a valid chunk extension with 413, keeps a connection open that is to be closed, and takes two slashes for a host.
#
# Guess: a server of libevent that gives a handler a path reads requests as RFC 9112 has them: an extension of a chunk's size is
# passed over (7.1.1), "close" counts wherever it stands in the list of Connection (9.3), and a target that begins with
# a slash is a path (3.2.1).
# Seen with 2.1.13: "2;name=value" is too large (413). After "Connection: upgrade, close" the connection stays open: all of
# the value is compared with "close". Of "//a/b" the handler gets the host "a" and the path "/b".
. "$(dirname "$0")/common.sh"

cat >"$work/server.c" <<'C'
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned short port;

static void handle(struct evhttp_request *request, void *arg)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *host = evhttp_uri_get_host(uri);
    struct evbuffer *body = evbuffer_new();

    (void)arg;
    evbuffer_add_printf(body, "host %s, path %s", host ? host : "none", evhttp_uri_get_path(uri));
    evhttp_send_reply(request, 200, "OK", body);
    evbuffer_free(body);
}

static void *serve(void *base)
{
    event_base_dispatch(base);
    return NULL;
}

/* The status and body of the answer, and whether the server has closed within a second. */
static void ask(const char *request)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval second = {.tv_sec = 1};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char answer[4096] = "";
    size_t size = 0;
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
    connect(fd, (struct sockaddr *)&address, sizeof(address));
    write(fd, request, strlen(request));
    while ((n = read(fd, answer + size, sizeof(answer) - 1 - size)) > 0)
        size += (size_t)n;
    printf("%.3s, %s, %s\n", answer + 9, n == 0 ? "closed" : "open",
           strncmp(answer + 9, "200", 3) == 0 ? strstr(answer, "\r\n\r\n") + 4 : "refused");
    close(fd);
}

int main(void)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = evhttp_new(base);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    pthread_t thread;

    evhttp_set_gencb(http, handle, NULL);
    getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &size);
    port = address.sin_port;
    pthread_create(&thread, NULL, serve, base);
    ask("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;name=value\r\nab\r\n0\r\n\r\n");
    ask("GET /x HTTP/1.1\r\nHost: h\r\nConnection: upgrade, close\r\nUpgrade: x\r\n\r\n");
    ask("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    ask("GET //a/b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    return 0;
}
C

answers() {
    cp "$work/server.c" "$work/root/tmp/"
    inside "$work/root" gcc -w -o /tmp/server /tmp/server.c -levent -lpthread
    inside "$work/root" /tmp/server
}

mkdir -p "$work/root/tmp"
unpack "$work/root" trixie libevent-dev=2.1.13-stable-1~deb13u1 gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5
expect 'libevent 2.1.13' '413, closed, refused
200, open, host none, path /x
200, closed, host none, path /x
200, closed, host a, path /b' answers
