/* SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <errno.h>
#include <locale.h>
#include <reeve/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "modules/httpcheck/httpcheck_address.h"

/* libcurl has it since 7.88; an older one gives the name as it is written. */
#ifndef CURLU_PUNYCODE
#define CURLU_PUNYCODE 0
#endif

/* A part, which the caller frees; NULL where there is none. */
static char *get(CURLU *parts, CURLUPart part, unsigned flags)
{
    char *text = NULL, *copy;

    if (curl_url_get(parts, part, &text, flags) != CURLUE_OK)
        return NULL;
    copy = strdup(text);
    curl_free(text);
    return copy;
}

static bool is_one_of(const char *scheme, const char *const *schemes)
{
    for (; *schemes; schemes++)
        if (strcasecmp(scheme, *schemes) == 0)
            return true;
    return false;
}

static void name_schemes(const char *const *schemes, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; schemes[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s://",
                                 i == 0           ? ""
                                 : schemes[i + 1] ? ", "
                                                  : " or ",
                                 schemes[i]);
}

/* A user without a password, or with one that stands for none, is a token, and is masked like a
 * password: as rv_redact_urls() does it. */
static bool is_token(const struct address *address)
{
    return address->user && (!address->password || strlen(address->password) < 3 ||
                             strcmp(address->password, "x-oauth-basic") == 0);
}

static char *make_shown(CURLU *parts, const struct address *address)
{
    char *scheme = get(parts, CURLUPART_SCHEME, 0), *host = get(parts, CURLUPART_HOST, 0);
    char *port = get(parts, CURLUPART_PORT, 0), *path = get(parts, CURLUPART_PATH, 0);
    const char *user = address->user && !is_token(address) ? address->user : "";
    char *shown = NULL;

    if (scheme && asprintf(&shown, "%s://%s%s%s%s%s%s%s", scheme, user,
                           is_token(address)   ? "***@"
                           : address->password ? ":***@"
                                               : "",
                           host ? host : "", port ? ":" : "", port ? port : "", path ? path : "",
                           address->query ? "?..." : "") < 0)
        shown = NULL;
    free(scheme);
    free(host);
    free(port);
    free(path);
    return shown;
}

/* In small letters, and with the port that the scheme has by default, so that two are the same
 * text. */
static char *make_origin(CURLU *parts, const struct address *address)
{
    char *scheme = get(parts, CURLUPART_SCHEME, 0), *origin = NULL;

    if (scheme && asprintf(&origin, "%s://%s:%s", scheme, address->host, address->port) < 0)
        origin = NULL;
    for (char *p = origin; p && *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    free(scheme);
    return origin;
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && !((unsigned char)*text & 0x80))
        text++;
    return *text == '\0';
}

/* The host as the network knows it: an internationalized name is written in ASCII, in the URL too,
 * as libcurl would convert it by the locale, and modules have none. Returns 0, -EINVAL or -ENOMEM.
 */
static int take_host(CURLU *parts, char **ret_host)
{
    locale_t utf8, before;
    bool good;
    char *url;

    *ret_host = get(parts, CURLUPART_HOST, 0);
    if (!*ret_host || is_ascii(*ret_host))
        return *ret_host ? 0 : -ENOMEM;
    free(*ret_host);
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    before = uselocale(utf8);
    /* Not the host alone, whose copy libcurl 7.88 loses when there is an error. */
    url = get(parts, CURLUPART_URL, CURLU_PUNYCODE);
    uselocale(before);
    if (utf8)
        freelocale(utf8);
    good = url && curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
    free(url);
    *ret_host = good ? get(parts, CURLUPART_HOST, 0) : NULL;
    return *ret_host && is_ascii(*ret_host) ? 0 : -EINVAL;
}

