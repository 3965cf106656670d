/* SPDX-License-Identifier: MIT */
/*
 * The last lines that a host has printed, by itself and not by rv_log(): where a process dies, they
 * often say why, be it the text of an exception, a panic or a sanitizer. The begin of such a text
 * says most, and so it is kept as well as its end.
 */
#ifndef REEVE_DAEMON_PROCESS_LAST_WORDS_H
#define REEVE_DAEMON_PROCESS_LAST_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/duration.h"

/* A line that was printed longer before the end than this has nothing to do with it. On a busy
 * machine an end is seen late, and a core dump takes its time, too. */
#define LAST_WORDS_MAX_AGE (10 * NSEC_PER_SEC)

struct last_words;

/* Notes a line that came at that monotonic time; *words is made with the first, if there is memory.
 */
void last_words_note(struct last_words **words, const char *line, int64_t now);

/* Those that are young enough when the process has ended, as one line, "" for none; words may be
 * NULL. */
void last_words_format(const struct last_words *words, int64_t ended_at, char *buffer, size_t size);

#endif
