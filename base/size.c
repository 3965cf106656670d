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
    value = (value << shift) / scale;
    if (value > INT64_MAX)
        return -ERANGE;
    *ret_bytes = (uint64_t)value;
    return 0;
}

char *size_format(uint64_t bytes, char *buffer, size_t size)
{
    int unit = -1;
    uint64_t scaled = bytes, rest = 0;

    while (scaled >= 1024 && unit < (int)sizeof(unit_letters) - 2) {
        rest = scaled % 1024;
        scaled /= 1024;
        unit++;
    }
    if (unit < 0)
        snprintf(buffer, size, "%" PRIu64, bytes);
    else if (rest * 10 / 1024 == 0)
        snprintf(buffer, size, "%" PRIu64 "%c", scaled, unit_letters[unit]);
    else
        snprintf(buffer, size, "%" PRIu64 ".%u%c", scaled, (unsigned)(rest * 10 / 1024),
                 unit_letters[unit]);
    return buffer;
}
