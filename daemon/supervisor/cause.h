/* SPDX-License-Identifier: MIT */
/* Why something was cancelled: a code and a text, handed down the tree to every host and task. */
#ifndef REEVE_SUPERVISOR_CAUSE_H
#define REEVE_SUPERVISOR_CAUSE_H

#define CAUSE_TEXT_SIZE 192

struct cause {
    int code; /* a negative errno; 0: not cancelled */
    char text[CAUSE_TEXT_SIZE];
};

#endif
