/* SPDX-License-Identifier: MIT */
/*
 * Peers of the control socket are known by what the kernel says of them (SO_PEERCRED,
 * SO_PEERGROUPS), which is how they were when they connected. Root and the daemon's own user may do
 * everything.
 */
#include "daemon/edge/control/peers.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/control/supervisor.h"
#include "daemon/edge/control/refusals.h"
#include "daemon/edge/respond.h"
#include "settings/peers.h"

#define GROUPS_MAX 1024

struct peer {
    struct ucred credentials;
    gid_t groups[GROUPS_MAX];
    size_t group_count;
};

static int read_peer(struct http_request *request, struct peer *ret_peer)
{
    socklen_t size = sizeof(ret_peer->credentials),
              groups_size = sizeof(ret_peer->groups) - sizeof(gid_t);
    int fd = http_request_fd(request);

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ret_peer->credentials, &size) < 0)
        return fd < 0 ? -EBADF : -errno;
    /* With more groups than there is room for, only the own one counts. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret_peer->groups, &groups_size) < 0)
        groups_size = 0;
    ret_peer->group_count = groups_size / sizeof(gid_t);
    ret_peer->groups[ret_peer->group_count++] = ret_peer->credentials.gid;
    return 0;
}

static bool is_named(const struct config_peers *peers, const struct peer *peer)
{
    return peers_have(peers, peer->credentials.uid, peer->groups, peer->group_count);
}

/*
 * No browser connects to a unix socket. Should something between a browser and the socket do it (a
 * proxy that somebody put there for convenience), then the page is not who was let in: a browser
 * says that a page asks in headers that no page can leave out.
 */
static bool comes_from_page(const struct http_request *request)
{
    static const char *const headers[] = {"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode",
                                          "Sec-Fetch-Dest", "Sec-Fetch-User"};

    for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
        if (http_request_header(request, headers[i]))
            return true;
    return false;
}

bool peer_may(struct edge *edge, struct http_request *request, bool change)
{
    const struct config *config = supervisor_config(edge->supervisor);
    struct peer peer;

    if (read_peer(request, &peer) < 0) {
        respond_error(request, 403, -EACCES, "who are you?");
        return false;
    }
    if (comes_from_page(request)) {
        refusals_note(edge->refusals, peer.credentials.uid, peer.credentials.pid,
                      "passes on what a web page in a browser asks for");
        respond_error(request, 403, -EACCES, "the control socket is not for web pages");
        return false;
    }
    if (peer.credentials.uid == 0 || peer.credentials.uid == geteuid() ||
        is_named(&config->control_write, &peer) ||
        (!change && is_named(&config->control_read, &peer)))
        return true;
    refusals_note(edge->refusals, peer.credentials.uid, peer.credentials.pid,
                  change ? "may not change anything" : "may not look");
    respond_error(request, 403, -EACCES,
                  "user %u may not %s: root, the daemon's own user and those of %s in [daemon] may",
                  (unsigned)peer.credentials.uid, change ? "do this" : "look",
                  change ? "control-write" : "control-read and control-write");
    return false;
}

char *peer_describe(struct http_request *request, char *buffer, size_t size)
{
    struct peer peer;

    if (read_peer(request, &peer) < 0)
        snprintf(buffer, size, "somebody");
    else
        snprintf(buffer, size, "pid %d uid %u", (int)peer.credentials.pid,
                 (unsigned)peer.credentials.uid);
    return buffer;
}

mode_t peer_socket_mode(const struct config *config)
{
    return peers_any(&config->control_read) || peers_any(&config->control_write) ? 0666 : 0600;
}
