/* SPDX-License-Identifier: MIT */
#include "base/shown.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/*
 * A text may have megabytes without a blank and a URL in each few bytes of them. So all that is
 * looked for up to the end of a URL is looked for once in such a word, and the time is linear.
 */
struct word {
    const char *end;
    const char *trimmed;    /* its end without the marks of the sentence around it */
    const char *last_at;    /* its last '@', or NULL */
    const char *last_value; /* its last '=' or '?', or NULL */
    const char *query; /* the first '?' or '#' from where one was looked for last, or its end; NULL:
                          none was */
};

/* The characters that end a URL within a text. An apostrophe may be a part of one. */
static bool ends_url(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7F || strchr("\"<>`", c) != NULL;
}

/* The last of those characters in [from, to), or NULL. */
static const char *find_last(const char *from, const char *to, char c)
{
    return memrchr(from, c, (size_t)(to - from));
}

static const char *find_first(const char *from, const char *to, const char *characters)
{
    for (; from < to; from++)
        if (strchr(characters, *from))
            return from;
    return to;
}

/* The word in which a URL goes on at that place. */
static void enter_word(struct word *word, const char *from)
{
    const char *value, *mark;

    if (from < word->end)
        return;
    for (word->end = from; !ends_url(*word->end); word->end++)
        ;
    word->trimmed = word->end;
    while (word->trimmed > from && strchr(".,;:)!?]}'", word->trimmed[-1]))
        word->trimmed--;
    word->last_at = find_last(from, word->end, '@');
    value = find_last(from, word->end, '=');
    mark = find_last(from, word->end, '?');
    word->last_value = !value || (mark && mark > value) ? mark : value;
    word->query = NULL;
}

/* "[::1]:80" */
static const char *find_port(const char *from, const char *end)
{
    return find_first(*from == '[' ? find_first(from, end, "]") : from, end, ":");
}

/* Whether what stands after the host is no port: a URL whose password has a '/', or that was cut.
 */
static bool has_bad_port(const char *from, const char *end)
{
    const char *colon = find_port(from, end);

    if (colon == end)
        return false;
    /* "mongodb://a:27017,b:27017" */
    end = find_first(colon + 1, end, ",");
    for (const char *p = colon + 1; p < end; p++)
        if (!isdigit((unsigned char)*p))
            return true;
    return false;
}

/* A backslash belongs to a user of a domain ("CORP\\alice"), unless it escapes the slash. */
static const char *authority_end(const char *from, const char *end, bool escaped)
{
    const char *authority = find_first(from, end, "/?#");

    return escaped && authority > from && authority < end && authority[-1] == '\\' ? authority - 1
                                                                                   : authority;
}

/* Where the part before the host ends; NULL: there is none. *ret_cut: it does, but the host is
 * missing. */
static const char *user_end(const char *from, const struct word *word, bool escaped, bool *ret_cut)
{
    const char *authority = authority_end(from, word->end, escaped);
    const char *at = find_last(from, authority, '@');

    const char *later = word->last_at && word->last_at >= from ? word->last_at : NULL;
    /* "http://u:12#34@h" */
    bool hash = later && *authority == '#' && find_port(from, authority) < authority;

    *ret_cut = false;
    if (at || (!hash && !has_bad_port(from, authority)))
        return at;
    at = later;
    *ret_cut = !at;
    return at ? at : word->end;
}

static char *put(char *to, const char *from, const char *end)
{
    size_t length = (size_t)(end - from);

    memmove(to, from, length);
    return to + length;
}

static char *put_mask(char *to, char mask, const char *from, const char *end)
{
    size_t length = (size_t)(end - from);

    length = length < 3 ? length : 3;
    memset(to, mask, length);
    return to + length;
}

/* In web addresses a user without a password is a token; "ssh://git@host" is none. */
static bool is_web(const char *text, const char *colon)
{
    return (colon - text >= 4 && strncasecmp(colon - 4, "http", 4) == 0) ||
           (colon - text >= 5 && strncasecmp(colon - 5, "https", 5) == 0);
}

/* Where a web address must have a password, and the user is a token: "https://TOKEN:@host",
 * "https://TOKEN:X@host", "https://TOKEN:x-oauth-basic@host". */
static bool is_no_password(const char *password, const char *end)
{
    static const char basic[] = "x-oauth-basic";
    size_t length = (size_t)(end - password);

    return length < 3 || (length == strlen(basic) && strncmp(password, basic, length) == 0);
}

