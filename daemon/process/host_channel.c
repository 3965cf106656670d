/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's end of a host's socket: raw packets under the loop.
 *
 * A host that does not read has its packets queued. Requests are refused when many wait: who asks,
 * or only looks, is to harm nobody. The messages of the supervisor itself are bounded by the
 * configuration, and a host is killed only past far more than that. One that floods us is read at
 * most BATCH packets a turn, so that other hosts and probes get theirs. When the kernel has no
 * memory for a packet, the socket is left alone for a moment: it would stay readable or writable,
 * and the loop would spin.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/fd.h"
#include "base/log.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host_internal.h"
#include "settings/config.h"
#include "wire/message.h"

#define BATCH 64

/* Packets that wait, beyond which no request is added. */
#define REQUESTS_MAX 256

/* The bytes that may wait, beyond which a host is killed: some reloads of large configurations. */
#define QUEUE_MAX ((size_t)64 << 20)

/* From the end of its socket to the end of its process, a core dump included. */
#define CLOSED_GRACE (5 * NSEC_PER_SEC)

/* How long a socket is left alone when the kernel has no memory for its packets. */
#define PAUSE (50 * NSEC_PER_MSEC)

struct packet {
    struct list list;
    size_t size;
    bool secret; /* to be wiped */
    unsigned char data[];
};

static void packet_free(struct packet *packet)
{
    if (packet->secret)
        explicit_bzero(packet->data, packet->size);
    free(packet);
}

static void queue_clear(struct host *host)
{
    struct packet *packet, *next;

    LIST_FOREACH_SAFE (packet, next, &host->queue, list) {
        list_remove(&packet->list);
        packet_free(packet);
    }
    host->queue_count = host->queue_size = 0;
}

static void watch(struct host *host)
{
    /* A host that is ending is not listened to any more, but may still be told to exit. */
    unsigned events = (host->state == HOST_ENDING ? 0 : LOOP_READ) |
                      (list_is_empty(&host->queue) ? 0 : LOOP_WRITE);

    loop_io_watch(host->channel_io, host->paused ? 0 : events);
}

static bool is_for_want_of_memory(int error)
{
    return error == ENOMEM || error == ENOBUFS;
}

static void pause_channel(struct host *host, const char *what, int error)
{
    if (!host->starved)
        log_warning("[%s] cannot %s its socket: %s; trying again", host_label(host), what,
                    strerror(error));
    host->paused = host->starved = true;
    loop_timer_arm(host->channel_timer, PAUSE);
    watch(host);
}

static void write_queue(struct host *host)
{
    struct packet *packet, *next;

    LIST_FOREACH_SAFE (packet, next, &host->queue, list) {
        ssize_t sent = send(host->channel, packet->data, packet->size, MSG_NOSIGNAL);

        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (sent < 0 && is_for_want_of_memory(errno)) {
            pause_channel(host, "write to", errno);
            return;
        }
        /* That the host has closed it shows as end of file in reading, and ends the host there. */
        if (sent < 0 && errno != EPIPE && errno != ECONNRESET) {
            host_kill(host, "its socket cannot be written to: %s", strerror(errno));
            return;
        }
        host->starved = false;
        list_remove(&packet->list);
        host->queue_count--;
        host->queue_size -= packet->size;
        packet_free(packet);
    }
    watch(host);
}

bool host_takes_requests(const struct host *host)
{
    return host->queue_count < REQUESTS_MAX;
}

void host_send(struct host *host, const struct wire_message *message)
{
    static unsigned char buffer[WIRE_PACKET_MAX];
    struct packet *packet;
    int size;

    /* One that is being spawned is there when it has a pid. */
    if ((host->state != HOST_UP && (host->state != HOST_SPAWNING || host->identity.pid == 0)) ||
        host->channel < 0)
        return;
    if (host->foreign && message->type != WIRE_STOP && message->type != WIRE_EXIT)
        return;
    size = wire_encode(message, buffer, sizeof(buffer));
    if (size < 0) {
        host_kill(host, "a %s command is too large to send", wire_type_name(message->type));
        return;
    }
    if (host->queue_size + (size_t)size > QUEUE_MAX) {
        host_kill(host, "it does not read its commands: %zu are waiting", host->queue_count);
        return;
    }
    packet = malloc(sizeof(*packet) + (size_t)size);
    if (!packet) {
        host_kill(host, "there is no memory for its commands");
        return;
    }
    packet->size = (size_t)size;
    packet->secret = message->type == WIRE_OPTION && (message->flags & WIRE_OPTION_CREDENTIAL);
    memcpy(packet->data, buffer, (size_t)size);
    if (packet->secret)
        explicit_bzero(buffer, (size_t)size);
    list_append(&host->queue, &packet->list);
    host->queue_count++;
    host->queue_size += packet->size;
    if (!host->paused)
        write_queue(host);
}

