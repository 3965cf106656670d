/* SPDX-License-Identifier: MIT */
/* A URL, taken apart. */
#ifndef REEVE_MODULES_HTTPCHECK_ADDRESS_H
#define REEVE_MODULES_HTTPCHECK_ADDRESS_H

#include <stdbool.h>

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

/* Takes the value of the option `key` apart. `schemes` are those that may be, ended by NULL.
 * Returns 0, or a negative errno with a text. */
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

/* The text, or a copy in the buffer without its middle: a URL's begin has the host, and its end
 * what tells it from the next; the end of a reason has its proxy. */
const char *shorten(const char *text, char *buffer, size_t size);

#endif
