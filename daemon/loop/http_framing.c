/* SPDX-License-Identifier: MIT */
#include "daemon/loop/http_framing.h"

#include <stdlib.h>
#include <string.h>

/* Of the line with a chunk's size and extensions, with its end. */
#define CHUNK_LINE_MAX   256
#define CHUNK_DIGITS_MAX 16

void http_framing_init(struct http_framing *framing, size_t header_max, size_t body_max)
{
    *framing = (struct http_framing){.header_max = header_max, .body_max = body_max};
}

bool http_framing_is_over(const struct http_framing *framing)
{
    return framing->state >= HTTP_FRAMING_WHOLE;
}

bool http_framing_has_begun(const struct http_framing *framing)
{
    return framing->state != HTTP_FRAMING_REQUEST_LINE || framing->line.length > 0 || framing->cr;
}

bool http_framing_closes(const struct http_framing *framing)
{
    return framing->state == HTTP_FRAMING_REFUSED || framing->head.closes ||
           (framing->head.minor == 0 && !framing->head.keeps);
}

bool http_framing_may_continue(struct http_framing *framing)
{
    /* A peer that has begun with the body does not wait. */
    bool waits =
        (framing->state == HTTP_FRAMING_BODY || framing->state == HTTP_FRAMING_CHUNK_SIZE) &&
        framing->body.length == 0 && framing->line.length == 0 && !framing->cr &&
        framing->head.continues && framing->head.minor > 0;

    if (waits)
        framing->head.continues = false;
    return waits;
}

void http_framing_release(struct http_framing *framing)
{
    text_free(&framing->line);
    text_free(&framing->body);
    text_free(&framing->head.text);
}

void http_framing_reset(struct http_framing *framing)
{
    http_framing_release(framing);
    http_head_free(&framing->head);
    http_framing_init(framing, framing->header_max, framing->body_max);
}

static void refuse(struct http_framing *framing, int status, const char *text)
{
    framing->state = HTTP_FRAMING_REFUSED;
    framing->refusal = http_refuse(status, text);
    http_head_replace(&framing->head);
}

static void finish(struct http_framing *framing)
{
    framing->state = HTTP_FRAMING_WHOLE;
    http_head_finish(&framing->head, framing->body.length);
}

/* Lines ------------------------------------------------------------------- */

/* Moves on, or refuses. */
static void judge(struct http_framing *framing, struct http_refusal refusal,
                  enum http_framing_state next)
{
    if (refusal.status)
        refuse(framing, refusal.status, refusal.text);
    else
        framing->state = next;
}

static void end_head(struct http_framing *framing)
{
    const struct http_head *head = &framing->head;

    framing->left = head->length;
    judge(framing, http_head_end(head, framing->body_max),
          head->chunked ? HTTP_FRAMING_CHUNK_SIZE : HTTP_FRAMING_BODY);
    if (framing->state == HTTP_FRAMING_BODY && framing->left == 0)
        finish(framing);
}

/* SIZE[;EXTENSION...], of which the extensions are dropped. */
static void end_chunk_size(struct http_framing *framing, const char *line)
{
    size_t digits = strspn(line, "0123456789abcdefABCDEF");
    const char *rest = line + digits;

    /* Blanks may stand before an extension, and nowhere else. */
    if (*rest != '\0')
        rest += strspn(rest, " \t");
    if (digits == 0 || digits > CHUNK_DIGITS_MAX || (line[digits] != '\0' && *rest != ';')) {
        refuse(framing, 400, "the size of a chunk is not a hexadecimal number");
        return;
    }
    framing->left = strtoull(line, NULL, 16);
    if (framing->left > framing->body_max - framing->body.length)
        refuse(framing, 413, "the body is too large");
    else
        framing->state = framing->left > 0 ? HTTP_FRAMING_CHUNK : HTTP_FRAMING_TRAILERS;
}

