/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "daemon/loop/http_connection_internal.h"

/* The most that is taken of a peer that is not listened to any more. */
#define DISCARDED_MAX ((size_t)256 * 1024)

/* A bufferevent that evhttp has freed lives on until the next turn, and this record with it; it
 * must not be touched any more, or libevent ends it twice. Freeing takes its callbacks away; one
 * that was only just accepted has none yet, and is not to be cut either. */
bool http_connection_is_over(const struct http_connection *connection)
{
    bufferevent_event_cb event_cb;

    bufferevent_getcb(connection->filter, NULL, NULL, &event_cb, NULL);
    return event_cb == NULL;
}

static bool awaits_request(const struct http_connection *connection)
{
    return connection->state <= HTTP_CONNECTION_READING;
}

static bool is_watched(const struct http_connection *connection)
{
    return event_pending(&connection->socket->ev_read, EV_READ, NULL);
}

static bool is_to_be_watched(const struct http_connection *connection)
{
    return awaits_request(connection) && bufferevent_get_enabled(connection->socket) & EV_READ;
}

/* Reads from the socket only while a request is awaited, and until it is whole: a peer that sends
 * ahead for ever must not fill our memory. */
static void choose_reading(struct http_connection *connection)
{
    bool reads = awaits_request(connection) && !http_framing_is_over(&connection->framing);

    /* A request that has begun to come is taken in; the program that follows us takes the others.
     */
    if (connection->connections->held && connection->state != HTTP_CONNECTION_READING)
        reads = false;
    /* The end that was made for it must come through. */
    if (connection->state == HTTP_CONNECTION_CUT)
        return;
    if (reads == !!(bufferevent_get_enabled(connection->socket) & EV_READ))
        return;
    if (reads)
        bufferevent_enable(connection->socket, EV_READ);
    else
        bufferevent_disable(connection->socket, EV_READ);
}

/*
 * evhttp turns reading off and on again for each request, which would be two system calls more. So
 * a second event, that does nothing, watches the same descriptor, and the kernel's watch stays as
 * it is. When something comes all the same while nothing is to be read, it would fire in every
 * turn: then it goes, until a request is awaited again. (It also fires once for what was just
 * read.)
 */
static void keep_watch(struct http_connection *connection)
{
    connection->keeper_fired = false;
    if (connection->fd >= 0 && !event_pending(connection->keeper, EV_READ, NULL))
        event_add(connection->keeper, NULL);
}

static void keeper_fired(evutil_socket_t fd _unused_, short what _unused_, void *arg)
{
    struct http_connection *connection = arg;

    if (connection->keeper_fired && !is_watched(connection))
        event_del(connection->keeper);
    connection->keeper_fired = true;
}

void http_connection_resume(struct http_connection *connection)
{
    choose_reading(connection);
    if (is_to_be_watched(connection))
        keep_watch(connection);
}

static void set_state(struct http_connection *connection, enum http_connection_state state)
{
    struct http_connection_queue *queue = &connection->connections->queues[state];

    connection->state = state;
    connection->since = clock_monotonic();
    list_remove(&connection->list);
    list_append(&queue->list, &connection->list);
    event_del(connection->closed);
    if (queue->timeout > 0 && !evtimer_pending(queue->timer, NULL))
        http_connection_queue_arm(queue, queue->timeout);
    http_connection_resume(connection);
}

void http_connection_cut(struct http_connection *connection)
{
    int fd = bufferevent_getfd(connection->socket);

    if (http_connection_is_over(connection))
        return;
    /* evhttp sees the end of file and takes the connection down by its own rules. Where it would
     * not see it, it is told. */
    if (!is_watched(connection))
        bufferevent_trigger_event(connection->filter, BEV_EVENT_READING | BEV_EVENT_EOF,
                                  BEV_TRIG_DEFER_CALLBACKS);
    set_state(connection, HTTP_CONNECTION_CUT);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
}

static void flush_output(evutil_socket_t fd, short what, void *arg);
static void peer_left(evutil_socket_t fd, short what, void *arg);

static bool remember_fd(struct http_connection *connection)
{
    struct http_connections *connections = connection->connections;
    int fd = bufferevent_getfd(connection->socket);

    if (fd < 0)
        return false;
    if ((size_t)fd >= connections->by_fd_size) {
        size_t size = MAX((size_t)fd + 1, connections->by_fd_size * 2);
        struct http_connection **by_fd =
            reallocarray(connections->by_fd, size, sizeof(struct http_connection *));

        if (!by_fd)
            return false;
        for (size_t i = connections->by_fd_size; i < size; i++)
            by_fd[i] = NULL;
        connections->by_fd = by_fd;
        connections->by_fd_size = size;
    }
    connections->by_fd[fd] = connection;
    connection->fd = fd;
    return event_assign(connection->writable, connections->base, fd, EV_WRITE, flush_output,
                        connection) == 0 &&
           event_assign(connection->closed, connections->base, fd, EV_CLOSED | EV_ET | EV_PERSIST,
                        peer_left, connection) == 0 &&
           event_assign(connection->keeper, connections->base, fd, EV_READ | EV_PERSIST,
                        keeper_fired, connection) == 0;
}

