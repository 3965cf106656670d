/* SPDX-License-Identifier: MIT */
/*
 * The framing of requests: each row is taken as a whole, byte by byte, and cut in two
 * at every position, always with the same outcome.
 */
#include "tests/support/test.h"

#include "base/macro.h"
#include "base/text.h"
#include "daemon/loop/http_framing.h"

#define HEADER_MAX 256
#define BODY_MAX   16

struct row {
    const char *bytes;
    size_t size;
    /* The requests that evhttp gets, one after the other. At the end "!" and a status when one was
     * refused, "+" when one has begun. */
    const char *outcome;
};

#define ROW(bytes, outcome) {(bytes), sizeof(bytes) - 1, (outcome)}

#define GET   "GET /a HTTP/1.1\r\nHost: h\r\n"
#define POST  "POST /a HTTP/1.1\r\nHost: h\r\n"
#define CODED POST "Transfer-Encoding: chunked\r\n\r\n"
#define X10   "xxxxxxxxxx"
#define X100  X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct row good[] = {
    ROW("", ""),
    ROW(GET "\r\n", GET "\r\n"),
    ROW(GET "\r\n" GET "\r\n", GET "\r\n" GET "\r\n"),
    ROW("GET /a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"),
    ROW("GET /a HTTP/1.0\r\nTransfer: x\r\n\r\n", "GET /a HTTP/1.0\r\nTransfer: x\r\n\r\n"),
    /* Empty lines before a request are nothing. */
    ROW("\r\n\r\n", ""),
    ROW("\r\n\r\n" GET "\r\n", GET "\r\n"),
    ROW(GET "\r\n\r\n" GET "\r\n\r\n", GET "\r\n" GET "\r\n"),
    /* Requests that are not whole. */
    ROW("G", "+"),
    ROW("\r", "+"),
    ROW("\r\n\r", "+"),
    ROW(GET, "+"),
    ROW(GET "\r", "+"),
    ROW(POST "Content-Length: 5\r\n\r\n", "+"),
    ROW(POST "Content-Length: 5\r\n\r\n1234", "+"),
    ROW(CODED, "+"),
    ROW(CODED "5\r\n12345", "+"),
    ROW(CODED "5\r\n12345\r\n0\r\n", "+"),
    ROW(GET "\r\n" GET, GET "\r\n+"),
    /* Targets. */
    ROW("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW("GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", GET "\r\n"),
    ROW("GET HTTP://H/a HTTP/1.1\r\nHost: h\r\n\r\n", GET "\r\n"),
    ROW("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n", "GET /?q HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW("GET http://h:8/a HTTP/1.1\r\nHost: h:8\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h:8\r\n\r\n"),
    ROW("GET http://[::1]:8/a HTTP/1.0\r\nHost: [::1]:8\r\n\r\n",
        "GET /a HTTP/1.0\r\nHost: [::1]:8\r\n\r\n"),
    ROW("GET /a//b?c=/d/?e%2f@:!$&'()*+,;=~ HTTP/1.0\r\n\r\n",
        "GET /a//b?c=/d/?e%2f@:!$&'()*+,;=~ HTTP/1.0\r\n\r\n"),
    /* Fields. */
    ROW("GET /a HTTP/1.1\r\nhOST:\t h \t\r\nx:\r\nY: a\tb \xff\r\n\r\n",
        GET "x: \r\nY: a\tb \xff\r\n\r\n"),
    ROW("GET /a HTTP/1.1\r\nHost:\r\n\r\n", "GET /a HTTP/1.1\r\nHost: \r\n\r\n"),
    ROW("GET /a HTTP/1.1\r\nHost: h_1.a-b:\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h_1.a-b:\r\n\r\n"),
    ROW("GET /a HTTP/1.1\r\nHost: [::ffff:1.2.3.4]:65535\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: [::ffff:1.2.3.4]:65535\r\n\r\n"),
    ROW(GET "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", GET "Upgrade: h2c\r\n\r\n"),
    /* Whether the connection stays, in one word; behind the last request nothing is taken. */
    ROW(GET "Connection: keep-alive, CLOSE\r\n\r\n", GET "Connection: close\r\n\r\n"),
    ROW(GET "Connection: keep-alive\r\nConnection: x ,close\r\n\r\n",
        GET "Connection: close\r\n\r\n"),
    ROW(GET "Connection: closed, x-close\r\n\r\n", GET "\r\n"),
    ROW("GET /a HTTP/1.0\r\nConnection: Keep-Alive , TE\r\n\r\n",
        "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    /* Bodies. */
    ROW(POST "Content-Length: 5\r\n\r\n\r\n\0xG" GET "\r\n",
        POST "Content-Length: 5\r\n\r\n\r\n.xG" GET "\r\n"),
    ROW("GET /a HTTP/1.1\r\ncontent-length: 0005 \r\nHost: h\r\n\r\n12345",
        GET "Content-Length: 5\r\n\r\n12345"),
    ROW(POST "Content-Length: 0\r\n\r\n" GET "\r\n", POST "\r\n" GET "\r\n"),
    ROW("HEAD /a HTTP/1.1\r\nHost: h\r\nContent-Length: 00\r\n\r\n",
        "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(POST "Content-Length: 16\r\n\r\n1234567890123456",
        POST "Content-Length: 16\r\n\r\n1234567890123456"),
    ROW(POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nab",
        POST "Content-Length: 2\r\n\r\nab"),
    ROW("POST /a HTTP/1.0\r\nExpect: more\r\nContent-Length: 2\r\n\r\nab",
        "POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nab"),
    /* Chunks are put together, extensions and trailers dropped. */
    ROW(CODED "0\r\n\r\n", POST "\r\n"),
    ROW(CODED "5\r\n12345\r\n00B\r\n1234567890\r\r\n0\r\n\r\n" GET "\r\n",
        POST "Content-Length: 16\r\n\r\n123451234567890\r" GET "\r\n"),
    ROW(CODED "000000000000000a;x\r\n1234567890\r\n0000\r\n\r\n",
        POST "Content-Length: 10\r\n\r\n1234567890"),
    ROW(CODED
        "2;e=1\r\nab\r\n1 \t ; e=\"a;b\" ;f\r\nc\r\n0;g\r\nContent-Length: 9\r\nHost: a@b\r\n\r\n" GET
        "\r\n",
        POST "Content-Length: 3\r\n\r\nabc" GET "\r\n"),
    ROW(CODED "1;" X100 X100 X10 X10 X10 X10 X10 "xx\r\na\r\n0\r\n\r\n",
        POST "Content-Length: 1\r\n\r\na"),
    ROW(POST "transfer-encoding: CHUNKED \r\n\r\n1\r\na\r\n0\r\n\r\n",
        POST "Content-Length: 1\r\n\r\na"),
    ROW("DELETE /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "DELETE /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na"),
};

static const struct row bad[] = {
    /* The request line. */
    ROW("GET\r\n", "!400"),
    ROW("GET /a\r\n", "!400"),
    ROW("GET  /a HTTP/1.1\r\n", "!400"),
    ROW("GET /a  HTTP/1.1\r\n", "!400"),
    ROW("GET /a HTTP/1.1 \r\n", "!400"),
    ROW("GET /a b HTTP/1.1\r\n", "!400"),
    ROW(" GET /a HTTP/1.1\r\n", "!400"),
    ROW("GET\t/a HTTP/1.1\r\n", "!400"),
    ROW("G(T /a HTTP/1.1\r\n", "!400"),
    ROW("G\xe9T /a HTTP/1.1\r\n", "!400"),
    ROW("GET /a FTP/1.1\r\n", "!400"),
    ROW("GET /a http/1.1\r\n", "!400"),
    ROW("GET /a HTTP/1.10\r\n", "!400"),
    ROW("GET /a HTTP/+1.1\r\n", "!400"),
    ROW("GET /a HTTP/1,1\r\n", "!400"),
    ROW("GET /a HTTP/1.\r\n", "!400"),
    ROW("GET /a HTTP/1.2\r\n", "!505"),
    ROW("GET /a HTTP/0.9\r\n", "!505"),
    ROW("PRI * HTTP/2.0\r\n", "!505"),
    ROW("BREW /a HTTP/1.1\r\n", "!501"),
    ROW("get /a HTTP/1.1\r\n", "!501"),
    ROW("CONNECT h:80 HTTP/1.1\r\n", "!501"),
    ROW("GETT /a HTTP/1.1\r\n", "!501"),
    ROW("GET a HTTP/1.1\r\n", "!400"),
    ROW("GET * HTTP/1.1\r\n", "!400"),
    ROW("OPTIONS ** HTTP/1.1\r\n", "!400"),
    ROW("GET //a HTTP/1.1\r\n", "!400"),
    ROW("GET http://h//a HTTP/1.1\r\n", "!400"),
    ROW("GET /a#b HTTP/1.1\r\n", "!400"),
    ROW("GET /\xc3\xa4 HTTP/1.1\r\n", "!400"),
    ROW("GET /a\\b HTTP/1.1\r\n", "!400"),
    ROW("GET /%a HTTP/1.1\r\n", "!400"),
    ROW("GET /%4g HTTP/1.1\r\n", "!400"),
    ROW("GET /% HTTP/1.1\r\n", "!400"),
    ROW("GET https://h/ HTTP/1.1\r\n", "!400"),
    ROW("GET http:///a HTTP/1.1\r\n", "!400"),
    ROW("GET http://u@h/a HTTP/1.1\r\n", "!400"),
    ROW("GET http://h:a/a HTTP/1.1\r\n", "!400"),
    ROW("GET http://h:123456/a HTTP/1.1\r\n", "!400"),
    /* Bytes. */
    ROW("GET /a HTTP/1.1\n", "!400"),
    ROW("GET /a HTTP/1.1\r\r\n", "!400"),
    ROW("GET /a\rHTTP/1.1\r\n", "!400"),
    ROW("GET /a\0 HTTP/1.1\r\n", "!400"),
    ROW("\n", "!400"),
    ROW("\x16\x03\x01", "!400"),
    ROW("GET /\x7f", "!400"),
    ROW(GET "X: a\0b\r\n", "!400"),
    ROW(GET "X: a\rb\r\n", "!400"),
    ROW(GET "X: a\nb\r\n", "!400"),
    ROW(GET "X: \x0b\r\n", "!400"),
    ROW(GET "\n", "!400"),
    /* Fields. */
    ROW(GET "X\r\n", "!400"),
    ROW(GET ": a\r\n", "!400"),
    ROW(GET "X : a\r\n", "!400"),
    ROW(GET "X Y: a\r\n", "!400"),
    ROW(GET " X: a\r\n", "!400"),
    ROW(GET "\tX: a\r\n", "!400"),
    ROW(GET "X\xe9: a\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\n folded\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\n\r\n", "!400"),
    ROW(GET "Host: h\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\nHost: u@h\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\nHost: h:80@i\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\nHost: h, i\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\nHost: h i\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\nHost: h/\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\nHost: :80\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\nHost: [::1\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\nHost: []\r\n", "!400"),
    ROW("GET /a HTTP/1.1\r\nHost: [::1]x\r\n", "!400"),
    ROW("GET /a HTTP/1.0\r\nHost: h\r\nhost: h\r\n", "!400"),
    ROW("GET http://h/a HTTP/1.1\r\nHost: i\r\n", "!400"),
    ROW("GET http://h/a HTTP/1.1\r\nHost:\r\n", "!400"),
    ROW("GET http://h/a HTTP/1.1\r\nHost: h:80\r\n", "!400"),
    ROW("GET http://h/a HTTP/1.0\r\n\r\n", "!400"),
    ROW(GET "Expect: more\r\n\r\n", "!417"),
    ROW(GET "Expect: 100-continue\r\nExpect: more\r\n\r\n", "!417"),
    /* Lengths. */
    ROW(POST "Content-Length: +5\r\n", "!400"),
    ROW(POST "Content-Length: -5\r\n", "!400"),
    ROW(POST "Content-Length: 0x5\r\n", "!400"),
    ROW(POST "Content-Length: 5 0\r\n", "!400"),
    ROW(POST "Content-Length: 5, 5\r\n", "!400"),
    ROW(POST "Content-Length: 5.0\r\n", "!400"),
    ROW(POST "Content-Length:\r\n", "!400"),
    ROW(POST "Content-Length: 5\r\nContent-Length: 5\r\n", "!400"),
    ROW(POST "Content-Length: 0\r\nContent-Length: 5\r\n", "!400"),
    ROW(POST "Content-Length: 17\r\n\r\n", "!413"),
    ROW(POST "Content-Length: 18446744073709551616\r\n\r\n", "!413"),
    ROW(POST "Content-Length: 18446744073709551621\r\n\r\n", "!413"),
    ROW(POST "Content-Length: 99999999999999999999999999999999\r\n\r\n", "!413"),
    ROW("HEAD /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", "!400"),
    ROW("TRACE /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", "!400"),
    ROW("HEAD /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "!400"),
    /* Codings. */
    ROW(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "!400"),
    ROW(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "!400"),
    ROW(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "!400"),
    ROW(POST "Transfer-Encoding: gzip\r\n", "!400"),
    ROW(POST "Transfer-Encoding: identity\r\n", "!400"),
    ROW(POST "Transfer-Encoding: xchunked\r\n", "!400"),
    ROW(POST "Transfer-Encoding: chunked, gzip\r\n", "!400"),
    ROW(POST "Transfer-Encoding: \"chunked\"\r\n", "!400"),
    ROW(POST "Transfer-Encoding:\r\n", "!400"),
    ROW(POST "Transfer-Encoding: gzip, chunked\r\n", "!501"),
    ROW("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "!400"),
    /* Chunks. */
    ROW(CODED "xyz\r\n", "!400"),
    ROW(CODED "0x2\r\n", "!400"),
    ROW(CODED "+2\r\n", "!400"),
    ROW(CODED "-2\r\n", "!400"),
    ROW(CODED " 2\r\n", "!400"),
    ROW(CODED "2 \r\n", "!400"),
    ROW(CODED "2 junk\r\n", "!400"),
    ROW(CODED "2 junk;e\r\n", "!400"),
    ROW(CODED "\r\n", "!400"),
    ROW(CODED ";e\r\n", "!400"),
    ROW(CODED "2\n", "!400"),
    ROW(CODED "2;\n", "!400"),
    ROW(CODED "2;e\x01\r\n", "!400"),
    ROW(CODED "2\r\nabc", "!400"),
    ROW(CODED "2\r\nab\n", "!400"),
    ROW(CODED "2\r\nab\rc", "!400"),
    ROW(CODED "2\r\nab\r\n\r\n", "!400"),
    ROW(CODED "00000000000000002\r\n", "!400"),
    ROW(CODED "ffffffffffffffff\r\n", "!413"),
    ROW(CODED "11\r\n", "!413"),
    ROW(CODED "9\r\n123456789\r\n8\r\n", "!413"),
    ROW(CODED "2;" X100 X100 X100, "!400"),
    ROW(CODED "1;" X100 X100 X10 X10 X10 X10 X10 "xxx\r\n", "!400"),
    ROW(CODED "0\r\nX\r\n", "!400"),
    ROW(CODED "0\r\n X: y\r\n", "!400"),
    ROW(CODED "0\r\nX: \0\r\n", "!400"),
    ROW(CODED "0\r\n\n", "!400"),
    /* Too much. */
    ROW("GET /" X100 X100 X100, "!414"),
    ROW(X100 X100 X100, "!501"),
    ROW(GET "X: " X100 X100 X100, "!431"),
    ROW(GET "X: " X100 "\r\nX: " X100 "\r\nX: " X100 "\r\n", "!431"),
    ROW(CODED "0\r\nX: " X100 "\r\nX: " X100 "\r\n", "!431"),
    /* A refusal comes behind the requests before it, and nothing behind it. */
    ROW(GET "\r\nNONSENSE\r\n" GET "\r\n", GET "\r\n!400"),
};

/* Takes a part; appends to what has come of it. Returns whether more would be taken. */
static bool take(struct http_framing *framing, const char *bytes, size_t size, struct text *outcome)
{
    size_t taken = 0;

    for (;;) {
        /* Memory of exactly its size, so that a read past its end is seen. */
        char *part = malloc(size - taken + 1);

        assert_non_null(part);
        memcpy(part, bytes + taken, size - taken);
        taken += http_framing_take(framing, part, size - taken);
        free(part);
        if (!http_framing_is_over(framing))
            return true;
        if (framing->state == HTTP_FRAMING_REFUSED || http_framing_closes(framing))
            return false;
        text_append_bytes(outcome, framing->head.text.data, framing->head.text.length);
        text_append_bytes(outcome, framing->body.data, framing->body.length);
        http_framing_reset(framing);
    }
}

/* The outcome when the bytes are cut at the first position, and from there on every step
 * bytes. */
static char *run(const struct row *row, size_t first, size_t step)
{
    struct http_framing framing;
    struct text outcome = {0};
    size_t at = 0, size = first;
    bool more = true;
    char *text;

    http_framing_init(&framing, HEADER_MAX, BODY_MAX);
    while (more && at < row->size) {
        size = MIN(size, row->size - at);
        more = take(&framing, row->bytes + at, size, &outcome);
        at += size;
        size = step;
    }
    if (framing.state == HTTP_FRAMING_REFUSED) {
        text_append_format(&outcome, "!%d", framing.refusal.status);
        assert_true(strlen(framing.refusal.text) > 10);
    } else if (http_framing_is_over(&framing)) {
        text_append_bytes(&outcome, framing.head.text.data, framing.head.text.length);
        text_append_bytes(&outcome, framing.body.data, framing.body.length);
    } else if (http_framing_has_begun(&framing)) {
        text_append(&outcome, "+");
    }
    http_framing_reset(&framing);
    /* A body may have a NUL. */
    for (size_t i = 0; i < outcome.length; i++)
        if (outcome.data[i] == '\0')
            outcome.data[i] = '.';
    text = text_finish(&outcome);
    assert_non_null(text);
    return text;
}

static void check(const struct row *row, size_t first, size_t step)
{
    char *outcome = run(row, first, step);

    if (strcmp(outcome, row->outcome) != 0)
        fail_msg("%s\ncut at %zu, then every %zu bytes, becomes\n%s\nand not\n%s", row->bytes,
                 first, step, outcome, row->outcome);
    free(outcome);
}

static void check_all(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check(&rows[i], rows[i].size, 1);
        check(&rows[i], 1, 1);
        for (size_t first = 1; first < rows[i].size; first++)
            check(&rows[i], first, rows[i].size);
    }
}

static void test_good_requests(void **state _unused_)
{
    check_all(good, ARRAY_SIZE(good));
}

static void test_bad_requests(void **state _unused_)
{
    check_all(bad, ARRAY_SIZE(bad));
}

/* The request that evhttp is given in place of a refused one. */
static void test_what_stands_for_a_refused_request(void **state _unused_)
{
    static const struct row rows[] = {
        ROW("NONSENSE\r\n", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
        ROW("POST /a HTTP/1.0\r\nX\r\n", "GET / HTTP/1.0\r\nConnection: close\r\n\r\n"),
        /* Its answer has no body. */
        ROW("HEAD /a HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n"),
        ROW("HEAD /a HTTP/3.0\r\n\r\n", "HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n"),
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_framing framing;

        http_framing_init(&framing, HEADER_MAX, BODY_MAX);
        http_framing_take(&framing, rows[i].bytes, rows[i].size);
        assert_int_equal(framing.state, HTTP_FRAMING_REFUSED);
        assert_string_equal(text_string(&framing.head.text), rows[i].outcome);
        assert_true(http_framing_closes(&framing));
        assert_int_equal(http_framing_take(&framing, "GET", 3), 0);
        http_framing_reset(&framing);
        assert_false(http_framing_has_begun(&framing));
    }
}

static void test_whether_the_connection_ends(void **state _unused_)
{
    static const struct {
        struct row row;
        bool closes;
    } cases[] = {
        {ROW(GET "\r\n", ""), false},
        {ROW(GET "Connection: close\r\n\r\n", ""), true},
        {ROW(GET "Connection: keep-alive, close\r\n\r\n", ""), true},
        {ROW("GET / HTTP/1.0\r\n\r\n", ""), true},
        {ROW("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ""), false},
        {ROW("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", ""), true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct http_framing framing;

        http_framing_init(&framing, HEADER_MAX, BODY_MAX);
        http_framing_take(&framing, cases[i].row.bytes, cases[i].row.size);
        assert_int_equal(framing.state, HTTP_FRAMING_WHOLE);
        /* Both before the texts are freed and after. */
        assert_int_equal(http_framing_closes(&framing), cases[i].closes);
        http_framing_release(&framing);
        assert_int_equal(http_framing_closes(&framing), cases[i].closes);
        http_framing_reset(&framing);
    }
}

/* A peer that waits for "100 Continue" is told once, and one that does not wait is not told. */
static void test_who_is_told_to_continue(void **state _unused_)
{
    static const struct {
        const char *head, *body;
        bool told;
    } cases[] = {
        {POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "ab", true},
        {POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nab\r\n0\r\n\r\n",
         true},
        {POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\na", "b", false},
        {POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n2", "\r\nab\r\n0\r\n\r\n",
         false},
        {POST "Expect: 100-continue\r\n\r\n", "", false},
        {POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", "", false},
        {POST "Content-Length: 2\r\n\r\n", "ab", false},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "ab", false},
        {POST "Expect: 100-continue\r\nContent-Length: 99\r\n\r\n", "", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct http_framing framing;

        http_framing_init(&framing, HEADER_MAX, BODY_MAX);
        http_framing_take(&framing, cases[i].head, strlen(cases[i].head));
        assert_int_equal(http_framing_may_continue(&framing), cases[i].told);
        assert_false(http_framing_may_continue(&framing));
        http_framing_take(&framing, cases[i].body, strlen(cases[i].body));
        assert_true(http_framing_is_over(&framing));
        assert_false(http_framing_may_continue(&framing));
        http_framing_reset(&framing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_requests),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_what_stands_for_a_refused_request),
        cmocka_unit_test(test_whether_the_connection_ends),
        cmocka_unit_test(test_who_is_told_to_continue),
    };

    return cmocka_run_group_tests_name("http_framing", tests, NULL, NULL);
}
