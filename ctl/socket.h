/* SPDX-License-Identifier: MIT */
/* Where the daemon's control socket is. */
#ifndef REEVE_CTL_SOCKET_H
#define REEVE_CTL_SOCKET_H

#include "ctl/ctl.h"

/* Sets the socket, unless an option has named it, and where its name is from. Returns 0 or an exit
 * code, with the error printed. */
int socket_find(struct ctl *ctl);

#endif
