/* SPDX-License-Identifier: MIT */
#include "daemon/loop/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The parts of a request that a byte may be in. A target is RFC 3986's without '#', since a
 * fragment is never sent. */
enum { TOKEN = 1, TARGET = 2, NAME = 4, HEX = 8, DIGIT = 16, BLANK = 32 };

static const unsigned char classes[256] = {
    ['0' ... '9'] = DIGIT | HEX | NAME | TARGET | TOKEN,
    ['a' ... 'f'] = HEX | NAME | TARGET | TOKEN,
    ['A' ... 'F'] = HEX | NAME | TARGET | TOKEN,
    ['g' ... 'z'] = NAME | TARGET | TOKEN,
    ['G' ... 'Z'] = NAME | TARGET | TOKEN,
    ['-'] = NAME | TARGET | TOKEN,
    ['.'] = NAME | TARGET | TOKEN,
    ['_'] = NAME | TARGET | TOKEN,
    ['~'] = NAME | TARGET | TOKEN,
    ['!'] = TARGET | TOKEN,
    ['$'] = TARGET | TOKEN,
    ['%'] = TARGET | TOKEN,
    ['&'] = TARGET | TOKEN,
    ['\''] = TARGET | TOKEN,
    ['*'] = TARGET | TOKEN,
    ['+'] = TARGET | TOKEN,
    ['#'] = TOKEN,
    ['^'] = TOKEN,
    ['`'] = TOKEN,
    ['|'] = TOKEN,
    ['('] = TARGET,
    [')'] = TARGET,
    [','] = TARGET,
    ['/'] = TARGET,
    [':'] = TARGET,
    [';'] = TARGET,
    ['='] = TARGET,
    ['?'] = TARGET,
    ['@'] = TARGET,
    [' '] = BLANK,
    ['\t'] = BLANK,
};

static bool is_a(char byte, int class)
{
    return classes[(unsigned char)byte] & class;
}

/* How many bytes of the class the text begins with. */
static size_t span(const char *text, int class)
{
    size_t length = 0;

    while (is_a(text[length], class))
        length++;
    return length;
}

static bool consists_of(const char *text, int class)
{
    size_t length = span(text, class);

    return length > 0 && text[length] == '\0';
}

/* The request line -------------------------------------------------------- */

struct http_head_method {
    const char *name;
    bool may_have_body;
};

/* Without CONNECT, since this is no proxy. */
static const struct http_head_method methods[] = {
    {"GET", true},    {"HEAD", false},   {"POST", true},   {"PUT", true},
    {"DELETE", true}, {"OPTIONS", true}, {"TRACE", false}, {"PATCH", true},
};

static const struct http_head_method *find_method(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(name, methods[i].name) == 0)
            return &methods[i];
    return NULL;
}

static struct http_refusal read_version(struct http_head *head, const char *version)
{
    if (strlen(version) != strlen("HTTP/1.1") || strncmp(version, "HTTP/", 5) != 0 ||
        !is_a(version[5], DIGIT) || version[6] != '.' || !is_a(version[7], DIGIT))
        return http_refuse(400, "the version is neither HTTP/1.0 nor HTTP/1.1");
    if (version[5] != '1' || version[7] > '1')
        return http_refuse(505, "only HTTP/1.0 and HTTP/1.1 are supported");
    head->minor = version[7] - '0';
    head->has_version = true;
    return HTTP_ACCEPTED;
}

static bool is_well_encoded(const char *target)
{
    for (const char *at = strchr(target, '%'); at; at = strchr(at + 1, '%'))
        if (!is_a(at[1], HEX) || !is_a(at[2], HEX))
            return false;
    return true;
}

/* HOST or HOST:PORT, without a user. */
static bool is_authority(const char *text)
{
    const char *end = text;

    if (*text == '[') {
        end++;
        while (is_a(*end, HEX) || *end == ':' || *end == '.')
            end++;
        if (end == text + 1 || *end++ != ']')
            return false;
    } else {
        end += span(text, NAME);
        if (end == text)
            return false;
    }
    if (*end == ':') {
        size_t digits = span(++end, DIGIT);

        if (digits <= 5)
            end += digits;
    }
    return *end == '\0';
}

