/* SPDX-License-Identifier: MIT */
/* Where reeved listens, and whether its control socket is still there. */
#ifndef REEVE_DAEMON_EDGE_SOCKET_SOCKETS_H
#define REEVE_DAEMON_EDGE_SOCKET_SOCKETS_H

#include "daemon/edge/edge_record.h"
#include "settings/config.h"

/* Listens where the configuration or systemd says, and logs where. Returns 0 or a negative
 * errno. */
int sockets_bind(struct edge *edge, const struct config *config);
/* Accepts from a listening socket, which is taken over; failure is logged. */
int sockets_serve(struct http_server *server, const char *address, int fd);
/* The settings of the control socket may have changed; a peer that is connected is asked anew with
 * each request. */
void sockets_set_mode(const struct edge *edge, const struct config *config);
/* Whether the control socket is where it should be, with the mode that it should have: else it is
 * made anew. Called after each reload, and every minute. */
void sockets_look(struct edge *edge);
/* The socket that is at control_path now is ours. Returns 0 or a negative errno. */
int sockets_note_place(struct edge *edge);
/* Takes away the control socket, if what is there is still ours. */
void sockets_remove(struct edge *edge);
/* Begins to look every minute. Returns 0 or -ENOMEM. */
int sockets_watch(struct edge *edge);

#endif
