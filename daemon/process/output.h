/* SPDX-License-Identifier: MIT */
/*
 * The output of a host: its log lines and the texts that its modules write to stdout and stderr.
 * Lines pass into our log behind a token bucket for each module; what is too much is dropped and
 * counted, never stored.
 */
#ifndef REEVE_DAEMON_PROCESS_OUTPUT_H
#define REEVE_DAEMON_PROCESS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct output;

struct output_events {
    /* Whether a module is one of the host's. NULL: that of its name alone. */
    bool (*owns)(const char *module, void *arg);
    /* Whether there is a module of that name, in whatever host. NULL: none but those of owns(). */
    bool (*exists)(const char *module, void *arg);
    /* A line of LOG_LEVEL_NOTICE or above was passed on. May be NULL. */
    void (*told)(void *arg);
    void *arg;
};

/*
 * Makes a pipe and reads it. A line that begins with "[MODULE" is passed on as it is if owns() says
 * that the module is one of the host's, or if that is the host's label: a module must not put words
 * into another's mouth. Any other gets the host's label before it. *ret_fd is the end for the host,
 * which the caller closes. Returns 0 or a negative errno.
 */
int output_create(struct loop *loop, const char *name, const struct output_events *events,
                  struct output **ret_output, int *ret_fd);

/*
 * The label of lines that are the host's and no module's: its name, or "host NAME" where a module
 * of that name runs in another host, whose lines they would seem to be. Valid until the next call.
 */
const char *output_label(struct output *output);

/*
 * For a live upgrade: the end of the pipe that is read; what has been read of a line that is not
 * yet complete; and an output of both. The lines dropped so far are told by output_tell_dropped().
 * *ret_output owns fd, which is closed on failure. Returns 0 or a negative errno.
 */
int output_fd(const struct output *output);
const char *output_rest(struct output *output);
void output_tell_dropped(struct output *output);
int output_adopt(struct loop *loop, const char *name, const struct output_events *events, int fd,
                 const char *rest, struct output **ret_output);

/* Of a host that has ended, whose pipe is read first: what it has printed last, if that was just
 * now. "" for nothing. */
void output_last_words(struct output *output, char *buffer, size_t size);

/* Reads what is still in the pipe, says what was dropped, and ends. */
void output_destroy(struct output *output);

#endif
