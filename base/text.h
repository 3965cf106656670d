/* SPDX-License-Identifier: MIT */
/*
 * Text: a growing buffer, lists of strings, and making foreign bytes printable.
 */
#ifndef REEVE_BASE_TEXT_H
#define REEVE_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

/*
 * A growing text. Zero-initialised it is empty and ready. A failed allocation makes it `failed`:
 * later appends do nothing, and text_finish() returns NULL, so that a caller checks once.
 */
struct text {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
};

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const void *bytes, size_t size);
void text_append_format(struct text *text, const char *format, ...) printf_like(2, 3);
void text_append_vformat(struct text *text, const char *format, va_list args) printf_like(2, 0);
/* The text so far, "" when empty; valid until the next append. */
const char *text_string(const struct text *text);
/* Hands the text over to the caller, who frees it; NULL when an allocation had failed. */
char *text_finish(struct text *text);
void text_free(struct text *text);
#define cleanup_text _cleanup_(text_free)

/* A growing list of strings that it owns; NULL-terminated once it has an item. */
struct strings {
    char **items;
    size_t count;
};

/* Both return 0 or -ENOMEM; the first copies. */
int strings_add(struct strings *strings, const char *string);
int strings_take(struct strings *strings, char *string);
/* Copies of all of another list's. Returns 0 or -ENOMEM, with some of them added. */
int strings_append(struct strings *strings, const struct strings *more);
void strings_free(struct strings *strings);
/* Whether both have the same items in the same order. */
bool strings_equal(const struct strings *a, const struct strings *b);

/* Whether one of them is the string. */
bool strings_have(const struct strings *strings, const char *string);
#define cleanup_strings _cleanup_(strings_free)

/* malloc'd text or NULL when out of memory. */
char *format_new(const char *format, ...) printf_like(1, 2);

/* As strncpy, but always terminated: cuts at size - 1, at a UTF-8 character's border. */
void string_copy(char *target, size_t size, const char *source);

static inline bool string_equal(const char *a, const char *b)
{
    return a == b || (a && b && __builtin_strcmp(a, b) == 0);
}

/* The part of a path behind its last slash; points into it. */
static inline const char *path_name(const char *path)
{
    const char *slash = __builtin_strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The words that go with the number, as in "1 job was", "2 jobs were". */
static inline const char *plural(unsigned long long count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

/* "yes", "true", "on", "1" and their opposites, as in systemd. Returns 0 or -EINVAL. */
int bool_parse(const char *text, bool *ret_value);

/* A whole decimal number with nothing around it. Returns 0, -EINVAL or -ERANGE. */
int integer_parse(const char *text, long long minimum, long long maximum, long long *ret_value);

/*
 * Replaces, in place, each byte of a control character, line break, invisible format character
 * (such as those that reverse the direction of a text, U+202E) or invalid UTF-8 sequence by '?', so
 * that a foreign text cannot forge log lines, break JSON, or show readers another text than is
 * there. The joiners that scripts need (U+200C, U+200D) stay. Tabs become blanks.
 */
void text_sanitise(char *text);

#endif
