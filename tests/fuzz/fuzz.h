/* SPDX-License-Identifier: MIT */
/*
 * Functions that all fuzz targets share. A target is one function that libFuzzer calls with ever
 * new bytes; it fails by a sanitizer's report, by fuzz_check(), or by taking too long.
 */
#ifndef REEVE_TESTS_FUZZ_H
#define REEVE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As assert(), with a text that says what should have been true. */
#define fuzz_check(condition, ...)                       \
    do {                                                 \
        if (!(condition)) {                              \
            fprintf(stderr, "fuzz_check: " __VA_ARGS__); \
            fputc('\n', stderr);                         \
            abort();                                     \
        }                                                \
    } while (0)

/* The bytes as a terminated string in memory of exactly its size, so that a read past its end is
 * seen; the caller frees it. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
    char *string = malloc(size + 1);

    if (!string)
        abort();
    if (size > 0)
        memcpy(string, data, size);
    string[size] = '\0';
    return string;
}

/* Takes a value off the front of the input; what is missing at its end is zero. */
static inline void fuzz_take(const uint8_t **data, size_t *size, void *value, size_t value_size)
{
    size_t count = *size < value_size ? *size : value_size;

    memset(value, 0, value_size);
    if (count > 0)
        memcpy(value, *data, count);
    *data += count;
    *size -= count;
}

#endif
