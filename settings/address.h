/* SPDX-License-Identifier: MIT */
/* Numeric socket addresses: the supervisor never asks a name service. */
#ifndef REEVE_SETTINGS_ADDRESS_H
#define REEVE_SETTINGS_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/* "127.0.0.1:8080", "[::1]:8080", "*:8080" for all of both families. Returns 0 or -EINVAL. */
int address_parse(const char *text, struct address *ret_address);

/* Long enough for any address with brackets and port. */
#define ADDRESS_TEXT_SIZE 64

/* Writes it as address_parse() reads it. Returns buffer. */
char *address_format(const struct address *address, char *buffer, size_t size);

#endif
