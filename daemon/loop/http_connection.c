/* SPDX-License-Identifier: MIT */
#include "daemon/loop/http_connection.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "base/duration.h"

enum state {
    STATE_IDLE,    /* waits for a request's first byte */
    STATE_READING, /* some of a request has come */
    STATE_WORKING, /* the request is whole and waits for its answer */
    STATE_WRITING, /* the peer is to take the answer */
    STATE_CUT,     /* was shut down; evhttp will notice and end it */
};

struct http_connection {
    struct http_connections *connections;
    struct list list;
    struct bufferevent *socket;
    struct bufferevent *filter;
    struct event *timer;
    struct event *writable; /* more of the answer may be written */
    enum state state;
    int fd; /* in by_fd; -1 until the first byte came */
};

/* A bufferevent that evhttp has freed lives on until the next turn, and this record with it; it must
 * not be touched any more, or libevent ends it twice. Freeing takes its callbacks away; one that was
 * only just accepted has none yet, and is not to be cut either. */
static bool is_over(const struct http_connection *connection)
{
    bufferevent_event_cb event_cb;

    bufferevent_getcb(connection->filter, NULL, NULL, &event_cb, NULL);
    return event_cb == NULL;
}

/* evhttp does not look whether reading could be enabled: the kernel may have refused to watch. */
static bool is_deaf(const struct http_connection *connection)
{
    return (connection->state == STATE_IDLE || connection->state == STATE_READING) &&
           !event_pending(&connection->socket->ev_read, EV_READ, NULL);
}

static void connection_cut(struct http_connection *connection)
{
    int fd = bufferevent_getfd(connection->socket);

    if (is_over(connection))
        return;
    /* evhttp sees the end of file and takes the connection down by its own rules. Where it would
     * not see it, it is told. */
    if (is_deaf(connection))
        bufferevent_trigger_event(connection->filter, BEV_EVENT_READING | BEV_EVENT_EOF,
                                  BEV_TRIG_DEFER_CALLBACKS);
    connection->state = STATE_CUT;
    evtimer_del(connection->timer);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
}

static void deadline_passed(evutil_socket_t fd unused, short what unused, void *arg)
{
    connection_cut(arg);
}

static void set_state(struct http_connection *connection, enum state state)
{
    struct http_connections *connections = connection->connections;
    const struct http_options *options = connections->options;
    int64_t ns = 0;

    connection->state = state;
    list_remove(&connection->list);
    list_append(&connections->list, &connection->list);
    switch (state) {
    case STATE_IDLE:
        ns = options->idle_timeout;
        break;
    case STATE_READING:
        ns = options->request_timeout;
        break;
    case STATE_WRITING:
        ns = options->write_timeout;
        break;
    case STATE_WORKING:
    case STATE_CUT:
        break;
    }
    if (ns > 0) {
        struct timeval delay = {ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC};

        evtimer_add(connection->timer, &delay);
    } else {
        evtimer_del(connection->timer);
    }
}

static void flush_output(evutil_socket_t fd, short what, void *arg);

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
                        connection) == 0;
}

/* Passes everything on; evhttp must not see a byte of a connection that we could not find again. */
static enum bufferevent_filter_result bytes_came(struct evbuffer *source, struct evbuffer *target,
                                                 ev_ssize_t limit,
                                                 enum bufferevent_flush_mode mode unused, void *arg)
{
    struct http_connection *connection = arg;

    if (connection->fd < 0 && !remember_fd(connection))
        return BEV_ERROR;
    if (connection->state == STATE_IDLE && evbuffer_get_length(source) > 0)
        set_state(connection, STATE_READING);
    return evbuffer_remove_buffer(source, target, limit > 0 ? (size_t)limit : SIZE_MAX >> 1) < 0
               ? BEV_ERROR
               : BEV_OK;
}

/*
 * Writes straight to the socket. Were the bytes only passed on to the socket's own bufferevent,
 * evhttp would take them for sent: it would end a connection that is to be closed with its answer
 * still in that buffer, and no deadline could tell whether the peer takes it.
 */
static enum bufferevent_filter_result bytes_go(struct evbuffer *source,
                                               struct evbuffer *target unused,
                                               ev_ssize_t limit unused,
                                               enum bufferevent_flush_mode mode unused, void *arg)
{
    struct http_connection *connection = arg;

    if (connection->fd < 0 || connection->state == STATE_CUT)
        return BEV_ERROR;
    if (evbuffer_write(source, connection->fd) < 0 && errno != EAGAIN && errno != EINTR) {
        connection_cut(connection);
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
static void output_added(struct evbuffer *buffer unused, const struct evbuffer_cb_info *info,
                         void *arg)
{
    struct http_connection *connection = arg;

    if (info->n_added > 0)
        event_active(connection->writable, EV_WRITE, 0);
}

static void flush_output(evutil_socket_t fd unused, short what unused, void *arg)
{
    struct http_connection *connection = arg;

    if (is_over(connection))
        return;
    /* Nobody hears what the peer sends: it had better come again. */
    if (connection->state == STATE_IDLE && is_deaf(connection))
        connection_cut(connection);
    else
        bufferevent_flush(connection->filter, EV_WRITE, BEV_NORMAL);
}

static void connection_free(struct http_connection *connection)
{
    list_remove(&connection->list);
    if (connection->timer)
        event_free(connection->timer);
    if (connection->writable)
        event_free(connection->writable);
    free(connection);
}

static void connection_ended(void *arg)
{
    struct http_connection *connection = arg;
    struct http_connections *connections = connection->connections;

    if (connection->fd >= 0 && connections->by_fd[connection->fd] == connection)
        connections->by_fd[connection->fd] = NULL;
    connection_free(connection);
    connections->count--;
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
    connection->timer = evtimer_new(base, deadline_passed, connection);
    connection->writable = event_new(base, -1, EV_WRITE, flush_output, connection);
    connection->socket = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection->timer && connection->writable && connection->socket)
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
    set_state(connection, STATE_IDLE);
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

void http_connection_working(struct http_connections *connections, int fd)
{
    struct http_connection *connection = find(connections, fd);

    if (connection && connection->state != STATE_CUT)
        set_state(connection, STATE_WORKING);
}

void http_connection_writing(struct http_connections *connections, int fd)
{
    struct http_connection *connection = find(connections, fd);

    if (connection && connection->state != STATE_CUT)
        set_state(connection, STATE_WRITING);
}

void http_connection_done(struct http_connections *connections, int fd)
{
    struct http_connection *connection = find(connections, fd);

    /* What a pipelining client sent ahead passed the filter long ago: evhttp parses it next, and if
     * it is not whole, its rest finds the connection reading. */
    if (connection && connection->state != STATE_CUT) {
        set_state(connection, STATE_IDLE);
        event_active(connection->writable, EV_WRITE, 0);
    }
}

bool http_connections_shed(struct http_connections *connections)
{
    struct http_connection *connection;

    LIST_FOREACH (connection, &connections->list, list)
        if (connection->state == STATE_IDLE) {
            connection_cut(connection);
            return true;
        }
    return false;
}

void http_connections_cut(struct http_connections *connections, bool idle_only)
{
    struct http_connection *connection;

    LIST_FOREACH (connection, &connections->list, list)
        if (connection->state == STATE_IDLE || (!idle_only && connection->state != STATE_CUT))
            connection_cut(connection);
}

void http_connections_finish(struct http_connections *connections)
{
    free(connections->by_fd);
    connections->by_fd = NULL;
    connections->by_fd_size = 0;
}
