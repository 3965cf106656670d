/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"

static bool text_grow(struct text *text, size_t more)
{
    size_t capacity = text->capacity ? text->capacity : 128;
    char *data;

    while (capacity < text->length + more + 1)
        capacity *= 2;
    data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

/* A document is made of a hundred thousand small pieces, and most of them find room. */
static inline bool text_reserve(struct text *text, size_t more)
{
    if (text->failed)
        return false;
    return text->capacity - text->length > more || text_grow(text, more);
}

void text_append_bytes(struct text *text, const void *bytes, size_t size)
{
    if (size == 0 || !text_reserve(text, size))
        return;
    memcpy(text->data + text->length, bytes, size);
    text->length += size;
    text->data[text->length] = '\0';
}

void text_append(struct text *text, const char *string)
{
    text_append_bytes(text, string, strlen(string));
}

void text_append_vformat(struct text *text, const char *format, va_list args)
{
    size_t room = text->capacity - text->length;
    va_list again;
    int length;

    if (text->failed)
        return;
    va_copy(again, args);
    length = vsnprintf(text->data ? text->data + text->length : NULL, room, format, args);
    if (length >= 0 && (size_t)length >= room && text_reserve(text, (size_t)length))
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
    va_end(again);
    if (length >= 0 && !text->failed)
        text->length += (size_t)length;
}

void text_append_format(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_append_vformat(text, format, args);
    va_end(args);
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}

char *text_finish(struct text *text)
{
    char *data = NULL;

    if (!text->failed && text_reserve(text, 0)) {
        text->data[text->length] = '\0';
        data = TAKE_PTR(text->data);
    }
    text_free(text);
    return data;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

int strings_take(struct strings *strings, char *string)
{
    char **items;

    if (!string)
        return -ENOMEM;
    items = array_grow(strings->items, strings->count + 1, sizeof(*items));
    if (!items) {
        free(string);
        return -ENOMEM;
    }
    items[strings->count++] = string;
    items[strings->count] = NULL;
    strings->items = items;
    return 0;
}

int strings_add(struct strings *strings, const char *string)
{
    return strings_take(strings, strdup(string));
}

void strings_free(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct strings){0};
}

int strings_append(struct strings *strings, const struct strings *more)
{
    int r = 0;

    for (size_t i = 0; i < more->count && r == 0; i++)
        r = strings_add(strings, more->items[i]);
    return r;
}

bool strings_have(const struct strings *strings, const char *string)
{
    for (size_t i = 0; i < strings->count; i++)
        if (strcmp(strings->items[i], string) == 0)
            return true;
    return false;
}

bool strings_equal(const struct strings *a, const struct strings *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

char *format_new(const char *format, ...)
{
    va_list args;
    char *string;
    int r;

    va_start(args, format);
    r = vasprintf(&string, format, args);
    va_end(args);
    return r < 0 ? NULL : string;
}

void string_copy(char *target, size_t size, const char *source)
{
    size_t length = strlen(source);

    if (size == 0)
        return;
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)source[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(target, source, length);
    target[length] = '\0';
}

int bool_parse(const char *text, bool *ret_value)
{
    static const char *const yes[] = {"yes", "true", "on", "1", "y", "t"};
    static const char *const no[] = {"no", "false", "off", "0", "n", "f"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *ret_value = true;
            return 0;
        }
        if (strcasecmp(text, no[i]) == 0) {
            *ret_value = false;
            return 0;
        }
    }
    return -EINVAL;
}

int integer_parse(const char *text, long long minimum, long long maximum, long long *ret_value)
{
    char *end;
    long long value;

    /* strtoll would skip leading blanks and take "+1": neither is a plain number. */
    if (*text != '-' && (*text < '0' || *text > '9'))
        return -EINVAL;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        return -EINVAL;
    if (errno == ERANGE || value < minimum || value > maximum)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

/* The length of the valid UTF-8 character at text, or 0: no overlong forms, surrogates, or values
 * past U+10FFFF, as in the Unicode standard's table 3-7. */
static size_t utf8_length(const unsigned char *text)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t length;

    if (text[0] < 0x80)
        return 1;
    if (text[0] >= 0xC2 && text[0] <= 0xDF) {
        length = 2;
    } else if (text[0] >= 0xE0 && text[0] <= 0xEF) {
        length = 3;
        low = text[0] == 0xE0 ? 0xA0 : 0x80;
        high = text[0] == 0xED ? 0x9F : 0xBF;
    } else if (text[0] >= 0xF0 && text[0] <= 0xF4) {
        length = 4;
        low = text[0] == 0xF0 ? 0x90 : 0x80;
        high = text[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (text[i] < 0x80 || text[i] > 0xBF)
            return 0;
    return length;
}

/* Of a valid character of that many bytes. */
static uint32_t code_point(const unsigned char *text, size_t length)
{
    static const unsigned char first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t value = text[0] & first[length];

    for (size_t i = 1; i < length; i++)
        value = value << 6 | (text[i] & 0x3F);
    return value;
}

/*
 * Characters that no reader sees, or that make a reader see another text than is there: controls,
 * the separators that some programs take for a line's end, and format characters that show nothing.
 * Of Unicode's format characters (category Cf, and what is reserved for more of them) those are
 * left that scripts need to be read: the joiners U+200C and U+200D, Mongolian's vowel separator,
 * the signs of Arabic, Syriac and Kaithi that enclose numbers, and the controls that join
 * hieroglyphs.
 */
static const struct {
    uint32_t first, last;
} unseen[] = {
    {0x00, 0x1F},       {0x7F, 0x9F}, /* C0, delete, C1 */
    {0xAD, 0xAD},                     /* soft hyphen */
    {0x61C, 0x61C},                   /* Arabic letter mark */
    {0x200B, 0x200B},                 /* zero width space */
    {0x200E, 0x200F},                 /* marks of direction */
    {0x2028, 0x202E},                 /* line and paragraph separators; embeddings and overrides */
    {0x2060, 0x206F},   /* word joiner, invisible operators, isolates, deprecated ones */
    {0xFEFF, 0xFEFF},   /* zero width no-break space */
    {0xFFF0, 0xFFFB},   /* interlinear annotations */
    {0x1BCA0, 0x1BCA3}, /* shorthand */
    {0x1D173, 0x1D17A}, /* beams and slurs of music */
    {0xE0000, 0xE00FF}, {0xE01F0, 0xE0FFF}, /* tags; between are selectors of variants */
};

static bool is_unseen(const unsigned char *text, size_t length)
{
    uint32_t value = code_point(text, length);

    for (size_t i = 0; i < ARRAY_SIZE(unseen); i++)
        if (value <= unseen[i].last)
            return value >= unseen[i].first;
    return false;
}

void text_sanitise(char *text)
{
    unsigned char *p = (unsigned char *)text;

    while (*p != '\0') {
        size_t length = utf8_length(p);

        if (*p == '\t')
            *p = ' ';
        else if (length == 0 || is_unseen(p, length))
            memset(p, '?', MAX(length, (size_t)1));
        p += MAX(length, (size_t)1);
    }
}
