/* SPDX-License-Identifier: MIT */
/*
 * What a host has printed last, by itself and not by rv_log(): where a process dies, that is often why, be it the text of an
 * exception, a panic or a sanitizer. What such a text begins with says most, and so it is kept as well as its end.
 */
#ifndef REEVE_SUPERVISOR_LAST_WORDS_H
#define REEVE_SUPERVISOR_LAST_WORDS_H

#include <stddef.h>

struct last_words;

/* Notes a line; *words is made with the first, if there is memory. */
void last_words_note(struct last_words **words, const char *line);

/* As one line, "" for none; words may be NULL. */
void last_words_format(const struct last_words *words, char *buffer, size_t size);

#endif
