/* SPDX-License-Identifier: MIT */
#include "daemon/edge/systemd/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/text.h"
#include "daemon/loop/loop.h"

/* A datagram socket does not tell when its peer's queue has room again. */
#define RETRY (100 * NSEC_PER_MSEC)

/* READY of the start, RELOADING and READY of one reload, and STOPPING. */
#define CHANGES_MAX 4

#define LAST_WORDS_PATIENCE 1000

enum change_kind { CHANGE_READY = 1, CHANGE_RELOADING, CHANGE_STOPPING };

struct change {
    enum change_kind kind;
    int64_t usec; /* of RELOADING */
};

struct notify {
    int fd; /* -1: nobody is to be told */
    struct sockaddr_un address;
    socklen_t address_size;
    struct loop_timer *retry;
    struct change changes[CHANGES_MAX];
    size_t change_count;
    int64_t extension; /* until then, on the monotonic clock; 0: none is to be told */
    char status[512];
    bool status_waits;
    bool failing; /* and it was said */
};

/* The socket -------------------------------------------------------------- */

/* Returns false when there is none, or none that we can use. */
static bool find_address(struct sockaddr_un *ret_address, socklen_t *ret_size)
{
    const char *path = secure_getenv("NOTIFY_SOCKET");
    size_t length = path ? strlen(path) : 0;

    if (length == 0)
        return false;
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof(ret_address->sun_path)) {
        log_warning(
            "NOTIFY_SOCKET=%s: only the path of a socket, or the name of an abstract one, can be "
            "used; systemd is told nothing",
            path);
        return false;
    }
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, length);
    /* An abstract name begins with a zero byte and has no end but its length. */
    if (path[0] == '@')
        ret_address->sun_path[0] = '\0';
    *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
    return true;
}

static int open_socket(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Returns false when it was not taken. */
static bool send_text(struct notify *notify, const char *text)
{
    ssize_t r = sendto(notify->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                       (const struct sockaddr *)&notify->address, notify->address_size);

    if (r < 0 && !notify->failing)
        log_warning(
            "systemd does not take its notifications: %s; what matters is kept and tried again",
            strerror(errno));
    else if (r >= 0 && notify->failing)
        log_notice("systemd takes its notifications again");
    notify->failing = r < 0;
    return r >= 0;
}

/* Messages that wait ------------------------------------------------------ */

static bool send_change(struct notify *notify, const struct change *change)
{
    char text[80];

    if (change->kind == CHANGE_RELOADING)
        snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, change->usec);
    else
        snprintf(text, sizeof(text), "%s", change->kind == CHANGE_READY ? "READY=1" : "STOPPING=1");
    return send_text(notify, text);
}

