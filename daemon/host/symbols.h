/* SPDX-License-Identifier: MIT */
/* What is at an offset of an object file, for people: by elfutils. */
#ifndef REEVE_HOST_SYMBOLS_H
#define REEVE_HOST_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes "check at probe.c:75", "check+0x1f in probe.so" or at least "probe.so+0x1139". A return
 * address belongs to the call before it. Reads the file and its debug information, wherever the
 * system keeps that; one thread only.
 */
void symbols_describe(const char *path, uint64_t offset, bool is_return, char *buffer, size_t size);

#endif