/* Leaves what follows http://HOST. */
static struct http_refusal read_absolute(struct http_head *head, const char *authority,
                                         const char **ret_path)
{
    size_t length = strcspn(authority, "/?");

    *ret_path = authority + length;
    head->authority = strndup(authority, length);
    if (!head->authority)
        return http_refuse(503, "out of memory");
    if (!is_authority(head->authority))
        return http_refuse(400, "the authority of the target is not HOST or HOST:PORT");
    return HTTP_ACCEPTED;
}

static struct http_refusal check_path(const struct http_head *head, const char *path)
{
    bool asterisk = strcmp(path, "*") == 0;

    if (asterisk && strcmp(head->method->name, "OPTIONS") != 0)
        return http_refuse(400, "the target * is for OPTIONS only");
    if (!asterisk && *path != '/' && !head->authority)
        return http_refuse(400, "the target is neither a path nor http://HOST/PATH");
    if (path[span(path, TARGET)] != '\0' || !is_well_encoded(path))
        return http_refuse(400, "the target has characters that must be percent-encoded");
    /* evhttp takes what follows for a host, and only the rest for the path. */
    if (strncmp(path, "//", 2) == 0)
        return http_refuse(400, "the path begins with two slashes");
    return HTTP_ACCEPTED;
}

static struct http_refusal read_target(struct http_head *head, const char *target)
{
    struct http_refusal refusal = HTTP_ACCEPTED;
    const char *path = target;

    if (strncasecmp(target, "http://", 7) == 0)
        refusal = read_absolute(head, target + 7, &path);
    if (refusal.status == 0)
        refusal = check_path(head, path);
    if (refusal.status)
        return refusal;
    text_append(&head->text, head->method->name);
    text_append(&head->text, *path == '\0' || *path == '?' ? " /" : " ");
    text_append(&head->text, path);
    text_append(&head->text, head->minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    return HTTP_ACCEPTED;
}

struct http_refusal http_head_request_line(struct http_head *head, char *line)
{
    char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
    struct http_refusal refusal;

