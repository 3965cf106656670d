/* SPDX-License-Identifier: MIT */
/*
 * Reads requests before evhttp does, byte by byte, and finds where each ends. It refuses what is
 * ambiguous, and writes everything else anew, so that nothing is left to the reading of evhttp: a
 * path as the target, one Host, one Content-Length of a body that is there as a whole, and
 * Connection with a single word or none.
 *
 * A pure machine: it knows no descriptor, no buffer of libevent and no time. Its verdict does not
 * depend on how the bytes were cut.
 *
 * The readings of evhttp without it, as seen with Debian's 2.1.12-stable-8+deb12u1. Releases before
 * that update, upstream's 2.1.12 among them, also ignore a length beside a coding and make headers
 * of trailers.
 *
 * - It reads no body of HEAD and TRACE, whatever their lengths say, nor of a method that it does
 * not know: the body is the next request. Of several lengths or codings it takes the first. A
 * coding other than "chunked" is none. "+5" is a length.
 * - Sizes of chunks are read by strtoll(): "0x2", "+2", " 2" and "2 junk" are sizes. An extension
 * is answered with 413. Empty lines between chunks are skipped, and the end of a chunk's line may
 * be missing.
 * - A line may end in LF alone, or at a NUL: the rest is not seen. A folded line is joined to the
 * one before. A name may have spaces in it, and a target spaces and control characters. An empty
 * line before a request is 400.
 * - A path that begins with two slashes is a host and a path. Of "http://host/path" only the path
 * counts, and the connection ends without a word in the answer. No host is compared with another,
 * and none is missed.
 * - Only the first Connection counts, and only if all of it is "close". A CONNECT's connection
 * stays open whatever the answer says.
 * - The version may be any below 2.0, also "+1.-5", and comes back in the answer.
 * - Headers over the limit are answered with 400, and lines count without their ends.
 */
#ifndef REEVE_LOOP_HTTP_FRAMING_H
#define REEVE_LOOP_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "daemon/loop/http_head.h"

enum http_framing_state {
    HTTP_FRAMING_REQUEST_LINE,
    HTTP_FRAMING_FIELDS,
    HTTP_FRAMING_BODY,
    HTTP_FRAMING_CHUNK_SIZE,
    HTTP_FRAMING_CHUNK,
    HTTP_FRAMING_CHUNK_END,
    HTTP_FRAMING_TRAILERS,
    HTTP_FRAMING_WHOLE,
    HTTP_FRAMING_REFUSED,
};

struct http_framing {
    size_t header_max; /* bytes of the request line, all headers and trailers, with their ends */
    size_t body_max;
    enum http_framing_state state;
    struct http_refusal refusal;
    /* When it is WHOLE, the request is these two, one after the other. When it is REFUSED,
     * head.text is a request that the refusal can answer. */
    struct http_head head;
    struct text body;
    struct text line; /* the present one, so far */
    bool cr;          /* it has its CR */
    size_t head_size;
    uint64_t left; /* of the body or chunk */
};

void http_framing_init(struct http_framing *framing, size_t header_max, size_t body_max);

/* Takes bytes until a request is whole or refused, or there are no more. Returns how many it has
 * taken. */
size_t http_framing_take(struct http_framing *framing, const char *bytes, size_t size);

/* Whether a request is whole or refused: nothing more is taken. */
bool http_framing_is_over(const struct http_framing *framing);
/* Whether something of a request has come. Empty lines before it are nothing. */
bool http_framing_has_begun(const struct http_framing *framing);
/* Whether the peer is to be told that it may send the body. True once. */
bool http_framing_may_continue(struct http_framing *framing);
/* Whether no further request is read behind this one. */
bool http_framing_closes(const struct http_framing *framing);

/* Frees the texts; what the functions above tell of a request that is over stays. */
void http_framing_release(struct http_framing *framing);
/* Begins with the next request. */
void http_framing_reset(struct http_framing *framing);

#endif