/* Returns 0; -EINVAL for a name that cannot be converted; or -ENOMEM. */
static int take_apart(CURLU *parts, struct address *address)
{
    int r;

    address->user = get(parts, CURLUPART_USER, CURLU_URLDECODE);
    address->password = get(parts, CURLUPART_PASSWORD, CURLU_URLDECODE);
    address->query = get(parts, CURLUPART_QUERY, 0);
    address->port = get(parts, CURLUPART_PORT, 0);
    address->own_port = address->port != NULL;
    if (!address->port)
        address->port = get(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    /* That of SOCKS is not known here. */
    if (!address->port)
        address->port = strdup("0");
    address->shown = make_shown(parts, address);
    r = take_host(parts, &address->host);
    if (r < 0 || !address->port)
        return r < 0 ? r : -ENOMEM;
    address->origin = make_origin(parts, address);
    if (curl_url_set(parts, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
        curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
        curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
        return -ENOMEM;
    address->url = get(parts, CURLUPART_URL, 0);
    return address->shown && address->origin && address->url ? 0 : -ENOMEM;
}

/* The contents of `parts`. `before` stands before the address in a text. */
static int finish(CURLU *parts, const char *before, const char *const *schemes,
                  struct address *ret_address)
{
    char *scheme = get(parts, CURLUPART_SCHEME, 0), names[64], shown[SHOWN_SIZE];
    bool good = scheme && is_one_of(scheme, schemes);
    const char *text = "the address";
    int r;

    free(scheme);
    *ret_address = (struct address){0};
    name_schemes(schemes, names, sizeof(names));
    r = take_apart(parts, ret_address);
    if (ret_address->shown)
        text = shorten(ret_address->shown, shown, sizeof(shown));
    if (!good)
        r = rv_fail_text(-EINVAL, "%s%s: expected %s", before, text, names);
    else if (r == -EINVAL)
        r = rv_fail_text(r, "%s%s: the name cannot be written in ASCII; give it as xn--...", before,
                         text);
    else if (r < 0)
        r = rv_fail(r, "%s%s", before, text);
    if (r < 0)
        address_free(ret_address);
    return r;
}

int address_parse(const char *key, const char *url, const char *const *schemes,
                  struct address *ret_address)
{
    CURLU *parts = curl_url();
    const char *colon = strstr(url, "://");
    char before[64], names[64];
    CURLUcode code;
    int r;

    *ret_address = (struct address){0};
    if (!parts)
        return rv_fail(-ENOMEM, "%s", key);
    /* Such as "file": what may be is looked at here. */
    code = curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    snprintf(before, sizeof(before), "%s = ", key);
    name_schemes(schemes, names, sizeof(names));
    if (code == CURLUE_OUT_OF_MEMORY)
        r = rv_fail(-ENOMEM, "%s", key);
    else if (code != CURLUE_OK && colon && colon - url < 16)
        r = rv_fail_text(-EINVAL, "%s%.*s://...: it is no URL: %s", before, (int)(colon - url), url,
                         curl_url_strerror(code));
    else if (code != CURLUE_OK)
        r = rv_fail_text(-EINVAL, "%s...: it does not begin with %s", before, names);
    else
        r = finish(parts, before, schemes, ret_address);
    curl_url_cleanup(parts);
    return r;
}

int address_follow(const struct address *from, const char *location, struct address *ret_address)
{
    static const char *const schemes[] = {"http", "https", NULL};
    /* Servers send blanks and letters as they are, and every browser follows them. */
    const unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_ALLOW_SPACE | CURLU_URLENCODE;
    CURLU *parts = curl_url();
    int r;

    *ret_address = (struct address){0};
    if (!parts)
        return rv_fail(-ENOMEM, "a redirect");
    if (curl_url_set(parts, CURLUPART_URL, from->url, 0) != CURLUE_OK ||
        curl_url_set(parts, CURLUPART_URL, location, flags) != CURLUE_OK)
        r = rv_fail_text(-EINVAL, "redirected to what is no URL");
    else
        r = finish(parts, "redirected to ", schemes, ret_address);
    curl_url_cleanup(parts);
    return r;
}

void address_free(struct address *address)
{
    char *const texts[] = {address->shown, address->url,  address->origin,   address->host,
                           address->port,  address->user, address->password, address->query};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    *address = (struct address){0};
}

void hide(char *text, const char *secret)
{
    size_t length = secret ? strlen(secret) : 0;
    char *place;

    if (length < 3)
        return;
    while ((place = strstr(text, secret))) {
        memset(place, '*', 3);
        memmove(place + 3, place + length, strlen(place + length) + 1);
        text = place + 3;
    }
}

void address_hide(const struct address *address, char *text)
{
    hide(text, is_token(address) ? address->user : address->password);
    hide(text, address->query);
}

static bool is_inside_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

const char *shorten(const char *text, char *buffer, size_t size)
{
    static const char gap[] = "[...]";
    size_t length = strlen(text), head, tail;

    if (length < size)
        return text;
    head = (size - sizeof(gap)) / 2;
    tail = length - (size - sizeof(gap) - head);
    while (head > 0 && is_inside_character(text[head]))
        head--;
    while (is_inside_character(text[tail]))
        tail++;
    snprintf(buffer, size, "%.*s%s%s", (int)head, text, gap, text + tail);
    return buffer;
}
