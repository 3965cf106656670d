/* SPDX-License-Identifier: MIT */
/*
 * evhttp has no function that takes over an accepted socket. So it is made to accept one that we
 * connect to ourselves, over a unix socket without a name, and then the descriptor is made to mean
 * the other connection. For a request that came long ago a request is sent that way first, so that
 * evhttp has one to be answered.
 */
#include "daemon/loop/http_handover.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/loop/http_connection_internal.h"
#include "daemon/loop/http_internal.h"
#include "daemon/loop/internal.h"
#include "daemon/loop/loop.h"

/* Turns of the loop until a connection to ourselves, and a request on it, have arrived: each takes
 * a few. */
#define TURNS_MAX 100

/* Every connection reads, or not, as it is to from now on. */
static void set_held(struct http_server *server, bool held)
{
    struct http_connection *connection;

    server->connections.held = held;
    for (size_t i = 0; i < HTTP_CONNECTION_CUT; i++)
        LIST_FOREACH (connection, &server->connections.queues[i].list, list)
            if (!http_connection_is_over(connection))
                http_connection_resume(connection);
}

void http_server_hold(struct http_server *server)
{
    http_server_stop_accepting(server);
    set_held(server, true);
}

void http_server_release(struct http_server *server)
{
    set_held(server, false);
    loop_timer_arm(server->accept_again, 0);
}

static bool is_empty(const struct http_connection *connection)
{
    return evbuffer_get_length(bufferevent_get_input(connection->filter)) == 0 &&
           evbuffer_get_length(bufferevent_get_input(connection->socket)) == 0 &&
           evbuffer_get_length(bufferevent_get_output(connection->filter)) == 0;
}

static bool can_be_handed_over(const struct http_connection *connection)
{
    if (connection->state == HTTP_CONNECTION_WORKING)
        return connection->movable;
    return connection->state <= HTTP_CONNECTION_IDLE && is_empty(connection);
}

bool http_server_is_quiet(const struct http_server *server)
{
    const struct http_connection *connection;

    for (size_t i = 0; i < HTTP_CONNECTION_CUT; i++)
        LIST_FOREACH (connection, &server->connections.queues[i].list, list)
            if (!http_connection_is_over(connection) && !can_be_handed_over(connection))
                return false;
    return true;
}

void http_request_set_movable(struct http_request *request)
{
    http_connection_set_movable(&request->server->connections, http_request_fd(request), true);
}

void http_request_set_harmless(struct http_request *request)
{
    http_connection_set_movable(&request->server->connections, http_request_fd(request), false);
}

bool http_request_closes(const struct http_request *request)
{
    const char *connection = http_request_header(request, "Connection");
    bool keeps = request->request->major > 1 ||
                 (request->request->major == 1 && request->request->minor > 0);

    if (connection && strcasecmp(connection, "close") == 0)
        return true;
    return !keeps && !(connection && strcasecmp(connection, "keep-alive") == 0);
}

void http_server_each(const struct http_server *server,
                      void (*fn)(int fd, bool listener, void *arg), void *arg)
{
    const struct http_connection *connection;
    const struct listener *listener;

    LIST_FOREACH (listener, &server->listeners, list)
        fn(evconnlistener_get_fd(listener->listener), true, arg);
    for (size_t i = 0; i <= HTTP_CONNECTION_IDLE; i++)
        LIST_FOREACH (connection, &server->connections.queues[i].list, list)
            if (!http_connection_is_over(connection) && can_be_handed_over(connection) &&
                bufferevent_getfd(connection->socket) >= 0)
                fn(bufferevent_getfd(connection->socket), false, arg);
}

void http_server_keep_descriptors(struct http_server *server, bool keep)
{
    const struct http_connection *connection;
    const struct listener *listener;

    LIST_FOREACH (listener, &server->listeners, list)
        (void)fd_set_cloexec(evconnlistener_get_fd(listener->listener), !keep);
    /* A descriptor that is not handed over must not be there after the exec: nobody would own it.
     */
    for (size_t i = 0; i < HTTP_CONNECTION_CUT; i++)
        LIST_FOREACH (connection, &server->connections.queues[i].list, list)
            if (!http_connection_is_over(connection) && can_be_handed_over(connection) &&
                bufferevent_getfd(connection->socket) >= 0)
                (void)fd_set_cloexec(bufferevent_getfd(connection->socket), !keep);
}

/* Adopting ---------------------------------------------------------------- */

/* Listens where nobody else finds it; ret_address is where. */
static int listen_for_ourselves(struct http_server *server, struct sockaddr_un *ret_address,
                                socklen_t *ret_length)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;

    if (fd < 0)
        return -errno;
    *ret_length = sizeof(*ret_address);
    /* The family alone: the kernel chooses an abstract name (unix(7), autobind). */
    if (bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)ret_address, ret_length) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    return http_server_add_listener(server, fd);
}

static int send_request(int fd, const struct http_resumption *resumption)
{
    const char *text = resumption->closes ? "GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"
                                          : "GET / HTTP/1.1\r\nHost:\r\n\r\n";

    return write_all(fd, text, strlen(text));
}

/* Lets evhttp accept the connection, and read the request if there is to be one. Nothing else
 * happens meanwhile: a host's answer would come before whoever waits for it is known, and a signal
 * could stop or replace a program that is not whole yet. */
static int let_it_come(struct http_server *server)
{
    struct event_base *base = loop_event_base(server->loop);
    int r = -EIO;

    loop_suspend(server->loop, true);
    server->connections.newest = NULL;
    for (int i = 0; i < TURNS_MAX && r < 0; i++) {
        struct http_connection *newest = server->connections.newest;

        if (newest && bufferevent_getfd(newest->socket) >= 0 &&
            (!server->resumption || server->resumed))
            r = 0;
        else if (event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE) < 0)
            break;
    }
    loop_suspend(server->loop, false);
    return r;
}

/* From now on the connection's descriptor means what fd does. */
static int exchange(struct http_connection *connection, int fd)
{
    int own = bufferevent_getfd(connection->socket);
    bool watched = event_pending(connection->closed, EV_CLOSED, NULL);

    /* The kernel watches what is open, not its number: it is told before and after. */
    event_del(connection->keeper);
    event_del(connection->closed);
    event_del(connection->writable);
    bufferevent_setfd(connection->socket, -1);
    if (dup3(fd, own, O_CLOEXEC) < 0) {
        bufferevent_setfd(connection->socket, own);
        return -errno;
    }
    bufferevent_setfd(connection->socket, own);
    if (watched)
        event_add(connection->closed, NULL);
    return 0;
}

static int connect_to(const struct sockaddr_un *address, socklen_t length,
                      const struct http_resumption *resumption, int *ret_fd)
{
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0 || connect(fd, (const struct sockaddr *)address, length) < 0)
        return -errno;
    r = resumption ? send_request(fd, resumption) : 0;
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

int http_server_adopt(struct http_server *server, int taken,
                      const struct http_resumption *resumption)
{
    cleanup_close int fd = taken, peer = -1;
    struct sockaddr_un address;
    socklen_t length;
    int r = listen_for_ourselves(server, &address, &length);

    if (r == 0)
        r = connect_to(&address, length, resumption, &peer);
    if (r == 0) {
        server->resumption = resumption;
        server->resumed = false;
        /* Only this one connection comes to life meanwhile. */
        server->connections.held = resumption == NULL;
        r = let_it_come(server);
        server->connections.held = true;
        server->resumption = NULL;
    }
    if (r == 0)
        r = exchange(server->connections.newest, fd);
    http_server_remove_listeners(server);
    return r;
}
