/* SPDX-License-Identifier: MIT */
#include "settings/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static int parse_host(const char *host, in_port_t port, struct address *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&ret_address->storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret_address->storage;

    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        ret_address->length = sizeof(*v4);
        return 0;
    }
    if (inet_pton(AF_INET6, strcmp(host, "*") == 0 ? "::" : host, &v6->sin6_addr) != 1)
        return -EINVAL;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    ret_address->length = sizeof(*v6);
    return 0;
}

int address_parse(const char *text, struct address *ret_address)
{
    const char *colon = strrchr(text, ':');
    char host[ADDRESS_TEXT_SIZE];
    size_t length = colon ? (size_t)(colon - text) : 0;
    long long port;

    *ret_address = (struct address){0};
    if (!colon || integer_parse(colon + 1, 0, 65535, &port) < 0)
        return -EINVAL;
    if (*text == '[' && length > 2 && text[length - 1] == ']') {
        text++;
        length -= 2;
    } else if (memchr(text, ':', length)) {
        /* An IPv6 address needs its brackets, or its end could be taken for a port. */
        return -EINVAL;
    }
    if (length == 0 || length >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    return parse_host(host, (in_port_t)port, ret_address);
}

char *address_format(const struct address *address, char *buffer, size_t size)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->storage.ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(buffer, size, "%s:%u", host, ntohs(v4->sin_port));
    } else {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(buffer, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
    return buffer;
}