/* *from is the rest of a URL behind its "://". */
static char *put_user(char *to, const char **from, const struct word *word, bool web, bool escaped)
{
    bool cut;
    const char *at = user_end(*from, word, escaped, &cut), *colon;

    if (!at)
        return to;
    colon = cut ? find_port(*from, at) : find_first(*from, at, ":");
    if (web && colon < at && !cut && is_no_password(colon + 1, at)) {
        to = put_mask(to, '*', *from, colon);
        to = put(to, colon, colon + 1);
        to = put_mask(to, '*', colon + 1, at);
    } else if (colon < at) {
        to = put(to, *from, colon + 1);
        to = put_mask(to, '*', colon + 1, at);
    } else if (web) {
        to = put_mask(to, '*', *from, at);
    } else {
        to = put(to, *from, at);
    }
    *from = at;
    return to;
}

/* A query, or a fragment with values, reaches to the end; marks of the sentence around it stay.
 * NULL: there is none. */
static const char *query_of(const char *from, struct word *word)
{
    const char *query;

    if (!word->query || word->query < from)
        word->query = find_first(from, word->end, "?#");
    query = word->query;
    if (query < word->end && *query == '#' && (!word->last_value || word->last_value < query))
        return NULL;
    return word->trimmed > query ? query : NULL;
}

/* The characters between a scheme and the rest: "://", or as some write it in JSON. NULL: there is
 * none. */
static const char *find_separator(const char *text, size_t *ret_length)
{
    static const char *const separators[] = {"://", ":\\/\\/"};

    for (; (text = strchr(text, ':')); text++)
        for (size_t i = 0; i < 2; i++)
            if (strncmp(text, separators[i], strlen(separators[i])) == 0) {
                *ret_length = strlen(separators[i]);
                return text;
            }
    return NULL;
}

void redact_urls(char *text)
{
    char *to = text;
    const char *from = text, *found, *next = NULL;
    struct word word = {.end = text};
    size_t length;

    for (found = find_separator(from, &length); found; found = next) {
        const char *query;
        /* Before anything is written there. */
        bool web = is_web(from, found), escaped = length > strlen("://");

        to = put(to, from, found + length);
        from = found + length;
        enter_word(&word, from);
        to = put_user(to, &from, &word, web, escaped);
        /* Another may begin in the path. */
        next = find_separator(from, &length);
        query = query_of(from, &word);
        if (query && (!next || query < next)) {
            to = put(to, from, query + 1);
            to = put_mask(to, '.', query + 1, word.trimmed);
            from = word.trimmed;
            if (next && next < from)
                next = find_separator(from, &length);
        }
    }
    memmove(to, from, strlen(from) + 1);
}

void redact_cut(char *text)
{
    const char *found, *last = NULL;
    size_t length, found_length;
    char *user, *end = text + strlen(text);

    for (found = find_separator(text, &found_length); found;
         found = find_separator(found + found_length, &found_length)) {
        last = found;
        length = found_length;
    }
    if (!last)
        return;
    user = text + (last - text) + length;
    for (const char *p = user; p < end; p++)
        if (ends_url(*p) || *p == '/' || *p == '?' || (*p == '#' && find_port(user, p) == p))
            return;
    *put_mask(user, '*', user, end) = '\0';
}

int text_format_shown(char *text, size_t size, const char *format, va_list args)
{
    int length = vsnprintf(text, size, format, args);

    if (length >= 0 && (size_t)length >= size)
        redact_cut(text);
    return length;
}

void text_copy_shown(char *text, size_t size, const char *source)
{
    string_copy(text, size, source);
    if (strlen(source) >= size)
        redact_cut(text);
}

void text_join_lines(char *text, size_t size)
{
    char *whole = strchr(text, '\n') ? strdup(text) : NULL, *rest = whole, *line;
    size_t used = 0;

    if (!whole) {
        /* Without memory: no line's end remains, and nothing is lost. */
        for (char *p = text; (p = strchr(p, '\n')); p++)
            *p = ' ';
        return;
    }
    text[0] = '\0';
    while ((line = strsep(&rest, "\n")))
        if (*line != '\0' && used < size) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "; " : "", line);
        }
    free(whole);
}

void text_sanitise_lines(char *text)
{
    char *line = text, *end;

    while ((end = strchr(line, '\n'))) {
        *end = '\0';
        text_sanitise(line);
        *end = '\n';
        line = end + 1;
    }
    text_sanitise(line);
}

/* It was probably cut, maybe before a character of up to four bytes. */
static bool fills(const char *text, size_t size)
{
    return strlen(text) + 4 >= size;
}

void text_clean_lines(char *text, size_t size)
{
    if (fills(text, size))
        redact_cut(text);
    text_sanitise_lines(text);
    redact_urls(text);
}

void text_clean(char *text, size_t size)
{
    text_clean_lines(text, size);
    text_join_lines(text, size);
    /* One that was cut may end within a character. */
    text_sanitise(text);
}

size_t text_first_line(const char *text)
{
    return strcspn(text, "\n");
}

bool value_is_padding(const char *value)
{
    return *value == '\0' || strcmp(value, "=") == 0;
}
