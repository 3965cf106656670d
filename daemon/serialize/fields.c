/* SPDX-License-Identifier: MIT */
#include "daemon/serialize/fields.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/shown.h"
#include "base/text.h"

static int64_t load_int(const void *place, size_t size, bool is_signed)
{
    switch (size) {
    case 1:
        return is_signed ? *(const int8_t *)place : *(const uint8_t *)place;
    case 2:
        return is_signed ? *(const int16_t *)place : *(const uint16_t *)place;
    case 4:
        return is_signed ? (int64_t)*(const int32_t *)place : (int64_t)*(const uint32_t *)place;
    default:
        assert(size == 8);
        return *(const int64_t *)place;
    }
}

/* Returns false when the number has no room. */
static bool store_int(void *place, size_t size, bool is_signed, int64_t number)
{
    switch (size) {
    case 1:
        *(int8_t *)place = (int8_t)number;
        break;
    case 2:
        *(int16_t *)place = (int16_t)number;
        break;
    case 4:
        *(int32_t *)place = (int32_t)number;
        break;
    default:
        assert(size == 8);
        *(int64_t *)place = number;
    }
    return load_int(place, size, is_signed) == number;
}

json_t *serialize_text(const char *text)
{
    cleanup_free char *copy = strdup(text);

    if (!copy)
        return NULL;
    text_sanitise_lines(copy);
    return json_string(copy);
}

static const char digits[] = "0123456789abcdef";

json_t *serialize_bytes(const char *bytes)
{
    json_t *text = json_string(bytes);
    size_t length = strlen(bytes);
    cleanup_free char *hex = text ? NULL : malloc(2 * length + 1);

    if (text || !hex)
        return text;
    /* Not UTF-8. */
    for (size_t i = 0; i < length; i++) {
        hex[2 * i] = digits[(unsigned char)bytes[i] / 16];
        hex[2 * i + 1] = digits[(unsigned char)bytes[i] % 16];
    }
    hex[2 * length] = '\0';
    return json_pack("[s]", hex);
}

char *serialize_take_bytes(const json_t *value)
{
    const char *hex = json_string_value(json_array_get(value, 0)), *high, *low;
    size_t length = hex ? strlen(hex) / 2 : 0;
    char *bytes;

    if (json_is_string(value))
        return strdup(json_string_value(value));
    errno = EBADMSG;
    bytes = hex ? calloc(1, length + 1) : NULL;
    for (size_t i = 0; bytes && i < length; i++) {
        high = memchr(digits, hex[2 * i], 16);
        low = memchr(digits, hex[2 * i + 1], 16);
        if (!high || !low || (high == digits && low == digits)) {
            free(bytes);
            errno = EBADMSG;
            return NULL;
        }
        bytes[i] = (char)((high - digits) * 16 + (low - digits));
    }
    return bytes;
}

static json_t *write_ints(const int64_t *numbers, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, json_integer(numbers[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *write_field(const struct serialize_field *field, const void *place)
{
    switch (field->kind) {
    case SERIALIZE_BOOL:
        return json_boolean(*(const bool *)place);
    case SERIALIZE_INT:
        return json_integer(load_int(place, field->size, true));
    case SERIALIZE_UINT:
        return json_integer(load_int(place, field->size, false));
    case SERIALIZE_INTS:
        return write_ints(place, field->size / sizeof(int64_t));
    case SERIALIZE_TEXT:
        return serialize_text(place);
    case SERIALIZE_STRING:
        return serialize_text(*(char *const *)place);
    }
    return NULL;
}

json_t *serialize(const struct serialize_field *fields, const void *record)
{
    json_t *object = json_object();

    for (const struct serialize_field *field = fields; object && field->name; field++) {
        const char *place = (const char *)record + field->offset;

        if (field->kind == SERIALIZE_STRING && !*(char *const *)(const void *)place)
            continue;
        if (json_object_set_new(object, field->name, write_field(field, place)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static int refuse(const char *name, const char *expected, struct serialize_error *error)
{
    snprintf(error->text, sizeof(error->text), "\"%s\" is not %s", name, expected);
    return -EBADMSG;
}

static int read_ints(const struct serialize_field *field, const json_t *value, int64_t *numbers,
                     struct serialize_error *error)
{
    size_t room = field->size / sizeof(int64_t);

    if (!json_is_array(value) || json_array_size(value) > room)
        return refuse(field->name, "a list of numbers that has room", error);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);

        if (!json_is_integer(item))
            return refuse(field->name, "a list of whole numbers", error);
        numbers[i] = json_integer_value(item);
    }
    return 0;
}

static int read_string(const struct serialize_field *field, const json_t *value, void *place,
                       struct serialize_error *error)
{
    char *copy;

    if (!json_is_string(value))
        return refuse(field->name, "a text", error);
    if (field->kind == SERIALIZE_TEXT) {
        if (json_string_length(value) >= field->size)
            return refuse(field->name, "short enough", error);
        string_copy(place, field->size, json_string_value(value));
        return 0;
    }
    copy = strdup(json_string_value(value));
    if (!copy)
        return -ENOMEM;
    free(*(char **)place);
    *(char **)place = copy;
    return 0;
}

static int read_field(const struct serialize_field *field, const json_t *value, void *place,
                      struct serialize_error *error)
{
    switch (field->kind) {
    case SERIALIZE_BOOL:
        if (!json_is_boolean(value))
            return refuse(field->name, "true or false", error);
        *(bool *)place = json_is_true(value);
        return 0;
    case SERIALIZE_INT:
    case SERIALIZE_UINT:
        if (!json_is_integer(value) ||
            !store_int(place, field->size, field->kind == SERIALIZE_INT, json_integer_value(value)))
            return refuse(field->name, "a whole number that has room", error);
        return 0;
    case SERIALIZE_INTS:
        return read_ints(field, value, place, error);
    case SERIALIZE_TEXT:
    case SERIALIZE_STRING:
        return read_string(field, value, place, error);
    }
    return -EBADMSG;
}

int deserialize(const json_t *object, const struct serialize_field *fields, void *record,
                struct serialize_error *error)
{
    int r = 0;

    if (!json_is_object(object)) {
        snprintf(error->text, sizeof(error->text), "something that should be an object is none");
        return -EBADMSG;
    }
    for (const struct serialize_field *field = fields; r == 0 && field->name; field++) {
        const json_t *value = json_object_get(object, field->name);

        if (value)
            r = read_field(field, value, (char *)record + field->offset, error);
    }
    return r;
}
