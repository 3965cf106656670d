/* SPDX-License-Identifier: MIT */
/* The host's end of the control socket. */
#ifndef REEVE_HOST_CONTROL_CONTROL_H
#define REEVE_HOST_CONTROL_CONTROL_H

/* Serves the supervisor until it says EXIT or is gone. Returns the process's exit code. */
int control_serve(void);

#endif
