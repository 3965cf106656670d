/* SPDX-License-Identifier: MIT */
/* The verdict on an answer: when enough of it has come, where it leads, and what is said of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/httpcheck/httpcheck_verdict.h"

/* How much of a body is looked at. */
#define BODY_MAX ((size_t)1024 * 1024)

/* The body ---------------------------------------------------------------- */

static long status_of(const struct transfer *transfer)
{
    long status = 0;

    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Looks for the text in a piece of the body of at most CURL_MAX_WRITE_SIZE, and across its border
 * to the one before. */
static void search(struct transfer *transfer, const char *data, size_t size)
{
    const char *wanted = transfer->check->expect_body;
    size_t length = strlen(wanted), whole;

    size = size < BODY_MAX - transfer->seen ? size : BODY_MAX - transfer->seen;
    memcpy(transfer->window + transfer->overlap, data, size);
    whole = transfer->overlap + size;
    transfer->seen += size;
    transfer->found = memmem(transfer->window, whole, wanted, length) != NULL;
    transfer->overlap = whole < length ? whole : length - 1;
    memmove(transfer->window, transfer->window + whole - transfer->overlap, transfer->overlap);
}

/* Whether it leads elsewhere. A status that is expected is what was asked for, and is not followed.
 */
static bool redirects(const struct transfer *transfer)
{
    const struct httpcheck *check = transfer->check;
    long status = status_of(transfer);

    return check->follow_redirects && status != check->expect_status &&
           (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

/* Ends the transfer at the end of the headers when the body cannot change the verdict: it may never
 * come. */
size_t verdict_take_header(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    long status = status_of(transfer);
    bool is_end = size * count > 0 && (data[0] == '\r' || data[0] == '\n');

    /* A line before the answer (103 Early Hints) is no answer. */
    if (!is_end || status < 200)
        return size * count;
    transfer->answered = true;
    transfer->enough = !transfer->window || status != transfer->check->expect_status;
    return transfer->enough ? 0 : size * count;
}

/* Ends the transfer, by taking less than there is, when nothing that is still to come can change
 * the verdict: it may be gigabytes, or have no end. */
size_t verdict_take_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;

    if (size * count == 0)
        return 0;
    transfer->enough = !transfer->window || status_of(transfer) != transfer->check->expect_status;
    for (size_t left = size * count, piece; left > 0 && !transfer->enough; left -= piece) {
        piece = left < CURL_MAX_WRITE_SIZE ? left : CURL_MAX_WRITE_SIZE;
        search(transfer, data + size * count - left, piece);
        transfer->enough = transfer->found || transfer->seen == BODY_MAX;
    }
    return transfer->enough ? 0 : size * count;
}

/* Results ----------------------------------------------------------------- */

/* CURLE_TOO_LARGE, which libcurl has from 8.6 on. */
#define TOO_LARGE ((CURLcode)100)

/* A text of libcurl, with what else there is to say. */
static void explain(struct fetch *fetch, struct transfer *transfer, CURLcode code)
{
    const struct httpcheck *check = fetch->check;
    char *text = transfer->detail;

    if (code == TOO_LARGE)
        snprintf(text, sizeof(transfer->detail), "a header is too long");
    /* That is also what libcurl before 8.6 says of a header of more than 100 KB. */
    else if (code == CURLE_OUT_OF_MEMORY)
        snprintf(text, sizeof(transfer->detail), "a header is too long, or memory is missing");
    else if (transfer->socket_error != 0)
        snprintf(text, sizeof(transfer->detail),
                 "no connection could be begun, and nobody was asked: %s",
                 strerror(transfer->socket_error));
    else if (text[0] == '\0')
        snprintf(text, sizeof(transfer->detail), "%s", curl_easy_strerror(code));
    address_hide(&fetch->target->address, text);
    address_hide(transfer->address, text);
    /* A user whose password is in the key is no token, but maybe a word of the text. */
    if (!check->proxy_password)
        address_hide(&check->via, text);
    hide(text, check->via.password);
    hide(text, check->password);
    hide(text, check->token);
    hide(text, check->proxy_password);
    if (transfer->variable[0] != '\0')
        hide(text, getenv(transfer->variable));
    snprintf(fetch->error, sizeof(fetch->error), "%s", text);
}

void verdict_judge(struct fetch *fetch, struct transfer *transfer, CURLcode code)
{
    const struct httpcheck *check = fetch->check;

    if (code == CURLE_WRITE_ERROR && transfer->enough)
        code = CURLE_OK;
    if (code != CURLE_OK)
        explain(fetch, transfer, code);
    else if (!transfer->answered)
        snprintf(fetch->error, sizeof(fetch->error), "the answer broke off within its headers");
    else if (status_of(transfer) != check->expect_status)
        snprintf(fetch->error, sizeof(fetch->error), "status %ld, expected %lld",
                 status_of(transfer), (long long)check->expect_status);
    else if (transfer->window && !transfer->found)
        snprintf(fetch->error, sizeof(fetch->error), "the body has no \"%.100s\"",
                 check->expect_body);
}

/* An operator who looks for the fault needs to know the proxy. */
void verdict_name_proxy(struct fetch *fetch, const struct transfer *transfer)
{
    size_t length = strlen(fetch->error);
    char shown[SHOWN_SIZE];

    if (length == 0)
        return;
    if (fetch->check->via.shown)
        snprintf(fetch->error + length, sizeof(fetch->error) - length, " (by the proxy %s)",
                 shorten(fetch->check->via.shown, shown, sizeof(shown)));
    else if (transfer->variable[0] != '\0')
        snprintf(fetch->error + length, sizeof(fetch->error) - length, " (by the proxy of $%s)",
                 transfer->variable);
}

void verdict_take_location(struct transfer *transfer)
{
    struct curl_header *header;

    /* Of headers that have come to their end. */
    if (transfer->enough && redirects(transfer) &&
        curl_easy_header(transfer->curl, "Location", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        transfer->location = strdup(header->value);
}
