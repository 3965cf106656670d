/* SPDX-License-Identifier: MIT */
#include "daemon/edge/respond.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/serialize/fields.h"

bool respond_find_foreign(struct http_request *request, const char *path,
                          const char *const parameters[RESPOND_PARAMETERS], char *ret_text,
                          size_t size)
{
    const char *foreign = http_request_foreign_parameter(request, parameters);
    cleanup_text struct text text = {0};
    struct nearest nearest;
    char shown[80];

    if (!foreign)
        return false;
    string_copy(shown, sizeof(shown), foreign);
    text_sanitise(shown);
    nearest_begin(&nearest, foreign);
    for (size_t i = 0; parameters[i]; i++)
        nearest_offer(&nearest, parameters[i]);
    text_append_format(&text, "unknown parameter \"%s\"%s%s %s takes %s", shown,
                       nearest_words(&nearest), nearest_found(&nearest) ? "" : ";", path,
                       parameters[0] ? "" : "no parameter");
    for (size_t i = 0; parameters[i]; i++)
        text_append_format(&text, "%s%s", i > 0 ? ", " : "", parameters[i]);
    string_copy(ret_text, size, text_string(&text));
    return true;
}

void respond_text(struct http_request *request, int status, const char *format, ...)
{
    struct http_response response = {.status = status, .content_type = "text/plain; charset=utf-8"};
    char line[512];
    va_list args;

    va_start(args, format);
    /* A byte stays free for the line end. */
    vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    strcat(line, "\n");
    response.body = line;
    response.size = strlen(line);
    http_respond(request, &response);
}

void respond_json(struct http_request *request, int status, const char *type, json_t *json)
{
    struct http_response response = {.status = status, .content_type = type};
    char *body = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

    json_decref(json);
    if (!body) {
        respond_text(request, 503, "out of memory");
        return;
    }
    /* A document's last line ends as every line does: kind to a terminal. The end is written over
     * the terminator. */
    response.size = strlen(body);
    body[response.size++] = '\n';
    response.body = body;
    http_respond(request, &response);
    free(body);
}

void respond_error(struct http_request *request, int status, int code, const char *format, ...)
{
    const char *name = strerrorname_np(-code);
    char text[700];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* It may quote the peer, who can send what no JSON can hold. */
    text_clean(text, sizeof(text));
    respond_json(request, status, RESPOND_JSON,
                 json_pack("{s:o, s:s}", "error", serialize_text(text), "code", name ? name : "?"));
}

json_t *json_seconds(int64_t ns)
{
    return json_real((double)ns / NSEC_PER_SEC);
}
