/* SPDX-License-Identifier: MIT */
/* The page at "/", as page_embed.py made it of page.html. */
#ifndef REEVE_DAEMON_EDGE_PAGE_PAGE_HTML_H
#define REEVE_DAEMON_EDGE_PAGE_PAGE_HTML_H

#include <stddef.h>

extern const unsigned char page_html[];
extern const size_t page_size;
extern const char page_policy[]; /* for Content-Security-Policy */

#endif
