/* SPDX-License-Identifier: MIT */
/*
 * Encoding and decoding by a table: a type's schema is the list of its fields, so that a message
 * cannot be written one way and read another.
 */
#include "wire/message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macro.h"

enum kind { KIND_END, KIND_U32, KIND_U64, KIND_STRING, KIND_DATA };

struct field {
    enum kind kind;
    size_t offset;
};

#define U32(member)    {KIND_U32, offsetof(struct wire_message, member)}
#define U64(member)    {KIND_U64, offsetof(struct wire_message, member)}
#define STRING(member) {KIND_STRING, offsetof(struct wire_message, member)}
#define DATA           {KIND_DATA, offsetof(struct wire_message, data)}

/* One more than the longest schema, so that each ends with KIND_END. */
#define FIELDS_MAX 10

static const struct schema {
    const char *name;
    struct field fields[FIELDS_MAX];
} schemas[WIRE_TYPE_MAX] = {
    [WIRE_HELLO] = {"HELLO",
                    {U32(version), U32(scoreboard), U32(flags), U64(grace), U64(number),
                     STRING(name), STRING(text)}},
    [WIRE_LIMIT] = {"LIMIT", {STRING(key), STRING(value)}},
    [WIRE_LOAD] = {"LOAD", {U32(module), STRING(name), STRING(path)}},
    [WIRE_OPTION] = {"OPTION",
                     {U32(module), U32(flags), STRING(key), STRING(value), STRING(path),
                      U32(line)}},
    [WIRE_LAST_RUN] = {"LAST_RUN",
                       {U32(module), U32(flags), U32(line), U64(number), U64(deadline), U64(since),
                        STRING(name)}},
    [WIRE_START] = {"START", {U32(module)}},
    [WIRE_CHECK] = {"CHECK", {U32(module)}},
    [WIRE_RELOAD] = {"RELOAD", {U32(module), U64(number), U64(timeout)}},
    [WIRE_STOP] = {"STOP",
                   {U32(module), U32(flags), U64(drain), U64(timeout), U64(grace), STRING(text)}},
    [WIRE_RUN] = {"RUN", {U32(module), U64(request), STRING(name)}},
    [WIRE_SUBMIT] = {"SUBMIT", {U32(module), U64(request), U64(timeout), STRING(name), DATA}},
    [WIRE_EXIT] = {"EXIT", {STRING(text)}},
    [WIRE_TREE] = {"TREE", {U32(module), U64(request)}},
    [WIRE_CLOCK] = {"CLOCK", {U32(module)}},
    [WIRE_GRACE] = {"GRACE", {U64(grace)}},
    [WIRE_STACK] = {"STACK", {U32(module)}},
    [WIRE_FRAME] = {"FRAME", {U32(module), U32(line), U32(flags), U64(number), STRING(path)}},
    [WIRE_OPTION_ERROR] = {"OPTION_ERROR",
                           {U32(module), U32(flags), STRING(key), STRING(value), STRING(path),
                            U32(line), STRING(text)}},
    [WIRE_CHECKED] = {"CHECKED", {U32(module), U32(flags), U32(code)}},
    [WIRE_READY] = {"READY", {U32(module), STRING(text)}},
    [WIRE_FAILED] = {"FAILED", {U32(module), U32(flags), U32(code), STRING(name), STRING(text)}},
    [WIRE_RELOADED] = {"RELOADED", {U32(module), U64(number), U32(code), STRING(text)}},
    [WIRE_DEFERRED] = {"DEFERRED", {U32(module), U64(number), STRING(text)}},
    [WIRE_RELOADING] = {"RELOADING", {U32(module), U64(number)}},
    [WIRE_LOADED] = {"LOADED", {U32(module), U32(flags), U64(device), U64(inode), U64(mtime)}},
    [WIRE_ACCEPTED] = {"ACCEPTED",
                       {U32(module), U32(flags), U64(request), U64(number), U64(since)}},
    [WIRE_RESULT] = {"RESULT",
                     {U32(module), U32(flags), U64(request), U64(number), U32(code), U64(duration),
                      STRING(name), STRING(text)}},
    [WIRE_OVERDUE] = {"OVERDUE",
                      {U32(module), U64(number), U64(duration), STRING(name), STRING(text)}},
    [WIRE_PROGRESS] = {"PROGRESS", {U32(module), STRING(text)}},
    [WIRE_STOPPED] = {"STOPPED", {U32(module), U64(number), U32(code), STRING(text)}},
    [WIRE_BUSY] = {"BUSY", {U32(module), U64(deadline)}},
    [WIRE_NODE] = {"NODE",
                   {U32(module), U64(request), U32(line), U32(code), U64(number), U64(deadline),
                    U64(duration), STRING(name)}},
    [WIRE_SYMBOL] = {"SYMBOL", {U32(module), U32(line), STRING(text)}},
};

/* The begin of every packet. */
struct header {
    uint32_t magic;
    uint32_t type;
};

#define WIRE_MAGIC 0x52565745u

const char *wire_type_name(enum wire_type type)
{
    return type > 0 && type < WIRE_TYPE_MAX ? schemas[type].name : "?";
}

