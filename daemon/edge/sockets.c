/* SPDX-License-Identifier: MIT */
/* Where the edge listens: at addresses of the configuration, or where systemd does for us. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/edge/edge_internal.h"

int sockets_serve(struct http_server *server, const char *address, int fd)
{
    int r = http_server_add_listener(server, fd);

    if (r < 0)
        log_error("cannot accept connections at %s: %s", address, strerror(-r));
    return r;
}

void sockets_set_mode(const struct edge *edge, const struct config *config)
{
    mode_t mode = peer_socket_mode(config);
    struct stat status;

    if (stat(edge->control_path, &status) == 0 && (status.st_mode & 0777) == mode)
        return;
    /* One of systemd's may belong to somebody else: then SocketMode= has the last word. */
    if (chmod(edge->control_path, mode) < 0 && (edge->control_is_ours || errno != EPERM))
        log_warning("cannot set the mode of %s: %s", edge->control_path, strerror(errno));
}

static int bind_health(struct edge *edge, const struct config *config)
{
    for (size_t i = 0; i < config->listen.count; i++) {
        int fd = listen_tcp(config->listen.items[i], &edge->addresses);
        int r = fd < 0 ? fd : sockets_serve(edge->http, config->listen.items[i], fd);

        if (r < 0)
            return r;
    }
    return 0;
}

/* Every descriptor is the server's, or closed, when it returns. */
static int take_health(struct edge *edge, const struct config *config,
                       const struct inherited *inherited)
{
    int r = 0;

    for (size_t i = 0; i < inherited->health_count; i++) {
        if (r == 0)
            r = listen_add_address(inherited->health[i], &edge->addresses);
        if (r == 0)
            r = sockets_serve(edge->http, edge->addresses.items[i], inherited->health[i]);
        else
            close(inherited->health[i]);
    }
    for (size_t i = 0; r == 0 && i < config->listen.count; i++)
        if (!strings_have(&edge->addresses, config->listen.items[i]))
            log_warning("listen = %s is not used: systemd passes the sockets for health",
                        config->listen.items[i]);
    return r;
}

static int bind_control(struct edge *edge, const struct config *config)
{
    int fd = listen_unix(config->control, peer_socket_mode(config)), r;

    if (fd < 0)
        return fd;
    edge->control_is_ours = true;
    edge->control_path = strdup(config->control);
    r = sockets_serve(edge->control, config->control, fd);
    return r == 0 && !edge->control_path ? -ENOMEM : r;
}

static int take_control(struct edge *edge, const struct config *config,
                        const struct inherited *inherited)
{
    edge->control_path = inherited->control_path;
    if (strcmp(config->control, edge->control_path) != 0)
        log_warning("control = %s is not used: systemd passes %s; reevectl needs -s",
                    config->control, edge->control_path);
    sockets_set_mode(edge, config);
    return sockets_serve(edge->control, edge->control_path, inherited->control);
}

int sockets_bind(struct edge *edge, const struct config *config)
{
    struct inherited inherited;
    int r = inherited_take(&inherited);

    if (r < 0)
        return r;
    /* What is not taken over is closed when we end: nothing goes on without it. */
    r = inherited.health_count > 0 ? take_health(edge, config, &inherited)
                                   : bind_health(edge, config);
    if (r == 0)
        r = inherited.control >= 0 ? take_control(edge, config, &inherited)
                                   : bind_control(edge, config);
    for (size_t i = 0; i < edge->addresses.count && r == 0; i++)
        log_notice("health is served at http://%s/health", edge->addresses.items[i]);
    return r;
}
