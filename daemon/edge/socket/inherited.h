/* SPDX-License-Identifier: MIT */
/* The sockets that systemd passes, once in a process's life. */
#ifndef REEVE_DAEMON_EDGE_SOCKET_INHERITED_H
#define REEVE_DAEMON_EDGE_SOCKET_INHERITED_H

#include <stddef.h>

enum { INHERITED_MAX = 32 };
struct inherited {
    size_t health_count;
    int health[INHERITED_MAX];
    int control; /* -1: none */
    char *control_path;
};
/* Takes them; what is not of use is an error, which is logged. Returns 0 or a negative errno. */
int inherited_take(struct inherited *ret_inherited);
/* A descriptor of a listening unix socket; its path, allocated. */
char *inherited_path(int fd);

#endif
