/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "daemon/loop/http_framing.h"
#include "daemon/loop/http_internal.h"
#include "daemon/loop/internal.h"
#include "daemon/loop/loop.h"

/* How long accepting pauses when descriptors or memory ran out; an ended connection ends the pause.
 */
#define ACCEPT_PAUSE (100 * NSEC_PER_MSEC)

/* Between two lines of the log that accepting has failed. */
#define REFUSALS_TOLD_EVERY (10 * NSEC_PER_SEC)

/* At the end: who has only just connected is about to ask, and was accepted by us, not by whoever
 * follows. */
#define NEW_PATIENCE (200 * NSEC_PER_MSEC)

/* How much longer than it came the head of a request may be when evhttp sees it: by a
 * Content-Length in place of chunks, and a Connection. */
#define HEADER_ADDED_MAX 128

/* evhttp takes the listener's argument for itself, so that an accept error must be traced to its
 * server through this list. Main thread only, as everything here. */
static struct list all_servers = {&all_servers, &all_servers};

struct list *http_servers(void)
{
    return &all_servers;
}

/* Listening --------------------------------------------------------------- */

void http_server_stop_accepting(struct http_server *server)
{
    struct listener *listener;

    LIST_FOREACH (listener, &server->listeners, list)
        evconnlistener_disable(listener->listener);
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_again(void *arg)
{
    struct http_server *server = arg;
    struct listener *listener;

    if (server->draining || server->connections.held)
        return;
    if (server->spare_fd < 0)
        server->spare_fd = open_spare();
    /* The kernel may refuse to watch a listener, too. */
    LIST_FOREACH (listener, &server->listeners, list)
        if (evconnlistener_enable(listener->listener) < 0)
            loop_timer_arm(server->accept_again, ACCEPT_PAUSE);
}

static void finish_drain(void *arg)
{
    struct http_server *server = arg;

    if (server->drained)
        return;
    server->drained = true;
    http_connections_cut(&server->connections, HTTP_CONNECTION_NEW, HTTP_CONNECTION_WRITING);
    server->done(server->done_arg);
}

static void cut_new(void *arg)
{
    struct http_server *server = arg;

    http_connections_cut(&server->connections, HTTP_CONNECTION_NEW, HTTP_CONNECTION_IDLE);
}

static void connection_ended(void *arg)
{
    struct http_server *server = arg;

    if (!server->draining)
        loop_timer_arm(server->accept_again, 0);
    else if (server->connections.count == 0 && !server->drained)
        loop_timer_arm(server->drain_timer, 0);
}

/* evhttp accepted a connection and asks for its bufferevent; NULL makes it use one of its own,
 * which would then have no deadlines, but memory that is out is out for that one too. */
static struct bufferevent *connection_accepted(struct event_base *base _unused_, void *arg)
{
    struct http_server *server = arg;
    struct bufferevent *bufferevent = http_connection_create(&server->connections);

    /* The new one counts already. Accepting goes on when a connection has ended. */
    if (!http_server_has_room(server)) {
        bool ends = http_connections_shed(&server->connections);

        http_server_stop_accepting(server);
        /* Where descriptors are scarce it may be the only one, and silent. */
        if (!ends && server->connections.count < server->options.connections_max)
            loop_timer_arm(server->accept_again, ACCEPT_PAUSE);
    }
    return bufferevent;
}

static struct http_server *find_server(const struct evconnlistener *evlistener)
{
    struct http_server *server;
    struct listener *listener;

    LIST_FOREACH (server, &all_servers, servers)
        LIST_FOREACH (listener, &server->listeners, list)
            if (listener->listener == evlistener)
                return server;
    return NULL;
}

/* The log is not to be filled by who connects while there are no descriptors. */
static void tell_refusal(struct http_server *server, int error)
{
    int64_t now = clock_monotonic();
    char times[48] = "";

    server->refusals++;
    if (server->refusal_told != 0 && now - server->refusal_told < REFUSALS_TOLD_EVERY)
        return;
    if (server->refusals > 1)
        snprintf(times, sizeof(times), ", %u times since this was said", server->refusals);
    log_warning("cannot accept a connection: %s; accepting pauses%s", strerror(error), times);
    server->refusal_told = now;
    server->refusals = 0;
}

static void accept_failed(struct evconnlistener *evlistener, void *arg _unused_)
{
    int error = errno, fd;
    struct http_server *server = find_server(evlistener);

    if (!server)
        return;
    tell_refusal(server, error);
    if ((error == EMFILE || error == ENFILE) && http_yield(1) == 0 && server->spare_fd >= 0) {
        close(server->spare_fd);
        fd = accept4(evconnlistener_get_fd(evlistener), NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            close(fd);
        server->spare_fd = open_spare();
    }
    http_server_stop_accepting(server);
    loop_timer_arm(server->accept_again, ACCEPT_PAUSE);
}

int http_server_add_listener(struct http_server *server, int fd)
{
    struct listener *listener = calloc(1, sizeof(*listener));

    if (!listener) {
        close(fd);
        return -ENOMEM;
    }
    listener->listener = evconnlistener_new(loop_event_base(server->loop), NULL, listener,
                                            LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 0, fd);
    if (!listener->listener) {
        free(listener);
        close(fd);
        return -ENOMEM;
    }
    listener->bound = evhttp_bind_listener(server->http, listener->listener);
    if (!listener->bound) {
        evconnlistener_free(listener->listener);
        free(listener);
        return -ENOMEM;
    }
    evconnlistener_set_error_cb(listener->listener, accept_failed);
    list_append(&server->listeners, &listener->list);
    /* Binding enabled it, and did not say whether that went well. */
    return evconnlistener_enable(listener->listener) < 0 ? -errno : 0;
}

void http_server_remove_listeners(struct http_server *server)
{
    struct listener *listener, *next;

    LIST_FOREACH_SAFE (listener, next, &server->listeners, list) {
        list_remove(&listener->list);
        evhttp_del_accept_socket(server->http, listener->bound);
        free(listener);
    }
}

/* The server -------------------------------------------------------------- */

int http_server_create(struct loop *loop, const struct http_options *options,
                       struct http_server **ret_server)
{
    struct http_server *server = calloc(1, sizeof(*server));

    if (!server)
        return -ENOMEM;
    *server = (struct http_server){.loop = loop, .options = *options, .spare_fd = open_spare()};
    list_append(&all_servers, &server->servers);
    list_init(&server->listeners);
    server->connections.base = loop_event_base(loop);
    server->connections.options = &server->options;
    server->connections.ended = connection_ended;
    server->connections.arg = server;
    server->http = evhttp_new(loop_event_base(loop));
    if (http_connections_init(&server->connections) < 0 || !server->http ||
        loop_timer_create(loop, accept_again, server, &server->accept_again) < 0 ||
        loop_timer_create(loop, cut_new, server, &server->new_timer) < 0 ||
        loop_timer_create(loop, finish_drain, server, &server->drain_timer) < 0) {
        http_server_destroy(server);
        return -ENOMEM;
    }
    evhttp_set_bevcb(server->http, connection_accepted, server);
    evhttp_set_gencb(server->http, http_request_came, server);
    /* A request that passed the framing is within the limits; these only catch an error of ours. */
    evhttp_set_max_headers_size(server->http, (ev_ssize_t)options->header_max + HEADER_ADDED_MAX);
    evhttp_set_max_body_size(server->http, (ev_ssize_t)options->body_max);
    evhttp_set_default_content_type(server->http, NULL);
    /* All that pass the framing, so that the handler can answer 405 where a path is known. */
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                                 EVHTTP_REQ_PATCH);
    *ret_server = server;
    return 0;
}

void http_server_destroy(struct http_server *server)
{
    if (!server)
        return;
    server->draining = server->drained = true;
    http_server_remove_listeners(server);
    /* Answers are written a turn after they were given. */
    event_base_loop(loop_event_base(server->loop), EVLOOP_NONBLOCK | EVLOOP_ONCE);
    if (server->http)
        evhttp_free(server->http);
    /* Bufferevents end in a later turn of the loop; give it that turn. */
    while (server->connections.count > 0 &&
           event_base_loop(loop_event_base(server->loop), EVLOOP_NONBLOCK | EVLOOP_ONCE) == 0)
        ;
    http_connections_finish(&server->connections);
    loop_timer_destroy(server->accept_again);
    loop_timer_destroy(server->drain_timer);
    loop_timer_destroy(server->new_timer);
    if (server->spare_fd >= 0)
        close(server->spare_fd);
    list_remove(&server->servers);
    free(server);
}

void http_server_drain(struct http_server *server, int64_t timeout, void (*done)(void *arg),
                       void *arg)
{
    assert(!server->draining);
    server->draining = true;
    server->done = done;
    server->done_arg = arg;
    http_server_remove_listeners(server);
    http_connections_cut(&server->connections, HTTP_CONNECTION_IDLE, HTTP_CONNECTION_IDLE);
    loop_timer_arm(server->new_timer, NEW_PATIENCE);
    loop_timer_arm(server->drain_timer, server->connections.count == 0 ? 0 : timeout);
}

size_t http_server_working(const struct http_server *server)
{
    const struct list *queue = &server->connections.queues[HTTP_CONNECTION_WORKING].list;
    size_t count = 0;

    for (const struct list *item = queue->next; item != queue; item = item->next)
        count++;
    return count;
}

size_t http_server_connections(const struct http_server *server)
{
    return server->connections.count;
}
