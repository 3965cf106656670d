/* SPDX-License-Identifier: MIT */
/*
 * Plain structures as JSON, by tables of their fields: what a live upgrade hands from one reeved to
 * the next.
 *
 * The two may be of different versions, so fields go by name: one that the reader does not know is
 * passed over, and one that is missing keeps the value that the structure had before (zero,
 * mostly). The meaning of a field must therefore never change; a new meaning is a new name.
 */
#ifndef REEVE_DAEMON_SERIALIZE_FIELDS_H
#define REEVE_DAEMON_SERIALIZE_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum serialize_kind {
    SERIALIZE_BOOL,
    SERIALIZE_INT,  /* a signed integer of `size` bytes */
    SERIALIZE_UINT, /* an unsigned one; above INT64_MAX it stands as the negative number of its bits
                     */
    SERIALIZE_INTS, /* an array of int64_t or uint64_t that fills `size` bytes */
    SERIALIZE_TEXT, /* a char array of `size` bytes; it is written so that it is valid JSON */
    SERIALIZE_STRING, /* a char pointer, allocated; NULL is left out */
};

struct serialize_field {
    const char *name; /* NULL ends a table */
    enum serialize_kind kind;
    size_t offset;
    size_t size;
};

/* The error of a state that cannot be read. */
struct serialize_error {
    char text[256];
};

#define SERIALIZE_MEMBER(kind, type, member, name) \
    {name, kind, offsetof(type, member), sizeof(((type *)0)->member)}
#define SERIALIZE_END {NULL, SERIALIZE_BOOL, 0, 0}

/* An object with the fields of the record; NULL without memory. */
json_t *serialize(const struct serialize_field *fields, const void *record);

/* Reads into the record. Returns 0, -ENOMEM, or -EBADMSG with a sentence of what is wrong in
 * error. */
int deserialize(const json_t *object, const struct serialize_field *fields, void *record,
                struct serialize_error *error);

/* A text as a JSON string, whatever bytes are in it, as in one that was cut within a character:
 * those that it cannot hold become '?'. */
json_t *serialize_text(const char *text);

/* The same for what must come back as it was: serialize_take_bytes() gives an allocated copy, or
 * NULL when it is none (errno EBADMSG) or without memory. */
json_t *serialize_bytes(const char *bytes);
char *serialize_take_bytes(const json_t *value);

#endif