/* Straight to the socket, as the answers to earlier requests have gone. A peer that does not get it
 * sends the body after a while all the same. */
static void send_continue(const struct http_connection *connection)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    (void)send(connection->fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Frames what has come, up to the end of a request. */
static void frame(struct http_connection *connection, struct evbuffer *source)
{
    size_t size = evbuffer_get_length(source);
    const unsigned char *bytes = evbuffer_pullup(source, -1);

    if (bytes)
        evbuffer_drain(source, http_framing_take(&connection->framing, (const char *)bytes, size));
    if (http_framing_may_continue(&connection->framing))
        send_continue(connection);
}

/* Hands evhttp the next request if it has come as a whole, or what stands for one that is refused.
 * Returns whether it has. */
static bool pass_request(struct http_connection *connection, struct evbuffer *source,
                         struct evbuffer *target)
{
    struct http_framing *framing = &connection->framing;
    bool failed;

    if (!awaits_request(connection) || http_framing_is_over(framing))
        return false;
    frame(connection, source);
    if (connection->state < HTTP_CONNECTION_READING && http_framing_has_begun(framing))
        set_state(connection, HTTP_CONNECTION_READING);
    choose_reading(connection);
    if (!http_framing_is_over(framing))
        return false;
    failed = framing->head.text.length == 0 ||
             evbuffer_add(target, framing->head.text.data, framing->head.text.length) < 0 ||
             (framing->state == HTTP_FRAMING_WHOLE && framing->body.length > 0 &&
              evbuffer_add(target, framing->body.data, framing->body.length) < 0);
    http_framing_release(framing);
    if (failed)
        http_connection_cut(connection);
    return !failed;
}

/* evhttp must not see a byte of a connection that we could not find again. */
static enum bufferevent_filter_result bytes_came(struct evbuffer *source, struct evbuffer *target,
                                                 ev_ssize_t limit _unused_,
                                                 enum bufferevent_flush_mode mode _unused_,
                                                 void *arg)
{
    struct http_connection *connection = arg;

    if (connection->fd < 0 && !remember_fd(connection))
        return BEV_ERROR;
    return pass_request(connection, source, target) ? BEV_OK : BEV_NEED_MORE;
}

/*
 * Writes straight to the socket. Were the bytes only passed on to the socket's own bufferevent,
 * evhttp would take them for sent: it would end a connection that is to be closed with its answer
 * still in that buffer, and no deadline could tell whether the peer takes it.
 */
static enum bufferevent_filter_result bytes_go(struct evbuffer *source,
                                               struct evbuffer *target _unused_,
                                               ev_ssize_t limit _unused_,
                                               enum bufferevent_flush_mode mode _unused_, void *arg)
{
    struct http_connection *connection = arg;

    if (connection->fd < 0 || connection->state == HTTP_CONNECTION_CUT)
        return BEV_ERROR;
    if (evbuffer_write(source, connection->fd) < 0 && errno != EAGAIN && errno != EINTR) {
        http_connection_cut(connection);
        return BEV_ERROR;
    }
    if (evbuffer_get_length(source) == 0)
        return BEV_OK;
    event_add(connection->writable, NULL);
    return BEV_NEED_MORE;
}

/*
 * evhttp adds its answer to a bufferevent whose writing it enables only afterwards; a filter of
 * libevent 2.1 takes what is added while it is enabled, and would keep that answer for ever. So
 * every addition is flushed a turn later.
 */
static void output_added(struct evbuffer *buffer _unused_, const struct evbuffer_cb_info *info,
                         void *arg)
{
    struct http_connection *connection = arg;

    if (info->n_added > 0)
        event_active(connection->writable, EV_WRITE, 0);
}

static void flush_output(evutil_socket_t fd _unused_, short what _unused_, void *arg)
{
    struct http_connection *connection = arg;

    if (http_connection_is_over(connection))
        return;
    /* evhttp does not look whether the kernel took the watch. Nobody hears what this peer sends: it
     * had better come again. */
    if (is_to_be_watched(connection) && !is_watched(connection))
        http_connection_cut(connection);
    else
        bufferevent_flush(connection->filter, EV_WRITE, BEV_NORMAL);
}

/* Also after a peer has closed only its half; that one still wants its answer. */
static void peer_left(evutil_socket_t fd, short what _unused_, void *arg)
{
    struct http_connection *connection = arg;
    struct pollfd state = {.fd = fd};

    if (poll(&state, 1, 0) == 1 && state.revents & (POLLHUP | POLLERR))
        http_connection_cut(connection);
}

static void connection_free(struct http_connection *connection)
{
    list_remove(&connection->list);
    http_framing_reset(&connection->framing);
    if (connection->closed)
        event_free(connection->closed);
    if (connection->keeper)
        event_free(connection->keeper);
    if (connection->writable)
        event_free(connection->writable);
    free(connection);
}

static void connection_ended(void *arg)
{
    struct http_connection *connection = arg;
    struct http_connections *connections = connection->connections;

    if (connections->newest == connection)
        connections->newest = NULL;
    if (connection->fd >= 0 && connections->by_fd[connection->fd] == connection)
        connections->by_fd[connection->fd] = NULL;
    connections->count--;
    connections->over -= connection->over;
    connection_free(connection);
    connections->ended(connections->arg);
}

struct bufferevent *http_connection_create(struct http_connections *connections)
{
    struct http_connection *connection = calloc(1, sizeof(*connection));
    struct event_base *base = connections->base;

    if (!connection)
        return NULL;
    *connection = (struct http_connection){.connections = connections, .fd = -1};
    list_init(&connection->list);
    http_framing_init(&connection->framing, connections->options->header_max,
                      connections->options->body_max);
    connection->closed = event_new(base, -1, EV_CLOSED, peer_left, connection);
    connection->keeper = event_new(base, -1, EV_READ, keeper_fired, connection);
    connection->writable = event_new(base, -1, EV_WRITE, flush_output, connection);
    connection->socket = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection->closed && connection->keeper && connection->writable && connection->socket)
        connection->filter =
            bufferevent_filter_new(connection->socket, bytes_came, bytes_go, BEV_OPT_CLOSE_ON_FREE,
                                   connection_ended, connection);
    if (!connection->filter) {
        if (connection->socket)
            bufferevent_free(connection->socket);
        connection_free(connection);
        return NULL;
    }
    connections->count++;
    connections->newest = connection;
    set_state(connection, HTTP_CONNECTION_NEW);
    if (!evbuffer_add_cb(bufferevent_get_output(connection->filter), output_added, connection)) {
        /* Ends the record too; evhttp then uses a bufferevent of its own, or fails. */
        bufferevent_free(connection->filter);
        return NULL;
    }
    /* In the next turn evhttp has begun to read, or could not. */
    event_active(connection->writable, EV_WRITE, 0);
    return connection->filter;
}

