/* SPDX-License-Identifier: MIT */
/*
 * Sizes in bytes as people write them: "512", "64K", "1.5G". K, M, G, T are powers of 1024, as in
 * systemd; a trailing "B" or "iB" is allowed.
 */
#ifndef REEVE_BASE_SIZE_H
#define REEVE_BASE_SIZE_H

#include <stddef.h>
#include <stdint.h>

#define SIZE_TEXT_SIZE 32

/* A part of a byte counts as a whole one. Returns 0, -EINVAL for text that is no size, or -ERANGE
 * when it does not fit into 63 bits. */
int size_parse(const char *text, uint64_t *ret_bytes);

/* Writes "1.5G" and the like; exact only when the size is a multiple of its unit's tenth. */
char *size_format(uint64_t bytes, char *buffer, size_t size);

#endif
