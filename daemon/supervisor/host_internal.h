/* SPDX-License-Identifier: MIT */
/* A host's record, for the files that make it up: host.c its life, host_channel.c its socket. */
#ifndef REEVE_SUPERVISOR_HOST_INTERNAL_H
#define REEVE_SUPERVISOR_HOST_INTERNAL_H

#include "base/list.h"
#include "daemon/supervisor/host.h"

struct loop_child;
struct loop_io;
struct loop_timer;
struct output;

struct host {
    struct list all;     /* of this process */
    struct list waiting; /* in the spawner's queue */
    struct loop *loop;
    struct spawner *spawner;
    const struct host_events *events;
    void *arg;
    char *name;
    char *program;
    char *directory;
    bool check_only;
    int64_t grace;

    enum host_state state;
    bool exit_asked;
    char why[512]; /* host_kill()'s text */
    pid_t pid;
    int64_t stopped_at; /* by a signal, since then; 0: it is not */
    struct loop_child *child;
    struct loop_timer *timer; /* HELLO is due, or the grace after EXIT is over */
    const struct scoreboard *board;
    struct output *output;

    int channel;
    struct loop_io *channel_io;
    struct loop_timer *channel_timer; /* ends a pause for want of memory */
    bool paused;
    bool starved;      /* and it was said, and is not yet over */
    struct list queue; /* packets that the socket had no room for */
    size_t queue_count;
};

/* Every host of this process, whoever owns it; linked by `all`. */
struct list *host_all(void);

/* host_channel.c: takes over the supervisor's end of the socketpair. Returns 0 or a negative errno.
 */
int host_channel_open(struct host *host, int fd);
/* Takes in what a dead host had still sent. */
void host_channel_drain(struct host *host);
void host_channel_close(struct host *host);

#endif
