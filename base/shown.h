/* SPDX-License-Identifier: MIT */
/*
 * Makes texts fit to be shown. Modules, commands, libraries and the authors of files write texts,
 * and these may hold secrets, control characters and line breaks. Code that passes such a text on
 * cleans it first.
 *
 * Every text has two parts: its first line is for everybody, and what follows it (the output of a
 * command, say) for the log and the control socket alone. Code that shows both makes one line of
 * them.
 */
#ifndef REEVE_BASE_SHOWN_H
#define REEVE_BASE_SHOWN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

/*
 * Hides, in place, what URLs in a text keep secret: a password ("http://user:***@host"), a user
 * name without one in a web address, or with a password that stands for none ("x-oauth-basic"),
 * which is a token ("***@host"), and queries ("?..."). The text never grows, so that fewer than
 * three characters are replaced by as many. A URL that was cut within its password loses that part
 * too. Without "://" in front of it nothing is taken for a URL.
 */
void redact_urls(char *text);

/* Hides, in a text that was cut at its end, what may be the beginning of a URL's user or password:
 * all behind the "://" of its last URL, when neither a path nor anything else follows. */
void redact_cut(char *text);

/* As vsnprintf() and string_copy(); but a text that is cut has been through redact_cut(), since
 * nobody sees later where it was cut. */
int text_format_shown(char *text, size_t size, const char *format, va_list args) printf_like(3, 0);
void text_copy_shown(char *text, size_t size, const char *source);

/* Makes one line of several, with "; " between them, which is cut at size - 1 bytes; empty lines
 * are left out. */
void text_join_lines(char *text, size_t size);

/* Makes a text one printable line without secrets. size is that of its buffer: what fills it is
 * taken for cut. */
void text_clean(char *text, size_t size);

/* The same, but line breaks stay. */
void text_clean_lines(char *text, size_t size);

/* As text_sanitise(), but line breaks stay. */
void text_sanitise_lines(char *text);

/*
 * Whether a line "KEY = VALUE" with this value, whose key is unknown, may be the end of a secret in
 * base64 that was wrapped onto a line of its own: what looks like its key is not to be shown then.
 */
bool value_is_padding(const char *value);

/* The length of the part that is for everybody. */
size_t text_first_line(const char *text);

#endif
