/* SPDX-License-Identifier: MIT */
/* Reading a module's file without loading it: loading runs constructors. */
#ifndef REEVE_HOST_LOAD_NOTE_H
#define REEVE_HOST_LOAD_NOTE_H

#include <stddef.h>
#include <stdint.h>

/* The ABI version that the note names, 0 for an ELF file without one, -ENOEXEC for another file, or
 * -ENODATA for one that ends before its segments do: using what is missing would be a bus error. Or
 * another negative errno. */
int64_t note_read_abi(int fd);

/* The name of the libreeve that the file is linked against ("libreeve.so.1"); "" when none is. */
void note_read_runtime(int fd, char *ret_name, size_t size);

#endif
