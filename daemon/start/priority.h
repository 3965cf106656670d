/* SPDX-License-Identifier: MIT */
/* The supervisor's own place before the processor. */
#ifndef REEVE_DAEMON_PRIORITY_H
#define REEVE_DAEMON_PRIORITY_H

/* Makes the niceness that we were started with count against our hosts too, and lets none of them
 * have it. Where that is not allowed, things stay as they are. */
void priority_claim(void);

#endif
