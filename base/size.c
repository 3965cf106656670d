/* SPDX-License-Identifier: MIT */
#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char unit_letters[] = "KMGT";

static int parse_unit(const char *text, unsigned *ret_shift)
{
    const char *letter;

    *ret_shift = 0;
    if (*text != '\0' && (letter = strchr(unit_letters, toupper((unsigned char)*text)))) {
        *ret_shift = 10 * (unsigned)(letter - unit_letters + 1);
        text++;
        if (strcmp(text, "iB") == 0)
            return 0;
    }
    return *text == '\0' || strcmp(text, "B") == 0 ? 0 : -EINVAL;
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
    unsigned __int128 value = 0, scale = 1;
    unsigned shift;
    int r, digits = 0;

    for (; isdigit((unsigned char)*text); text++, digits++) {
        value = value * 10 + (unsigned)(*text - '0');
        if (value > INT64_MAX)
            return -ERANGE;
    }
    if (digits > 0 && *text == '.') {
        if (!isdigit((unsigned char)*++text))
            return -EINVAL;
        for (; isdigit((unsigned char)*text); text++)
            if (scale < 1000000000) {
                value = value * 10 + (unsigned)(*text - '0');
                scale *= 10;
            }
    }
    while (*text == ' ')
        text++;
    r = parse_unit(text, &shift);
    if (digits == 0 || r < 0 || (scale > 1 && shift == 0))
        return -EINVAL;
    /* Rounded up, so that the tenths that size_format() writes are the same when read again. */
    value = ((value << shift) + scale - 1) / scale;
    if (value > INT64_MAX)
        return -ERANGE;
    *ret_bytes = (uint64_t)value;
    return 0;
}

char *size_format(uint64_t bytes, char *buffer, size_t size)
{
    unsigned tenths, shift;
    int unit = -1;

    while (bytes >> (10 * (unsigned)(unit + 1)) >= 1024 && unit < (int)sizeof(unit_letters) - 2)
        unit++;
    if (unit < 0) {
        snprintf(buffer, size, "%" PRIu64, bytes);
        return buffer;
    }
    shift = 10 * (unsigned)(unit + 1);
    tenths = (unsigned)((bytes & ((UINT64_C(1) << shift) - 1)) * 10 >> shift);
    if (tenths == 0)
        snprintf(buffer, size, "%" PRIu64 "%c", bytes >> shift, unit_letters[unit]);
    else
        snprintf(buffer, size, "%" PRIu64 ".%u%c", bytes >> shift, tenths, unit_letters[unit]);
    return buffer;
}