    if (!version)
        return http_refuse(400, "the request line is not METHOD TARGET VERSION");
    *target++ = *version++ = '\0';
    if (!consists_of(line, TOKEN))
        return http_refuse(400, "the method is not a name");
    head->method = find_method(line);
    refusal = read_version(head, version);
    if (refusal.status == 0 && !head->method)
        refusal = http_refuse(501, "this method is not supported");
    return refusal.status ? refusal : read_target(head, target);
}

/* Fields ------------------------------------------------------------------ */

/* Whether a list has a word, in whatever case. */
static bool list_has(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (*list != '\0') {
        list += strspn(list, ", \t");
        if (strncasecmp(list, word, length) == 0 &&
            (list[length] == '\0' || strchr(", \t", list[length])))
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

static void append_field(struct http_head *head, const char *name, const char *value)
{
    text_append(&head->text, name);
    text_append(&head->text, ": ");
    text_append(&head->text, value);
    text_append(&head->text, "\r\n");
}

/* There may be several; evhttp would look at the first, and at the whole of it. */
static struct http_refusal read_connection(struct http_head *head, const char *value)
{
    head->closes |= list_has(value, "close");
    head->keeps |= list_has(value, "keep-alive");
    return HTTP_ACCEPTED;
}

static struct http_refusal read_length(struct http_head *head, const char *value)
{
    if (head->has_length)
        return http_refuse(400, "Content-Length is sent more than once");
    if (!consists_of(value, DIGIT))
        return http_refuse(400, "Content-Length is not a number");
    head->has_length = true;
    for (; *value != '\0'; value++)
        if (__builtin_mul_overflow(head->length, 10, &head->length) ||
            __builtin_add_overflow(head->length, *value - '0', &head->length)) {
            head->length = UINT64_MAX;
            break;
        }
    return HTTP_ACCEPTED;
}

/* Nothing but the plain word. A list with empty elements (",chunked") is legal, but nobody sends
 * one, and servers differ in what they make of it: that is how a request is smuggled past a proxy.
 */
static struct http_refusal read_coding(struct http_head *head, const char *value)
{
    const char *last = strrchr(value, ',');

    if (head->chunked)
        return http_refuse(400, "Transfer-Encoding is sent more than once");
    head->chunked = true;
    if (strcasecmp(value, "chunked") == 0)
        return HTTP_ACCEPTED;
    if (last && strcasecmp(last + 1 + span(last + 1, BLANK), "chunked") == 0)
        return http_refuse(501, "the only supported transfer coding is chunked");
    return http_refuse(400, "Transfer-Encoding does not end in chunked");
}

static struct http_refusal read_expect(struct http_head *head, const char *value)
{
    if (strcasecmp(value, "100-continue") == 0)
        head->continues = true;
    else
        head->expects = true;
    return HTTP_ACCEPTED;
}

static struct http_refusal read_host(struct http_head *head, const char *value)
{
    if (head->has_host)
        return http_refuse(400, "Host is sent more than once");
    head->has_host = true;
    /* An empty one says that the URI has none. */
    if (*value != '\0' && !is_authority(value))
        return http_refuse(400, "Host is not HOST or HOST:PORT");
    if (head->authority && strcasecmp(head->authority, value) != 0)
        return http_refuse(400, "the target and Host name different hosts");
    append_field(head, "Host", value);
    return HTTP_ACCEPTED;
}

static const struct {
    const char *name;
    struct http_refusal (*read)(struct http_head *head, const char *value);
} fields[] = {
    {"Connection", read_connection},
    {"Content-Length", read_length},
    {"Expect", read_expect},
    {"Host", read_host},
    {"Transfer-Encoding", read_coding},
};

/* Cuts a line into a name and a value without blanks about it. */
static struct http_refusal split(char *line, char **ret_value)
{
    size_t name_length = span(line, TOKEN), length;
    char *value = line + name_length;

    if (is_a(*line, BLANK))
        return http_refuse(400, "a header is folded over two lines");
    if (name_length == 0 || *value != ':')
        return http_refuse(400, "a header is not NAME: VALUE");
    *value++ = '\0';
    value += span(value, BLANK);
    length = strlen(value);
    while (length > 0 && is_a(value[length - 1], BLANK))
        length--;
    value[length] = '\0';
    *ret_value = value;
    return HTTP_ACCEPTED;
}

struct http_refusal http_head_field(struct http_head *head, char *line)
{
    char *value;
    struct http_refusal refusal = split(line, &value);

    if (refusal.status)
        return refusal;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (strcasecmp(line, fields[i].name) == 0)
            return fields[i].read(head, value);
    append_field(head, line, value);
    return HTTP_ACCEPTED;
}

struct http_refusal http_head_trailer(char *line)
{
    char *value;

    return split(line, &value);
}

/* As a whole -------------------------------------------------------------- */

struct http_refusal http_head_end(const struct http_head *head, uint64_t body_max)
{
    if (head->authority && !head->has_host)
        return http_refuse(400, "a target with a host requires a Host header");
    if (head->minor > 0 && !head->has_host)
        return http_refuse(400, "HTTP/1.1 requires a Host header");
    if (head->chunked && head->has_length)
        return http_refuse(400, "both Content-Length and Transfer-Encoding are sent");
    if (head->chunked && head->minor == 0)
        return http_refuse(400, "Transfer-Encoding requires HTTP/1.1");
    if ((head->chunked || head->length > 0) && !head->method->may_have_body)
        return http_refuse(400, "a HEAD or TRACE request must not have a body");
    if (head->expects && head->minor > 0)
        return http_refuse(417, "the only supported expectation is 100-continue");
    if (head->length > body_max)
        return http_refuse(413, "the body is too large");
    return HTTP_ACCEPTED;
}

void http_head_finish(struct http_head *head, size_t body_size)
{
    if (body_size > 0)
        text_append_format(&head->text, "Content-Length: %zu\r\n", body_size);
    if (head->closes)
        text_append(&head->text, "Connection: close\r\n");
    else if (head->keeps)
        text_append(&head->text, "Connection: keep-alive\r\n");
    text_append(&head->text, "\r\n");
}

void http_head_replace(struct http_head *head)
{
    bool is_head = head->method && strcmp(head->method->name, "HEAD") == 0;

    text_free(&head->text);
    text_append_format(&head->text, "%s / HTTP/1.%d\r\nConnection: close\r\n\r\n",
                       is_head ? "HEAD" : "GET", head->has_version ? head->minor : 1);
}

void http_head_free(struct http_head *head)
{
    text_free(&head->text);
    free(head->authority);
    *head = (struct http_head){0};
}
