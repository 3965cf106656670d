/* SPDX-License-Identifier: MIT */
#include "daemon/loop/http_framing.h"

#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <string.h>
#include <strings.h>

/* How often a header is there. */
static unsigned count(const struct evkeyvalq *headers, const char *name)
{
    unsigned found = 0;

    for (const struct evkeyval *h = headers->tqh_first; h; h = h->next.tqe_next)
        if (strcasecmp(h->key, name) == 0)
            found++;
    return found;
}

/* "Content-Length : 5" is no length for evhttp, and one for others. */
static bool names_are_clear(const struct evkeyvalq *headers)
{
    for (const struct evkeyval *h = headers->tqh_first; h; h = h->next.tqe_next)
        if (h->key[0] == '\0' || strpbrk(h->key, " \t"))
            return false;
    return true;
}

/* evhttp reads no body of these, whatever their headers say, and would take it for the next request. */
static bool body_is_read(struct evhttp_request *request)
{
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_HEAD:
    case EVHTTP_REQ_TRACE:
    case EVHTTP_REQ_CONNECT:
        return false;
    default:
        return true;
    }
}

bool http_framing_is_clear(struct evhttp_request *request)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    unsigned lengths = count(headers, "Content-Length");
    unsigned codings = count(headers, "Transfer-Encoding");
    const char *length = evhttp_find_header(headers, "Content-Length");
    const char *coding = evhttp_find_header(headers, "Transfer-Encoding");

    if (lengths + codings > 1 || count(headers, "Host") > 1 || !names_are_clear(headers))
        return false;
    if (length && (length[0] == '\0' || length[strspn(length, "0123456789")] != '\0'))
        return false;
    if ((coding || (length && length[strspn(length, "0")] != '\0')) && !body_is_read(request))
        return false;
    return !coding || strcasecmp(coding, "chunked") == 0;
}
