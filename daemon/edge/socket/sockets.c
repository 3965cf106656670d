/* SPDX-License-Identifier: MIT */
/* Where the edge listens: at addresses of the configuration, or where systemd does for us. */
#include "daemon/edge/socket/sockets.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/control/supervisor.h"
#include "daemon/edge/control/peers.h"
#include "daemon/edge/socket/inherited.h"
#include "daemon/edge/socket/listen.h"
#include "daemon/loop/http.h"
#include "daemon/loop/loop.h"

/* For a control socket that somebody has taken away. */
#define LOOK_AGAIN (60 * NSEC_PER_SEC)

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

/* The control socket's name ----------------------------------------------- */

/* Somebody may clean away what he does not know, and another may take the place: a path is no
 * identity. */
static bool is_in_place(const struct edge *edge)
{
    struct stat status;

    return lstat(edge->control_path, &status) == 0 && status.st_dev == edge->control_id.device &&
           status.st_ino == edge->control_id.inode;
}

int sockets_note_place(struct edge *edge)
{
    struct stat status;

    if (lstat(edge->control_path, &status) < 0)
        return -errno;
    edge->control_id.device = status.st_dev;
    edge->control_id.inode = status.st_ino;
    return 0;
}

void sockets_remove(struct edge *edge)
{
    if (edge->control_path && edge->control_is_ours && is_in_place(edge))
        unlink(edge->control_path);
}

/* It is told once. */
static void listen_anew(struct edge *edge, const struct config *config)
{
    bool told = edge->control_is_lost;
    int fd;

    edge->control_is_lost = true;
    if (!edge->control_is_ours) {
        if (!told)
            log_warning("the control socket %s is gone: systemd made it, and makes it again with "
                        "`systemctl restart` of its socket unit",
                        edge->control_path);
        return;
    }
    if (!told)
        log_warning(
            "the control socket %s is gone, or another took its place: listening there anew",
            edge->control_path);
    fd = told ? listen_unix_quietly(edge->control_path, peer_socket_mode(config))
              : listen_unix(edge->control_path, peer_socket_mode(config));
    if (fd < 0)
        return;
    http_server_remove_listeners(edge->control);
    if (sockets_serve(edge->control, edge->control_path, fd) < 0 || sockets_note_place(edge) < 0)
        return;
    edge->control_is_lost = false;
    log_notice("listening at %s again", edge->control_path);
}

void sockets_look(struct edge *edge)
{
    const struct config *config = supervisor_config(edge->supervisor);
    struct stat status;
    bool there = edge->control_is_ours ? is_in_place(edge) : stat(edge->control_path, &status) == 0;

    if (there) {
        edge->control_is_lost = false;
        sockets_set_mode(edge, config);
    } else if (supervisor_phase(edge->supervisor) < PHASE_DRAINING) {
        listen_anew(edge, config);
    }
}

static void look_again(void *arg)
{
    struct edge *edge = arg;

    if (edge->supervisor)
        sockets_look(edge);
    loop_timer_arm(edge->control_timer, LOOK_AGAIN);
}

int sockets_watch(struct edge *edge)
{
    int r = loop_timer_create(edge->loop, look_again, edge, &edge->control_timer);

    if (r == 0)
        loop_timer_arm(edge->control_timer, LOOK_AGAIN);
    return r;
}

/* Beginning --------------------------------------------------------------- */

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
    if (r == 0 && !edge->control_path)
        r = -ENOMEM;
    return r == 0 ? sockets_note_place(edge) : r;
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
    /* A socket that is not taken over is closed when we end: nothing goes on without it. */
    r = inherited.health_count > 0 ? take_health(edge, config, &inherited)
                                   : bind_health(edge, config);
    if (r == 0)
        r = inherited.control >= 0 ? take_control(edge, config, &inherited)
                                   : bind_control(edge, config);
    for (size_t i = 0; i < edge->addresses.count && r == 0; i++)
        log_notice("health is served at http://%s/health", edge->addresses.items[i]);
    return r;
}
