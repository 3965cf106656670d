/* SPDX-License-Identifier: MIT */
/* All connections of a server: their deadlines, and which one goes when there are too many. */
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/duration.h"
#include "daemon/loop/http_connection_internal.h"

void http_connection_queue_arm(struct http_connection_queue *queue, int64_t ns)
{
    /* Rounded up, so that a deadline has passed when its timer expires. */
    int64_t us = (ns + NSEC_PER_USEC - 1) / NSEC_PER_USEC;
    struct timeval delay = {us / 1000000, us % 1000000};

    evtimer_add(queue->timer, &delay);
}

static void deadline_passed(evutil_socket_t fd _unused_, short what _unused_, void *arg)
{
    struct http_connection_queue *queue = arg;
    struct http_connection *connection, *next;
    int64_t now = clock_monotonic();

    LIST_FOREACH_SAFE (connection, next, &queue->list, list) {
        if (connection->since + queue->timeout > now) {
            http_connection_queue_arm(queue, connection->since + queue->timeout - now);
            return;
        }
        http_connection_cut(connection);
    }
}

/* The one that has been in a state for longest; NULL when there is none. */
static struct http_connection *oldest(struct http_connections *connections,
                                      enum http_connection_state state)
{
    struct http_connection *connection;

    LIST_FOREACH (connection, &connections->queues[state].list, list)
        if (!http_connection_is_over(connection))
            return connection;
    return NULL;
}

/* The one that has been silent for longest. One whose first bytes only have not been read yet is
 * not: where many come, it would go before its turn. */
static struct http_connection *oldest_silent(struct http_connections *connections)
{
    struct http_connection *connection;
    int unread;

    LIST_FOREACH (connection, &connections->queues[HTTP_CONNECTION_NEW].list, list)
        if (!http_connection_is_over(connection) &&
            (ioctl(bufferevent_getfd(connection->socket), FIONREAD, &unread) < 0 || unread == 0))
            return connection;
    return NULL;
}

size_t http_connections_over(struct http_connections *connections)
{
    struct http_connection *connection;
    struct timeval turn;

    event_base_gettimeofday_cached(connections->base, &turn);
    if (evutil_timercmp(&turn, &connections->over_at, ==))
        return connections->over;
    connections->over_at = turn;
    for (size_t i = 0; i < HTTP_CONNECTION_STATES; i++)
        LIST_FOREACH (connection, &connections->queues[i].list, list)
            if (!connection->over && connection != connections->newest &&
                http_connection_is_over(connection)) {
                connection->over = true;
                connections->over++;
            }
    return connections->over;
}

bool http_connections_shed(struct http_connections *connections)
{
    struct http_connection *chosen = oldest_silent(connections);
    struct http_connection *idle = oldest(connections, HTTP_CONNECTION_IDLE);
    struct http_connection *reading = oldest(connections, HTTP_CONNECTION_READING);

    if (!chosen)
        chosen = idle && (!reading || idle->since <= reading->since) ? idle : reading;
    if (!chosen)
        chosen = oldest(connections, HTTP_CONNECTION_WRITING);
    if (!chosen)
        chosen = oldest(connections, HTTP_CONNECTION_NEW);
    if (chosen)
        http_connection_cut(chosen);
    return chosen != NULL;
}

void http_connections_cut(struct http_connections *connections, enum http_connection_state first,
                          enum http_connection_state last)
{
    struct http_connection *connection, *next;

    for (size_t i = first; i <= last; i++)
        LIST_FOREACH_SAFE (connection, next, &connections->queues[i].list, list)
            http_connection_cut(connection);
}

int http_connections_init(struct http_connections *connections)
{
    const struct http_options *options = connections->options;

    connections->queues[HTTP_CONNECTION_NEW].timeout = options->idle_timeout;
    connections->queues[HTTP_CONNECTION_IDLE].timeout = options->idle_timeout;
    connections->queues[HTTP_CONNECTION_READING].timeout = options->request_timeout;
    connections->queues[HTTP_CONNECTION_WRITING].timeout = options->write_timeout;
    for (size_t i = 0; i < HTTP_CONNECTION_STATES; i++)
        list_init(&connections->queues[i].list);
    for (size_t i = 0; i < HTTP_CONNECTION_STATES; i++) {
        struct http_connection_queue *queue = &connections->queues[i];

        queue->timer = evtimer_new(connections->base, deadline_passed, queue);
        if (!queue->timer)
            return -ENOMEM;
    }
    return 0;
}

void http_connections_finish(struct http_connections *connections)
{
    for (size_t i = 0; i < HTTP_CONNECTION_STATES; i++)
        if (connections->queues[i].timer)
            event_free(connections->queues[i].timer);
    free(connections->by_fd);
    connections->by_fd = NULL;
    connections->by_fd_size = 0;
}
