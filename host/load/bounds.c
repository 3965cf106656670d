/* SPDX-License-Identifier: MIT */
#include "host/load/bounds.h"

#include <ctype.h>
#include <string.h>

/* The end of a string or a character that begins with a quote at `text`. */
static const char *skip_quoted(const char *text)
{
    char quote = *text++;

    for (; *text != '\0' && *text != quote; text++)
        if (*text == '\\' && text[1] != '\0')
            text++;
    return *text == quote ? text + 1 : text;
}

/* The end of a number: a quote in it separates digits. */
static const char *skip_number(const char *text)
{
    while (isalnum((unsigned char)*text) || *text == '_' || *text == '.' ||
           (*text == '\'' && isalnum((unsigned char)text[1])))
        text++;
    return text;
}

static const char *skip_word(const char *text)
{
    while (isalnum((unsigned char)*text) || *text == '_')
        text++;
    return text;
}

/* Whether an initialiser for the member stands among those that an author gave, in the words of C:
 * not in a string. */
static bool is_given(const char *text, const char *member)
{
    size_t length = strlen(member);

    while (text && *text != '\0') {
        if (*text == '"' || *text == '\'') {
            text = skip_quoted(text);
            continue;
        }
        if (isdigit((unsigned char)*text)) {
            text = skip_number(text);
            continue;
        }
        if (isalpha((unsigned char)*text) || *text == '_') {
            text = skip_word(text);
            continue;
        }
        if (*text++ != '.')
            continue;
        while (isspace((unsigned char)*text))
            text++;
        if (strncmp(text, member, length) == 0 && !isalnum((unsigned char)text[length]) &&
            text[length] != '_')
            return true;
    }
    return false;
}

bool bounds_minimum(const struct rv_option *option, int64_t *ret_minimum)
{
    *ret_minimum = option->minimum;
    return option->minimum != 0 || is_given(option->given, "minimum");
}

bool bounds_maximum(const struct rv_option *option, int64_t *ret_maximum)
{
    *ret_maximum = option->maximum;
    return option->maximum != 0 || is_given(option->given, "maximum");
}
