/* SPDX-License-Identifier: MIT */
/* The connections that have to go when there are too many, or few descriptors are left. */
#include "daemon/loop/descriptors.h"
#include "daemon/loop/http_connection_internal.h"
#include "daemon/loop/http_internal.h"

unsigned http_descriptors_kept(void)
{
    size_t share = descriptors_share(), used = 0;
    unsigned reserve = descriptors_reserve();
    const struct http_server *server;

    LIST_FOREACH (server, http_servers(), servers)
        used += MIN(server->connections.count, share);
    return reserve - (unsigned)MIN(used, (size_t)reserve);
}

/* A server that yields leaves enough for a host to start beside it. */
static unsigned what_is_left_to_others(const struct http_server *server)
{
    return server->options.yields ? http_descriptors_kept() + DESCRIPTORS_START + 2
                                  : descriptors_momentary();
}

static bool is_adopting(const struct http_server *server)
{
    return server->connections.held || server->resumption;
}

/* How many have ended or been shut down, and are not yet closed. */
static size_t count_ending(struct http_server *server)
{
    size_t count = http_connections_over(&server->connections);
    struct http_connection *connection;

    LIST_FOREACH (connection, &server->connections.queues[HTTP_CONNECTION_CUT].list, list)
        count += !connection->over;
    return count;
}

bool http_server_is_full(struct http_server *server)
{
    size_t count = server->connections.count, ending;
    unsigned keep;

    if (count >= server->options.connections_max &&
        count - http_connections_over(&server->connections) >= server->options.connections_max)
        return true;
    /* Those that are handed over had their descriptors before. */
    if (is_adopting(server) || count < descriptors_share())
        return false;
    ending = count_ending(server);
    keep = what_is_left_to_others(server);
    return count - ending >= descriptors_share() && descriptors_left(keep) + ending < keep;
}

size_t http_yieldable(void)
{
    const struct http_server *server;
    size_t count = 0, share = descriptors_share();

    LIST_FOREACH (server, http_servers(), servers)
        if (server->options.yields && !is_adopting(server) && server->connections.count > share)
            count += server->connections.count - share;
    return count;
}

size_t http_yield(size_t count)
{
    struct http_server *server;
    size_t all = 0;
    bool ended = false;

    LIST_FOREACH (server, http_servers(), servers) {
        size_t ending = count_ending(server);

        while (server->options.yields && !is_adopting(server) && all + ending < count &&
               server->connections.count - ending > descriptors_share() &&
               http_connections_shed(&server->connections)) {
            ending++;
            ended = true;
        }
        all += ending;
    }
    if (ended)
        descriptors_tell("the idlest clients are disconnected");
    return all;
}

bool http_server_has_room(struct http_server *server)
{
    unsigned keep = http_descriptors_kept() + DESCRIPTORS_START;

    if (!server->options.yields && !is_adopting(server) && descriptors_left(keep) < keep)
        http_yield(1);
    if (!http_server_is_full(server))
        return true;
    if (server->connections.count < server->options.connections_max)
        descriptors_tell("the idlest clients are disconnected");
    return false;
}
