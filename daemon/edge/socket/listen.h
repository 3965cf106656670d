/* SPDX-License-Identifier: MIT */
/* Sockets that listen. */
#ifndef REEVE_DAEMON_EDGE_SOCKET_LISTEN_H
#define REEVE_DAEMON_EDGE_SOCKET_LISTEN_H

#include <sys/types.h>

#include "base/text.h"

/* All return a listening, non-blocking socket or a negative errno, after logging why. */
int listen_tcp(const char *address, struct strings *bound);
int listen_unix(const char *path, mode_t mode);
/* The same without a word. */
int listen_unix_quietly(const char *path, mode_t mode);
/* Adds where a TCP socket listens. Returns 0 or a negative errno. */
int listen_add_address(int fd, struct strings *addresses);

#endif