static void send_option(struct host *host, uint32_t slot, const struct config_option *option)
{
    struct wire_message message = {.type = WIRE_OPTION,
                                   .module = slot,
                                   .flags = option->secret ? WIRE_OPTION_CREDENTIAL : 0,
                                   .key = option->key,
                                   .value = option->secret ? option->secret : option->value,
                                   .path = option->file,
                                   .line = option->line};

    host_send(host, &message);
}

void host_send_module(struct host *host, uint32_t slot, const struct config_module *settings)
{
    struct wire_message message = {
        .type = WIRE_LOAD, .module = slot, .name = settings->name, .path = settings->path};

    host_send(host, &message);
    for (size_t i = 0; i < settings->option_count; i++)
        send_option(host, slot, &settings->options[i]);
}

static bool comes_up(const struct wire_message *message)
{
    return message->type >= WIRE_OPTION_ERROR && message->module < SCOREBOARD_MODULES;
}

/* Returns false when there is nothing more to read for now. */
static bool read_one(struct host *host)
{
    static unsigned char buffer[WIRE_PACKET_MAX];
    struct wire_message message;
    int r = wire_receive(host->channel, buffer, &message);

    if (r == -EAGAIN)
        return false;
    /* Another version's messages; that they are taken out lets it go on. */
    if (host->foreign && (r > 0 || r == -EBADMSG))
        return true;
    if (r < 0 && is_for_want_of_memory(-r)) {
        pause_channel(host, "read from", -r);
        return false;
    }
    host->starved = false;
    if (r == 0 || r == -ECONNRESET || r == -EPIPE) {
        /* It is dying: its exit will tell more. One that only closed its end is killed soon. */
        loop_io_watch(host->channel_io, 0);
        if (host->state == HOST_UP || host->state == HOST_SPAWNING) {
            host->state = HOST_ENDING;
            loop_timer_arm(host->timer, CLOSED_GRACE);
        }
        return false;
    }
    if (r < 0) {
        if (r == -EBADMSG)
            host_kill(host, "it sent what is no message");
        else
            host_kill(host, "its socket cannot be read: %s", strerror(-r));
        return false;
    }
    if (message.type == WIRE_HELLO && host->state == HOST_SPAWNING) {
        if (message.version != wire_version || message.scoreboard != scoreboard_version) {
            host_kill(host, "%s speaks wire version %u and scoreboard version %u, not %u and %u",
                      host->program, message.version, message.scoreboard, wire_version,
                      scoreboard_version);
            return false;
        }
        if (message.text[0] != '\0') {
            host->refused = true;
            host_kill(host, "%s", message.text);
            return false;
        }
        host_note_uid(host);
        loop_timer_disarm(host->timer);
        host->state = HOST_UP;
        spawner_is_up(host->spawner, host);
        host->events->up(host, host->arg);
    } else if (host->state == HOST_SPAWNING || !comes_up(&message)) {
        host_kill(host, "it sent an unexpected message %s for module %u",
                  wire_type_name(message.type), message.module);
    } else {
        host->events->message(host, &message, host->arg);
    }
    return true;
}

static void channel_ready(int fd _unused_, unsigned events, void *arg)
{
    struct host *host = arg;

    if (events & LOOP_WRITE)
        write_queue(host);
    if (!(events & LOOP_READ))
        return;
    /* The owner may kill the host meanwhile; it never destroys it from these calls. */
    for (int i = 0; i < BATCH && host->state != HOST_ENDING && read_one(host); i++)
        ;
    if (host->state == HOST_ENDING && host->channel_io)
        watch(host);
}

static void pause_over(void *arg)
{
    struct host *host = arg;

    host->paused = false;
    write_queue(host);
}

void host_channel_drain(struct host *host)
{
    /* Also of one that was being killed: what it had finished before is finished. */
    /* As much as a socket's buffer can hold of the smallest packets, and then some. */
    for (int i = 0; i < 4096 && read_one(host); i++)
        ;
}

int host_channel_open(struct host *host, int fd)
{
    int r;

    host->channel = fd;
    host->paused = host->starved = false;
    r = fd_set_nonblock(fd, true);
    if (r == 0)
        r = loop_timer_create(host->loop, pause_over, host, &host->channel_timer);
    if (r == 0)
        r = loop_io_create(host->loop, fd, LOOP_READ, channel_ready, host, &host->channel_io);
    return r;
}

void host_channel_close(struct host *host)
{
    queue_clear(host);
    if (host->channel < 0)
        return;
    loop_io_destroy(host->channel_io);
    host->channel_io = NULL;
    loop_timer_destroy(host->channel_timer);
    host->channel_timer = NULL;
    close(host->channel);
    host->channel = -1;
}
