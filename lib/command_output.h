/* SPDX-License-Identifier: MIT */
/*
 * The output of a program, of which so much is kept: the first half of that, and the last. A
 * program that fails says why in its last lines, and what it was about in its first.
 */
#ifndef REEVE_LIB_COMMAND_OUTPUT_H
#define REEVE_LIB_COMMAND_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command_output {
    size_t most;
    char *text; /* terminated */
    size_t size;
    size_t tail;       /* where the second half begins */
    size_t next;       /* where its next byte goes, once it is full */
    uint64_t left_out; /* bytes; above 0 the second half is a ring */
    bool out_of_memory;
};

/* Returns 0 or -ENOMEM. */
int command_output_begin(struct command_output *output, size_t most);
void command_output_add(struct command_output *output, const char *bytes, size_t size);
/* Gives the text away, terminated, with a line in the middle that says how much was left out. */
char *command_output_take(struct command_output *output, size_t *ret_size);
void command_output_free(struct command_output *output);

#endif
