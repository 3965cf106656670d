/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/last_words.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/shown.h"
#include "base/text.h"

#define LINE_SIZE 120

/* Lines that come without such a pause between them belong together. */
#define PAUSE (200 * NSEC_PER_MSEC)

struct last_words {
    int64_t noted_at;
    unsigned count; /* of those that belong together */
    char first[2][LINE_SIZE];
    char last[2][LINE_SIZE]; /* a ring of those behind them */
};

void last_words_note(struct last_words **words, const char *line)
{
    int64_t now = clock_monotonic();
    struct last_words *mine = *words;
    char *place;

    if (line[strspn(line, " \t")] == '\0')
        return;
    if (!mine)
        mine = *words = calloc(1, sizeof(*mine));
    if (!mine)
        return;
    if (now - mine->noted_at > PAUSE)
        mine->count = 0;
    mine->noted_at = now;
    place = mine->count < ARRAY_SIZE(mine->first) ? mine->first[mine->count]
                                                  : mine->last[mine->count % 2];
    text_copy_shown(place, LINE_SIZE, line);
    mine->count++;
}

void last_words_format(const struct last_words *words, char *buffer, size_t size)
{
    unsigned count = words ? words->count : 0, kept = ARRAY_SIZE(words->first);
    cleanup_text struct text text = {0};

    for (unsigned i = 0; i < MIN(count, kept); i++)
        text_append_format(&text, "%s%s", i > 0 ? "; " : "", words->first[i]);
    if (count > kept + ARRAY_SIZE(words->last))
        text_append_format(&text, "; ...");
    for (unsigned i = count > kept + 2 ? count - 2 : kept; i < count; i++)
        text_append_format(&text, "; %s", words->last[i % 2]);
    string_copy(buffer, size, text_string(&text));
    text_clean(buffer, size);
}