static bool send_extension(struct notify *notify)
{
    char text[80];
    int64_t left = notify->extension - clock_monotonic();

    if (notify->extension == 0 || left <= 0)
        return true;
    /* Up to the next millisecond: what is told at once is what was asked for. */
    left = (left + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
    snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%" PRId64, left * 1000);
    return send_text(notify, text);
}

static bool send_status(struct notify *notify)
{
    char text[sizeof(notify->status) + 8];

    if (!notify->status_waits)
        return true;
    snprintf(text, sizeof(text), "STATUS=%s", notify->status);
    return send_text(notify, text);
}

/* In the order in which they matter; what cannot be told now is tried again. */
static void flush(void *arg)
{
    struct notify *notify = arg;

    if (notify->fd < 0)
        return;
    while (notify->change_count > 0 && send_change(notify, &notify->changes[0])) {
        notify->change_count--;
        memmove(notify->changes, notify->changes + 1, notify->change_count * sizeof(struct change));
    }
    if (notify->change_count == 0 && send_extension(notify)) {
        notify->extension = 0;
        if (send_status(notify))
            notify->status_waits = false;
    }
    if (notify->change_count > 0 || notify->extension != 0 || notify->status_waits)
        loop_timer_arm(notify->retry, RETRY);
}

static void add_change(struct notify *notify, enum change_kind kind, int64_t usec)
{
    struct change *changes = notify->changes;
    size_t count = notify->change_count;

    if (notify->fd < 0)
        return;
    /* A reload of which nothing was told yet is over: the next one says all that there is to say.
     */
    if (kind == CHANGE_RELOADING && count >= 2 && changes[count - 1].kind == CHANGE_READY &&
        changes[count - 2].kind == CHANGE_RELOADING)
        count -= 2;
    if (count < CHANGES_MAX)
        changes[count++] = (struct change){kind, usec};
    notify->change_count = count;
    flush(notify);
}

void notify_ready(struct notify *notify)
{
    add_change(notify, CHANGE_READY, 0);
}

void notify_reloading(struct notify *notify, int64_t now)
{
    add_change(notify, CHANGE_RELOADING, now / NSEC_PER_USEC);
}

void notify_stopping(struct notify *notify)
{
    add_change(notify, CHANGE_STOPPING, 0);
}

void notify_status(struct notify *notify, const char *text)
{
    string_copy(notify->status, sizeof(notify->status), text);
    notify->status_waits = notify->fd >= 0;
    flush(notify);
}

void notify_extend(struct notify *notify, int64_t time)
{
    notify->extension = notify->fd >= 0 ? clock_monotonic() + time : 0;
    flush(notify);
}

void notify_ping(struct notify *notify)
{
    if (notify->fd >= 0)
        send_text(notify, "WATCHDOG=1");
}

/* Life -------------------------------------------------------------------- */

bool notify_is_used(const struct notify *notify)
{
    return notify->fd >= 0;
}

int notify_create(struct loop *loop, struct notify **ret_notify)
{
    struct notify *notify = calloc(1, sizeof(*notify));
    int r;

    if (!notify)
        return -ENOMEM;
    notify->fd = -1;
    r = loop_timer_create(loop, flush, notify, &notify->retry);
    if (r < 0) {
        free(notify);
        return r;
    }
    if (find_address(&notify->address, &notify->address_size)) {
        notify->fd = open_socket();
        if (notify->fd < 0) {
            r = -errno;
            notify_destroy(notify);
            return r;
        }
    }
    *ret_notify = notify;
    return 0;
}

void notify_destroy(struct notify *notify)
{
    if (!notify)
        return;
    loop_timer_destroy(notify->retry);
    if (notify->fd >= 0)
        close(notify->fd);
    free(notify);
}

json_t *notify_save(const struct notify *notify)
{
    json_t *list = json_array();

    for (size_t i = 0; i < notify->change_count; i++)
        if (json_array_append_new(list, json_pack("{s:i, s:I}", "kind", notify->changes[i].kind,
                                                  "usec", (json_int_t)notify->changes[i].usec)) <
            0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

void notify_resume(struct notify *notify, const json_t *state)
{
    for (size_t i = 0; i < json_array_size(state); i++) {
        const json_t *item = json_array_get(state, i);
        json_int_t kind = json_integer_value(json_object_get(item, "kind"));

        if (kind >= CHANGE_READY && kind <= CHANGE_STOPPING)
            add_change(notify, (enum change_kind)kind,
                       json_integer_value(json_object_get(item, "usec")));
    }
}

void notify_last_words(const char *text)
{
    struct sockaddr_un address;
    socklen_t size;
    char line[520];
    cleanup_close int fd = find_address(&address, &size) ? open_socket() : -1;
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

    if (fd < 0)
        return;
    snprintf(line, sizeof(line), "STATUS=%s", text);
    /* Connected, its being writable is about the peer's queue. */
    if (connect(fd, (const struct sockaddr *)&address, size) < 0 ||
        poll(&poll_fd, 1, LAST_WORDS_PATIENCE) <= 0 ||
        send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_warning("cannot tell systemd: %s", strerror(errno));
}