static void end_line(struct http_framing *framing)
{
    char none[] = "", *line = framing->line.length > 0 ? framing->line.data : none;
    bool empty = framing->line.length == 0;

    framing->cr = false;
    framing->line.length = 0;
    switch (framing->state) {
    case HTTP_FRAMING_REQUEST_LINE:
        /* Some peers send an empty line behind a body. */
        if (empty)
            framing->head_size = 0;
        else
            judge(framing, http_head_request_line(&framing->head, line), HTTP_FRAMING_FIELDS);
        break;
    case HTTP_FRAMING_FIELDS:
        if (empty)
            end_head(framing);
        else
            judge(framing, http_head_field(&framing->head, line), HTTP_FRAMING_FIELDS);
        break;
    case HTTP_FRAMING_CHUNK_SIZE:
        end_chunk_size(framing, line);
        break;
    case HTTP_FRAMING_CHUNK_END:
        framing->state = HTTP_FRAMING_CHUNK_SIZE;
        break;
    case HTTP_FRAMING_TRAILERS:
        if (empty)
            finish(framing);
        else
            judge(framing, http_head_trailer(line), HTTP_FRAMING_TRAILERS);
        break;
    default:
        break;
    }
}

static bool is_in_chunks(const struct http_framing *framing)
{
    return framing->state == HTTP_FRAMING_CHUNK_SIZE || framing->state == HTTP_FRAMING_CHUNK_END;
}

/* A line between chunks is no part of the head. */
static void count(struct http_framing *framing, size_t bytes)
{
    if (!is_in_chunks(framing))
        framing->head_size += bytes;
}

/* How many more bytes the present line may have, with its end. */
static size_t line_room(const struct http_framing *framing)
{
    if (is_in_chunks(framing))
        return CHUNK_LINE_MAX - framing->line.length - framing->cr;
    return framing->header_max - framing->head_size;
}

static void refuse_too_long(struct http_framing *framing)
{
    if (framing->state == HTTP_FRAMING_CHUNK_SIZE)
        refuse(framing, 400, "the extensions of a chunk are too long");
    else if (framing->state != HTTP_FRAMING_REQUEST_LINE)
        refuse(framing, 431, "the headers are too large");
    else if (framing->line.length > 0 &&
             memchr(framing->line.data, ' ', framing->line.length) == NULL)
        refuse(framing, 501, "this method is not supported");
    else
        refuse(framing, 414, "the target is too long");
}

static bool is_text(unsigned char byte)
{
    return byte >= ' ' ? byte != 0x7f : byte == '\t';
}

/* A byte that is neither text nor the end of a line. */
static void take_other(struct http_framing *framing, char byte)
{
    if (framing->cr != (byte == '\n'))
        refuse(framing, 400, "a line does not end in CR LF");
    else if (byte == '\n')
        end_line(framing);
    else if (byte == '\r')
        framing->cr = true;
    else
        refuse(framing, 400, "there is a control character in a line");
}

/* Takes text at once up to what ends it, or the byte that does. */
static size_t take_line(struct http_framing *framing, const char *bytes, size_t size)
{
    size_t room = line_room(framing), taken = 0;

    if (room == 0) {
        refuse_too_long(framing);
        return 0;
    }
    while (taken < size && taken < room && is_text((unsigned char)bytes[taken]))
        taken++;
    if (taken == 0 || framing->cr) {
        count(framing, 1);
        take_other(framing, *bytes);
        return 1;
    }
    count(framing, taken);
    if (framing->state == HTTP_FRAMING_CHUNK_END)
        refuse(framing, 400, "a chunk is longer than its size");
    else
        text_append_bytes(&framing->line, bytes, taken);
    return taken;
}

/* Bodies ------------------------------------------------------------------ */

static size_t take_body(struct http_framing *framing, const char *bytes, size_t size)
{
    size_t taken = size < framing->left ? size : (size_t)framing->left;

    text_append_bytes(&framing->body, bytes, taken);
    framing->left -= taken;
    if (framing->left == 0 && framing->state == HTTP_FRAMING_CHUNK)
        framing->state = HTTP_FRAMING_CHUNK_END;
    else if (framing->left == 0)
        finish(framing);
    return taken;
}

size_t http_framing_take(struct http_framing *framing, const char *bytes, size_t size)
{
    size_t taken = 0;

    while (taken < size && !http_framing_is_over(framing)) {
        if (framing->state == HTTP_FRAMING_BODY || framing->state == HTTP_FRAMING_CHUNK)
            taken += take_body(framing, bytes + taken, size - taken);
        else
            taken += take_line(framing, bytes + taken, size - taken);
    }
    /* With anything missing it is not the peer's request any more. */
    if (framing->state != HTTP_FRAMING_REFUSED &&
        (framing->line.failed || framing->body.failed || framing->head.text.failed))
        refuse(framing, 503, "out of memory");
    return taken;
}
