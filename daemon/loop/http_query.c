/* SPDX-License-Identifier: MIT */
#include "daemon/loop/http_query.h"

#include <ctype.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"

/* Each % has two digits: evhttp_uridecode() would leave another one as it is. */
static bool is_encoded_well(const char *text)
{
    for (const char *at = text; (at = strchr(at, '%')); at++)
        if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
            return false;
    return true;
}

/* A NUL would hide the rest, and no name or number has a line break. */
static bool has_control(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (iscntrl((unsigned char)text[i]))
            return true;
    return false;
}

/* In place: it becomes no longer. */
static struct http_refusal decode(char *text)
{
    cleanup_free char *decoded = NULL;
    size_t size;

    if (!is_encoded_well(text))
        return http_refuse(400, "a parameter has a % without two hexadecimal digits");
    decoded = evhttp_uridecode(text, 1, &size);
    if (!decoded)
        return http_refuse(503, "out of memory");
    if (has_control(decoded, size))
        return http_refuse(400, "a parameter has a control character");
    memcpy(text, decoded, size + 1);
    return HTTP_ACCEPTED;
}

static struct http_refusal add(struct http_query *query, char *name)
{
    char *equals = strchr(name, '='), *value = equals ? equals + 1 : name + strlen(name);
    struct http_refusal refusal;

    if (equals)
        *equals = '\0';
    refusal = decode(name);
    if (refusal.status == 0)
        refusal = decode(value);
    if (refusal.status)
        return refusal;
    if (*name == '\0')
        return http_refuse(400, "a parameter has no name");
    if (http_query_find(query, name))
        return http_refuse(400, "a parameter is given more than once");
    _Static_assert(HTTP_QUERY_PARAMETERS == 16, "as the text says");
    if (query->count == HTTP_QUERY_PARAMETERS)
        return http_refuse(400, "there are more than 16 parameters");
    query->parameters[query->count].name = name;
    query->parameters[query->count].value = value;
    query->count++;
    return HTTP_ACCEPTED;
}

struct http_refusal http_query_parse(struct http_query *query, const char *text)
{
    struct http_refusal refusal = HTTP_ACCEPTED;
    char *position, *parameter;

    *query = (struct http_query){0};
    if (!text)
        return HTTP_ACCEPTED;
    position = query->text = strdup(text);
    if (!position)
        return http_refuse(503, "out of memory");
    /* Between two & there may be nothing. */
    while (refusal.status == 0 && (parameter = strsep(&position, "&")))
        if (*parameter != '\0')
            refusal = add(query, parameter);
    if (refusal.status)
        query->count = 0;
    return refusal;
}

const char *http_query_find(const struct http_query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcasecmp(query->parameters[i].name, name) == 0)
            return query->parameters[i].value;
    return NULL;
}

const char *http_query_find_foreign(const struct http_query *query, const char *const *known)
{
    for (size_t i = 0; i < query->count; i++) {
        const char *const *name = known;

        while (*name && strcasecmp(query->parameters[i].name, *name) != 0)
            name++;
        if (!*name)
            return query->parameters[i].name;
    }
    return NULL;
}

void http_query_free(struct http_query *query)
{
    free(query->text);
    *query = (struct http_query){0};
}
