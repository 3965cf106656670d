/* SPDX-License-Identifier: MIT */
/* The record of the edge, for its parts. */
#ifndef REEVE_DAEMON_EDGE_EDGE_RECORD_H
#define REEVE_DAEMON_EDGE_EDGE_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/edge/documents.h"

struct http_server;
struct log_ring;
struct loop;
struct loop_timer;
struct refusals;
struct run_history;
struct supervisor;
struct systemd;

/* Live upgrade: what the new program will be, for who asked. */
struct edge_upgrade {
    uint64_t generation; /* 1 is the program that was started first */
    const char *version;
    unsigned kept;     /* hosts that go on as they are */
    unsigned replaced; /* hosts of another wire version */
};

/* code 0: the new program takes over at once; else a negative errno, with why not. */
typedef void (*edge_upgrade_fn)(int code, const char *text, const struct edge_upgrade *upgrade,
                                void *arg);

struct edge {
    struct loop *loop;
    struct supervisor *supervisor;
    struct http_server *http;    /* health and metrics, over TCP */
    struct http_server *control; /* everything, over a unix socket */
    char *control_path;
    bool control_is_lost; /* it is not at its path, and that was said */
    bool control_is_ours; /* else systemd made it, and takes it away */
    struct {
        dev_t device;
        ino_t inode;
    } control_id; /* of the socket at control_path, when it is ours: it alone is removed at the end
                   */
    struct loop_timer *control_timer; /* looks whether it is there */
    struct documents documents;
    struct run_history *history;
    struct systemd *systemd;
    struct log_ring *log_ring;
    struct refusals *refusals;
    struct strings addresses; /* where HTTP really listens */
    void (*upgrade)(edge_upgrade_fn done, void *done_arg, void *arg);
    void *upgrade_arg;
    bool upgrading;
    char upgrade_error[512]; /* why the last one did not happen; "" otherwise */
    unsigned draining;       /* servers that have not finished their drain */
    void (*drained)(void *arg);
    void *drained_arg;
};

/* How long requests under way may take when all else has stopped. */
#define EDGE_DRAIN_TIMEOUT (30 * NSEC_PER_SEC)

#endif
