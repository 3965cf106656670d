/* SPDX-License-Identifier: MIT */
/* A temporary directory with two modules, one.so and two.so, and configurations that are read from
 * it.
 */
#ifndef REEVE_TESTS_CONFIG_FILES_H
#define REEVE_TESTS_CONFIG_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "settings/config.h"

extern char config_folder[];
extern struct config_places places;

/* For a whole group of tests. */
int make_folder(void **state);
int remove_folder(void **state);

void write_file(const char *name, const char *text);
void write_bytes(const char *name, const void *bytes, size_t size);
void remove_file(const char *name);

/* Reads the text as reeve.ini. */
struct config *load(const char *text, struct config_errors *errors);

/* The text must be refused with exactly these errors, each a part of a line, in order. */
void refuse(const char *text, const char *const *parts);
#define REFUSE(text, ...) refuse(text, (const char *const[]){__VA_ARGS__, NULL})

#endif