int wire_code(int32_t code)
{
    /* The kernel's own bound of an errno. */
    return code <= 0 && code >= -4095 ? code : -EPROTO;
}

struct cursor {
    unsigned char *position;
    size_t left;
};

static bool put(struct cursor *cursor, const void *bytes, size_t size)
{
    if (size > cursor->left)
        return false;
    if (size > 0)
        memcpy(cursor->position, bytes, size);
    cursor->position += size;
    cursor->left -= size;
    return true;
}

static bool put_string(struct cursor *cursor, const char *string)
{
    string = string ? string : "";
    return put(cursor, string, strlen(string) + 1);
}

static bool put_field(struct cursor *cursor, const struct field *field,
                      const struct wire_message *message)
{
    const char *member = (const char *)message + field->offset;
    uint32_t size = (uint32_t)message->size;

    switch (field->kind) {
    case KIND_U32:
        return put(cursor, member, sizeof(uint32_t));
    case KIND_U64:
        return put(cursor, member, sizeof(uint64_t));
    case KIND_STRING:
        return put_string(cursor, *(const char *const *)(const void *)member);
    case KIND_DATA:
        return put(cursor, &size, sizeof(size)) && put(cursor, message->data, size);
    case KIND_END:
        break;
    }
    return false;
}

int wire_encode(const struct wire_message *message, void *buffer, size_t size)
{
    struct cursor cursor = {buffer, size};
    struct header header = {WIRE_MAGIC, message->type};

    if (message->size > WIRE_JOB_DATA_MAX || !put(&cursor, &header, sizeof(header)))
        return -EMSGSIZE;
    for (const struct field *f = schemas[message->type].fields; f->kind != KIND_END; f++)
        if (!put_field(&cursor, f, message))
            return -EMSGSIZE;
    return (int)(size - cursor.left);
}

static const void *get(struct cursor *cursor, size_t size)
{
    const void *bytes = cursor->position;

    if (size > cursor->left)
        return NULL;
    cursor->position += size;
    cursor->left -= size;
    return bytes;
}

static bool get_copy(struct cursor *cursor, void *target, size_t size)
{
    const void *bytes = get(cursor, size);

    if (bytes)
        memcpy(target, bytes, size);
    return bytes != NULL;
}

static bool get_field(struct cursor *cursor, const struct field *field,
                      struct wire_message *message)
{
    char *member = (char *)message + field->offset;
    const char *string, *end;
    uint32_t size;

    switch (field->kind) {
    case KIND_U32:
        return get_copy(cursor, member, sizeof(uint32_t));
    case KIND_U64:
        return get_copy(cursor, member, sizeof(uint64_t));
    case KIND_STRING:
        string = (const char *)cursor->position;
        end = memchr(string, '\0', cursor->left);
        if (!end)
            return false;
        get(cursor, (size_t)(end - string) + 1);
        memcpy(member, &string, sizeof(string));
        return true;
    case KIND_DATA:
        if (!get_copy(cursor, &size, sizeof(size)) || size > WIRE_JOB_DATA_MAX)
            return false;
        message->size = size;
        message->data = get(cursor, size);
        return message->data != NULL;
    case KIND_END:
        break;
    }
    return false;
}

int wire_decode(const void *packet, size_t size, struct wire_message *ret_message)
{
    /* The cursor is shared with encoding; decoding only reads through it. */
    struct cursor cursor = {(unsigned char *)(uintptr_t)packet, size};
    struct wire_message message = {.name = "", .path = "", .key = "", .value = "", .text = ""};
    struct header header;

    if (!get_copy(&cursor, &header, sizeof(header)) || header.magic != WIRE_MAGIC ||
        header.type == 0 || header.type >= WIRE_TYPE_MAX)
        return -EBADMSG;
    message.type = (enum wire_type)header.type;
    for (const struct field *f = schemas[message.type].fields; f->kind != KIND_END; f++)
        if (!get_field(&cursor, f, &message))
            return -EBADMSG;
    if (cursor.left > 0)
        return -EBADMSG;
    *ret_message = message;
    return 0;
}

int wire_send(int fd, const struct wire_message *message)
{
    unsigned char buffer[WIRE_PACKET_MAX];
    int size = wire_encode(message, buffer, sizeof(buffer));
    ssize_t sent;

    if (size < 0)
        return size;
    do {
        sent = send(fd, buffer, (size_t)size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int wire_receive(int fd, void *buffer, struct wire_message *ret_message)
{
    struct iovec vector = {buffer, WIRE_PACKET_MAX};
    /* Without room for control data the kernel drops descriptors that a peer attached. */
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t size;

    do {
        size = recvmsg(fd, &header, 0);
    } while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno == ECONNRESET ? 0 : -errno;
    /* An empty packet and end-of-file look alike; a peer of ours never sends an empty packet. */
    if (size == 0)
        return 0;
    if (header.msg_flags & MSG_TRUNC)
        return -EBADMSG;
    return wire_decode(buffer, (size_t)size, ret_message) < 0 ? -EBADMSG : 1;
}
