/* SPDX-License-Identifier: MIT */
/*
 * Looking names up, for as long as the caller wants to wait.
 *
 * getaddrinfo() cannot be cancelled: with name servers that do not answer it takes ten seconds or
 * more. libcurl runs it on a thread, and waits for that thread at the end of a transfer, whatever
 * its timeout was; with its option for a quick exit it leaves the thread behind, and the next fetch
 * begins another. So names are looked up here, and libcurl gets addresses.
 *
 * Properties: a caller waits no longer than its timeout or its context. Of each name there is at
 * most one lookup, and one thread, at a time: who comes while it goes on waits for the same one.
 *
 * Operation: a lookup is in the list until its thread is done; then it makes its descriptor
 * readable, for ever. It is freed by the last of its thread and its waiters.
 *
 * Safety: the lock protects the list, and `users` and the result of all lookups. The threads belong
 * to the process, and not to a module's section, whose end they may outlive; its code stays loaded.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "modules/httpcheck/httpcheck_resolve.h"

/* A stack counts as memory of the module's, which may be bounded. */
#define STACK_SIZE ((size_t)512 * 1024)

/* So many addresses of a name are tried. */
#define ADDRESSES_MAX 16

struct lookup {
    struct lookup *next;
    char *host;
    unsigned users; /* who waits, and the thread */
    int fd;         /* readable when it is done */
    int failure;    /* of getaddrinfo() */
    int error;      /* and errno, where that is EAI_SYSTEM */
    char *addresses;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lookup *lookups;

/* With the lock. */
static void leave(struct lookup *lookup)
{
    if (--lookup->users > 0)
        return;
    if (lookup->fd >= 0)
        close(lookup->fd);
    free(lookup->addresses);
    free(lookup->host);
    free(lookup);
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];

    return *host == '[' || inet_pton(AF_INET, host, bytes) == 1;
}

/* "192.0.2.1,[2001:db8::1]"; NULL without memory. */
static char *write_addresses(const struct addrinfo *found)
{
    char text[ADDRESSES_MAX * 50] = "", number[NI_MAXHOST];
    size_t used = 0;

    for (int i = 0; found && i < ADDRESSES_MAX; found = found->ai_next) {
        bool is_v6 = found->ai_family == AF_INET6;

        /* libcurl takes none with the name of an interface. */
        if (getnameinfo(found->ai_addr, found->ai_addrlen, number, sizeof(number), NULL, 0,
                        NI_NUMERICHOST) != 0 ||
            strchr(number, '%'))
            continue;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s%s", i > 0 ? "," : "",
                                 is_v6 ? "[" : "", number, is_v6 ? "]" : "");
        i++;
    }
    return strdup(text);
}

static void *look_up(void *arg)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct lookup *lookup = arg, **place;
    struct addrinfo *found = NULL;
    char *addresses = NULL;
    int failure = getaddrinfo(lookup->host, NULL, &hints, &found), error = errno;

    if (failure == 0) {
        addresses = write_addresses(found);
        freeaddrinfo(found);
    }
    pthread_mutex_lock(&lock);
    lookup->failure = failure;
    lookup->error = error;
    lookup->addresses = addresses;
    for (place = &lookups; *place != lookup; place = &(*place)->next)
        ;
    *place = lookup->next;
    eventfd_write(lookup->fd, 1);
    leave(lookup);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* With the lock. Returns 0 or a negative errno. */
static int begin(const char *host, struct lookup **ret_lookup)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    pthread_attr_t attributes;
    pthread_t thread;
    int r;

    if (!lookup)
        return -ENOMEM;
    lookup->users = 1;
    lookup->host = strdup(host);
    lookup->fd = eventfd(0, EFD_CLOEXEC);
    r = lookup->fd < 0 ? -errno : lookup->host ? 0 : -ENOMEM;
    if (r == 0) {
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        r = -pthread_create(&thread, &attributes, look_up, lookup);
        pthread_attr_destroy(&attributes);
    }
    if (r < 0) {
        leave(lookup);
        return r;
    }
    lookup->next = lookups;
    lookups = lookup;
    *ret_lookup = lookup;
    return 0;
}

/* With the lock. Returns 0 or a negative errno. */
static int join(const char *host, struct lookup **ret_lookup)
{
    struct lookup *lookup = lookups;
    int r = 0;

    while (lookup && strcasecmp(lookup->host, host) != 0)
        lookup = lookup->next;
    if (!lookup)
        r = begin(host, &lookup);
    if (r < 0)
        return r;
    lookup->users++;
    *ret_lookup = lookup;
    return 0;
}

/* With the lock; of one that is done. */
static int take_result(const struct lookup *lookup, char **ret_addresses)
{
    if (lookup->failure != 0)
        return rv_fail_text(-EHOSTUNREACH, "the name %s cannot be resolved: %s", lookup->host,
                            lookup->failure == EAI_SYSTEM ? strerror(lookup->error)
                                                          : gai_strerror(lookup->failure));
    *ret_addresses = lookup->addresses ? strdup(lookup->addresses) : NULL;
    if (!*ret_addresses)
        return rv_fail(-ENOMEM, "the name %s", lookup->host);
    return 0;
}

int resolve(struct rv_context *ctx, const char *host, rv_duration timeout, char **ret_addresses)
{
    struct lookup *lookup;
    int r;

    *ret_addresses = NULL;
    if (is_address(host))
        return 0;
    pthread_mutex_lock(&lock);
    r = join(host, &lookup);
    pthread_mutex_unlock(&lock);
    if (r < 0)
        return rv_fail(r, "look up %s", host);
    r = rv_poll(ctx, lookup->fd, POLLIN, timeout);
    pthread_mutex_lock(&lock);
    if (r > 0)
        r = take_result(lookup, ret_addresses);
    else if (r == 0)
        r = rv_fail_text(-ETIME,
                         "the name %s was not resolved in time: no name server answers within %lld "
                         "ms",
                         host, (long long)(timeout / RV_MILLISECOND));
    leave(lookup);
    pthread_mutex_unlock(&lock);
    return r;
}
