/* SPDX-License-Identifier: MIT */
/* The targets: the options, the addresses that they make, and what came of one fetch. */
#ifndef REEVE_MODULES_HTTPCHECK_TARGET_H
#define REEVE_MODULES_HTTPCHECK_TARGET_H

#include "modules/httpcheck/httpcheck_address.h"

#include <reeve/module.h>

struct target {
    struct address address;
    rv_time not_before; /* of rv_now(): libcurl's own resolver may still be at it until then */
};

struct httpcheck {
    struct rv_list url;
    int64_t expect_status;
    char *expect_body;
    char *username;
    char *password;
    char *token;
    char *proxy;
    char *proxy_password;
    rv_duration timeout;
    int64_t parallel;
    bool follow_redirects;

    /* Made of these by init and reload. */
    struct target *targets;
    size_t count;
    struct address via; /* the proxy; all NULL: there is none, or the environment names it */
    bool environment;
};

/* One fetch and what came of it. */
struct fetch {
    const struct httpcheck *check;
    struct target *target;
    double seconds;
    bool ended;      /* else it was cut, or never begun */
    char error[448]; /* "" when all is well */
};

#endif
