/* SPDX-License-Identifier: MIT */
/* The parts of httpcheck: addresses, names, one fetch, reports, and the module that fetches all. */
#ifndef REEVE_HTTPCHECK_H
#define REEVE_HTTPCHECK_H

#include <curl/curl.h>
#include <reeve/module.h>

/* Addresses (httpcheck_address.c) -------------------------------------------------------------- */

/* A URL, taken apart once. Secrets are in members of their own, so that no text is made of them. */
struct address {
    char *shown;    /* for people */
    char *url;      /* to be fetched: without user, password and fragment */
    char *origin;   /* scheme, host and port: who may get the user and password */
    char *host;     /* as libcurl looks it up */
    char *port;     /* a number */
    bool own_port;  /* which the URL names */
    char *user;     /* NULL: none */
    char *password; /* NULL: none */
    char *query;    /* NULL: none */
};

/* Takes the value of the option `key` apart. `schemes` are those that may be, ended by NULL. Returns 0, or a
 * negative errno with a text. */
int address_parse(const char *key, const char *url, const char *const *schemes,
                  struct address *ret_address);
/* Where a redirect leads. As above. */
int address_follow(const struct address *from, const char *location, struct address *ret_address);
void address_free(struct address *address);
/* Masks this address's password and query in a text, such as an error of libcurl. */
void address_hide(const struct address *address, char *text);
/* Masks one secret; one of less than three characters stays, as it would be found anywhere. */
void hide(char *text, const char *secret);

/* How much of an address a text holds beside what it says of it. */
#define SHOWN_SIZE 128

/* The text, or a copy in the buffer without its middle: a URL's begin has the host, and its end what tells it from the
 * next; the end of a reason has its proxy. */
const char *shorten(const char *text, char *buffer, size_t size);

/* Names (httpcheck_resolve.c) ------------------------------------------------------------------ */

/*
 * Looks a name up. Returns 0 and the addresses, separated by ',', which the caller frees (NULL for a host that is
 * one); the context's code; or -ETIME when the resolver does not answer within the timeout, -EHOSTUNREACH when
 * it does not know the name, or another negative errno, with a text.
 */
int resolve(struct rv_context *ctx, const char *host, rv_duration timeout, char **ret_addresses);

/* The module ----------------------------------------------------------------------------------- */

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

/* Fetches (httpcheck_fetch.c) ------------------------------------------------------------------ */

/* One fetch and what came of it. */
struct fetch {
    const struct httpcheck *check;
    struct target *target;
    double seconds;
    bool ended;      /* else it was cut, or never begun */
    char error[448]; /* "" when all is well */
};

/* An rv_function with a struct fetch. A server that fails its check is a result in the fetch, and the function
 * returns 0. */
int fetch_run(struct rv_context *ctx, void *arg);

/* Reports (httpcheck_report.c) ----------------------------------------------------------------- */

/* Tells what came of the fetches. r: the context's code, of a run that was cut, or 0. Returns 0 when all is well, or a
 * negative errno with a text. */
int report(struct rv_context *ctx, const struct fetch *fetches, size_t count, int r);

#endif