static struct http_connection *find(struct http_connections *connections, int fd)
{
    return fd >= 0 && (size_t)fd < connections->by_fd_size ? connections->by_fd[fd] : NULL;
}

const struct http_refusal *http_connection_working(struct http_connections *connections, int fd)
{
    struct http_connection *connection = find(connections, fd);

    if (!connection)
        return NULL;
    if (connection->state != HTTP_CONNECTION_CUT) {
        connection->movable = false;
        set_state(connection, HTTP_CONNECTION_WORKING);
    }
    return connection->framing.state == HTTP_FRAMING_REFUSED ? &connection->framing.refusal : NULL;
}

void http_connection_set_movable(struct http_connections *connections, int fd, bool alone)
{
    struct http_connection *connection = find(connections, fd);

    if (connection && connection->state == HTTP_CONNECTION_WORKING)
        connection->movable =
            !alone || evbuffer_get_length(bufferevent_get_input(connection->socket)) == 0;
}

void http_connection_waiting(struct http_connections *connections, int fd)
{
    struct http_connection *connection = find(connections, fd);

    if (!connection || connection->state != HTTP_CONNECTION_WORKING)
        return;
    /* One descriptor cannot be watched both by level and by edge. */
    event_del(connection->keeper);
    event_add(connection->closed, NULL);
}

void http_connection_writing(struct http_connections *connections, int fd)
{
    struct http_connection *connection = find(connections, fd);

    if (connection && connection->state != HTTP_CONNECTION_CUT)
        set_state(connection, HTTP_CONNECTION_WRITING);
}

/* Much may have come of a request that is refused. To close a socket that has unread bytes resets
 * the connection, and a reset can overtake the answer. */
static void discard_rest(int fd)
{
    char bytes[4096];

    for (size_t i = 0; i < DISCARDED_MAX / sizeof(bytes); i++)
        if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
            return;
}

void http_connection_done(struct http_connections *connections, int fd)
{
    struct http_connection *connection = find(connections, fd);

    if (!connection || connection->state == HTTP_CONNECTION_CUT)
        return;
    /* evhttp ends it now. Bytes behind the request are not looked at. */
    if (http_framing_closes(&connection->framing)) {
        if (connection->framing.state == HTTP_FRAMING_REFUSED)
            discard_rest(fd);
        return;
    }
    http_framing_reset(&connection->framing);
    set_state(connection, HTTP_CONNECTION_IDLE);
    /* Of a pipelining client the next request may be here, as a whole or in part. evhttp finds it
     * when it begins to read again, and takes it in a later turn. */
    pass_request(connection, bufferevent_get_input(connection->socket),
                 bufferevent_get_input(connection->filter));
    event_active(connection->writable, EV_WRITE, 0);
}
