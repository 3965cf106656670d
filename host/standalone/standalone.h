/* SPDX-License-Identifier: MIT */
/* One module alone in the foreground, for its author and for debuggers. */
#ifndef REEVE_HOST_STANDALONE_RUN_H
#define REEVE_HOST_STANDALONE_RUN_H

/* arguments: FILE.so and key=value.... Returns the exit code: 0 after SIGINT or SIGTERM, 1 when the
 * module could not be started or gave up. */
int standalone_run(int count, char **arguments);

#endif
