/* SPDX-License-Identifier: MIT */
#include "daemon/process/last_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/shown.h"
#include "base/text.h"

#define LINE_SIZE 120

/* Lines that come without such a pause between them belong together. */
#define PAUSE (200 * NSEC_PER_MSEC)

struct line {
    int64_t at;
    char text[LINE_SIZE];
};

struct last_words {
    int64_t noted_at;
    unsigned count; /* of those that belong together */
    struct line first[2];
    struct line last[2]; /* a ring of those behind them */
};

void last_words_note(struct last_words **words, const char *text, int64_t now)
{
    struct last_words *mine = *words;
    struct line *line;

    if (text[strspn(text, " \t")] == '\0')
        return;
    if (!mine)
        mine = *words = calloc(1, sizeof(*mine));
    if (!mine)
        return;
    if (now - mine->noted_at > PAUSE)
        mine->count = 0;
    mine->noted_at = now;
    line = mine->count < ARRAY_SIZE(mine->first) ? &mine->first[mine->count]
                                                 : &mine->last[mine->count % 2];
    line->at = now;
    text_copy_shown(line->text, LINE_SIZE, text);
    mine->count++;
}

static void add(struct text *text, const struct line *line, int64_t since)
{
    if (line->at >= since)
        text_append_format(text, "%s%s", text->length > 0 ? "; " : "", line->text);
}

void last_words_format(const struct last_words *words, int64_t ended_at, char *buffer, size_t size)
{
    unsigned count = words ? words->count : 0, kept = ARRAY_SIZE(words->first);
    int64_t since = ended_at - LAST_WORDS_MAX_AGE;
    cleanup_text struct text text = {0};

    for (unsigned i = 0; i < MIN(count, kept); i++)
        add(&text, &words->first[i], since);
    /* The lines between are left out; of one that has talked for long, the beginning is, too. */
    if (count > kept + ARRAY_SIZE(words->last) && text.length > 0)
        text_append_format(&text, "; ...");
    for (unsigned i = count > kept + 2 ? count - 2 : kept; i < count; i++)
        add(&text, &words->last[i % 2], since);
    string_copy(buffer, size, text_string(&text));
    text_clean(buffer, size);
}
