/* SPDX-License-Identifier: MIT */
/*
 * The least that answers HTTP with libevent: a bare evhttp, without limits and deadlines, that
 * gives one body to whatever is asked. `health_evhttp SIZE` prints the port that it chose and
 * serves until it is killed.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static size_t size;
static char *body;

static void answer(struct evhttp_request *request, void *arg)
{
    struct evbuffer *buffer = evbuffer_new();

    (void)arg;
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "application/health+json");
    evbuffer_add_reference(buffer, body, size, NULL, NULL);
    evhttp_send_reply(request, HTTP_OK, NULL, buffer);
    evbuffer_free(buffer);
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = evhttp_new(base);
    struct evhttp_bound_socket *bound =
        http ? evhttp_bind_socket_with_handle(http, "127.0.0.1", 0) : NULL;
    struct sockaddr_in address;
    socklen_t length = sizeof(address);

    size = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    body = size > 0 ? malloc(size) : NULL;
    if (!body || !bound ||
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &length) < 0) {
        fprintf(stderr, "Usage: %s SIZE\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    memset(body, 'x', size);
    evhttp_set_gencb(http, answer, NULL);
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return event_base_dispatch(base) < 0;
}
