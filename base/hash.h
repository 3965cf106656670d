/* SPDX-License-Identifier: MIT */
/* FNV-1a with 64 bits, to tell texts and bytes apart that nobody chooses to be alike. */
#ifndef REEVE_BASE_HASH_H
#define REEVE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

/* The hash of what hash stands for, and then the bytes. */
static inline uint64_t hash_add(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline uint64_t hash_text(const char *text)
{
    return hash_add(HASH_BEGIN, text, strlen(text));
}

#endif
