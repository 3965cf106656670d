/* SPDX-License-Identifier: MIT */
/* File descriptors and small files. */
#ifndef REEVE_BASE_FD_H
#define REEVE_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* Reads a whole regular file of at most limit bytes; *ret_data is terminated and the caller's to
 * free. Returns 0 or a negative errno, -EFBIG past the limit. */
int file_read(const char *path, size_t limit, char **ret_data, size_t *ret_size);

/* Writes all of it, going on after partial writes and EINTR. Returns 0 or a negative errno. */
int write_all(int fd, const void *data, size_t size);

/* Sets or clears O_NONBLOCK. Returns 0 or a negative errno. */
int fd_set_nonblock(int fd, bool nonblock);

/* Sets or clears FD_CLOEXEC. Returns 0 or -EBADF. */
int fd_set_cloexec(int fd, bool cloexec);

/*
 * Opens /dev/null at each of standard input, output and error that the process was started without:
 * the next file or socket that is opened would take that place, and be read, or written a log into.
 * It is opened for the other direction, so that reading input or writing output fails with EBADF as
 * before, and nothing is lost unnoticed. To be called first in main(). Returns 0 or a negative
 * errno.
 */
int fd_fill_standard(void);

/* The exit code of a program that has written its standard output: the code, or 1 in place of 0
 * where that could not be written, which is said on standard error. */
int fd_finish_output(const char *program, int code);

/* How many descriptors this process has open, or a negative errno. */
int fd_count(void);

#endif
