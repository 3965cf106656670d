/* SPDX-License-Identifier: MIT */
#include "base/duration.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},
    {"nsec", 1},
    {"us", NSEC_PER_USEC},
    {"usec", NSEC_PER_USEC},
    {"ms", NSEC_PER_MSEC},
    {"msec", NSEC_PER_MSEC},
    {"s", NSEC_PER_SEC},
    {"sec", NSEC_PER_SEC},
    {"second", NSEC_PER_SEC},
    {"seconds", NSEC_PER_SEC},
    {"m", 60 * NSEC_PER_SEC},
    {"min", 60 * NSEC_PER_SEC},
    {"minute", 60 * NSEC_PER_SEC},
    {"minutes", 60 * NSEC_PER_SEC},
    {"h", 3600 * NSEC_PER_SEC},
    {"hr", 3600 * NSEC_PER_SEC},
    {"hour", 3600 * NSEC_PER_SEC},
    {"hours", 3600 * NSEC_PER_SEC},
    {"d", 86400 * NSEC_PER_SEC},
    {"day", 86400 * NSEC_PER_SEC},
    {"days", 86400 * NSEC_PER_SEC},
    {"w", 604800 * NSEC_PER_SEC},
    {"week", 604800 * NSEC_PER_SEC},
    {"weeks", 604800 * NSEC_PER_SEC},
};

static const char *skip_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

/* Reads digits with an optional fraction as whole and fraction / scale; at most 9 fraction digits
 * count, so that whole and fraction stay exact integers for every unit. */
static int parse_number(const char **text, int64_t *ret_whole, int64_t *ret_fraction,
                        int64_t *ret_scale)
{
    const char *p = *text;
    int64_t whole = 0, fraction = 0, scale = 1;
    bool digits = false;

    for (; isdigit((unsigned char)*p); p++, digits = true)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *p - '0', &whole))
            return -ERANGE;
    if (*p == '.') {
        p++;
        if (!isdigit((unsigned char)*p))
            return -EINVAL;
        for (; isdigit((unsigned char)*p); p++, digits = true)
            if (scale < NSEC_PER_SEC) {
                fraction = fraction * 10 + (*p - '0');
                scale *= 10;
            }
    }
    if (!digits)
        return -EINVAL;
    *text = p;
    *ret_whole = whole;
    *ret_fraction = fraction;
    *ret_scale = scale;
    return 0;
}

static const struct unit *parse_unit(const char **text)
{
    size_t length = 0;

    while (isalpha((unsigned char)(*text)[length]))
        length++;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strlen(units[i].name) == length && strncmp(units[i].name, *text, length) == 0) {
            *text += length;
            return &units[i];
        }
    return NULL;
}

int duration_parse(const char *text, int64_t *ret_ns)
{
    int64_t sum = 0;
    const char *p = skip_blanks(text);

    if (p[0] == '0' && *skip_blanks(p + 1) == '\0') {
        *ret_ns = 0;
        return 0;
    }
    if (*p == '\0')
        return -EINVAL;
    while (*p != '\0') {
        int64_t whole, fraction, scale, part;
        const struct unit *unit;
        int r = parse_number(&p, &whole, &fraction, &scale);

        if (r < 0)
            return r;
        p = skip_blanks(p);
        unit = parse_unit(&p);
        if (!unit)
            return -EINVAL;
        /* The fraction has at most nine digits and a unit at most 6.1e14 ns: use 128 bits. */
        part = (int64_t)((__int128)fraction * unit->ns / scale);
        if (__builtin_mul_overflow(whole, unit->ns, &whole) ||
            __builtin_add_overflow(whole, part, &part) || __builtin_add_overflow(sum, part, &sum))
            return -ERANGE;
        p = skip_blanks(p);
    }
    *ret_ns = sum;
    return 0;
}

/* Writes value / unit with up to three decimals and without trailing zeros. */
static void format_fraction(int64_t value, int64_t unit, const char *name, char *buffer,
                            size_t size)
{
    int64_t whole = value / unit;
    int64_t thousandths = (int64_t)((__int128)(value % unit) * 1000 / unit);
    char decimals[16] = "";

    if (thousandths > 0) {
        snprintf(decimals, sizeof(decimals), ".%03d", (int)thousandths);
        for (size_t end = strlen(decimals); decimals[end - 1] == '0'; end--)
            decimals[end - 1] = '\0';
    }
    snprintf(buffer, size, "%" PRId64 "%s%s", whole, decimals, name);
}

char *duration_format(int64_t ns, char *buffer, size_t size)
{
    static const struct unit large[] = {
        {"d", 86400 * NSEC_PER_SEC},
        {"h", 3600 * NSEC_PER_SEC},
        {"min", 60 * NSEC_PER_SEC},
    };
    uint64_t rest = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    size_t used = 0;

    if (size == 0)
        return buffer;
    buffer[0] = '\0';
    if (ns < 0)
        used = (size_t)snprintf(buffer, size, "-");
    for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
        uint64_t count = rest / (uint64_t)large[i].ns;

        if (count > 0 && used < size) {
            used += (size_t)snprintf(buffer + used, size - used, "%" PRIu64 "%s ", count,
                                     large[i].name);
            rest %= (uint64_t)large[i].ns;
        }
    }
    if (used >= size)
        return buffer;
    if (used > 1 && rest < NSEC_PER_MSEC) {
        buffer[used - 1] = '\0';
        return buffer;
    }
    if (rest == 0)
        snprintf(buffer + used, size - used, "0s");
    else if (rest >= NSEC_PER_SEC || used > 1)
        format_fraction((int64_t)rest, NSEC_PER_SEC, "s", buffer + used, size - used);
    else if (rest >= NSEC_PER_MSEC)
        format_fraction((int64_t)rest, NSEC_PER_MSEC, "ms", buffer + used, size - used);
    else if (rest >= NSEC_PER_USEC)
        format_fraction((int64_t)rest, NSEC_PER_USEC, "us", buffer + used, size - used);
    else
        snprintf(buffer + used, size - used, "%" PRIu64 "ns", rest);
    return buffer;
}
