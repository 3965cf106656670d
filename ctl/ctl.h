/* SPDX-License-Identifier: MIT */
/* Shared by the files of reevectl. */
#ifndef REEVE_CTL_CTL_H
#define REEVE_CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

#define CTL_SOCKET "/run/reeve/control"

/* docs/reevectl.md says what each stands for. */
enum {
    CTL_EXIT_FAILURE = 1,
    CTL_EXIT_USAGE = 2,
    CTL_EXIT_UNREACHABLE = 3,
    CTL_EXIT_DENIED = 4,
    CTL_EXIT_UNKNOWN = 5,
};

struct ctl {
    const char *socket;
    const char *socket_from; /* what has named it, for errors; "" */
    bool own;                /* it is that of the system's own daemon */
    const char *config;      /* describe, modules; NULL: reeved's default, if it is there */
    const char *timeout;     /* of a job; NULL: the pool's own */
    bool json;
    bool wait;
    bool no_wait;
    bool plan;
    bool follow;       /* logs */
    const char *lines; /* logs: how many at the most; NULL: all that there are */
    const char *since; /* logs: a duration or a time */
    bool colour;
};

/* A query parameter; a list ends with a NULL name. A name of NULL before the last is skipped. */
struct ctl_parameter {
    const char *name;
    const char *value;
};

/*
 * Sends a request and reads the JSON answer, which is the caller's, NULL after an error. Errors are
 * printed with what to do about them. Returns 0 or an exit code. Blocks until the daemon answers;
 * one that does not even tell its status is given up.
 */
int ctl_request(const struct ctl *ctl, const char *method, const char *path,
                const struct ctl_parameter *parameters, const void *body, size_t size,
                json_t **ret_answer);

/* GET /v1/status by ctl_request(). */
int ctl_get_status(const struct ctl *ctl, json_t **ret_status);

/* The same for requests that take time: while the daemon has not answered, watch is called now and
 * then with its status. */
int ctl_request_watched(const struct ctl *ctl, const char *method, const char *path,
                        const struct ctl_parameter *parameters,
                        void (*watch)(const struct ctl *ctl, const json_t *status, void *arg),
                        void *arg, json_t **ret_answer);

/* Prints the error and where help is. Returns CTL_EXIT_USAGE. */
int ctl_usage_error(const char *format, ...) printf_like(1, 2);

#endif
