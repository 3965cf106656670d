/* SPDX-License-Identifier: MIT */
/* The function and line at an offset of an object file, for people: by elfutils. */
#ifndef REEVE_HOST_SYMBOLS_SYMBOLS_H
#define REEVE_HOST_SYMBOLS_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Adds to the list what every stack may be of: the system's libraries, reeve-host, libreeve.
 * Notes whose files are to be trusted; to be called before any right is given up. Returns 0 or
 * -ENOMEM. */
int symbols_name_system(struct strings *paths);

/* Lets these files, and what is below these directories, be opened. Returns 0 or -ENOMEM. */
int symbols_allow(const struct strings *paths);

/*
 * Writes "check at probe.c:75", "check+0x1f in probe.so" or at least "probe.so+0x1139". A return
 * address belongs to the call before it. Reads the file and its debug information, wherever the
 * system keeps that, if both are allowed, and owned by root, by the user of this process now or
 * when it started, or by the owner of this program. One thread only.
 */
void symbols_describe(const char *path, uint64_t offset, bool is_return, char *buffer, size_t size);

#endif
