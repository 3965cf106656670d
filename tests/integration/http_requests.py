# SPDX-License-Identifier: MIT
"""Requests of all kinds, and what both listeners make of them.

A row is the bytes, the status of each answer in order, and what becomes of the connection. Where the control socket, which
takes larger bodies and any Host, answers otherwise, the row says so.
"""
from typing import NamedTuple, Optional, Tuple


class Row(NamedTuple):
    what: str
    request: bytes
    answers: Tuple[int, ...]
    stays: bool                                # the connection is open after the answers
    control: Optional[Tuple[int, ...]] = None  # the answers over the control socket
    control_stays: bool = False
    whole: bool = True                         # else the peer has to end it


def passes(what, request, *answers, **more):
    """A request that is clear: whatever the answer is, the connection stays."""
    return Row(what, request, answers, True, **more)


def ends(what, request, *answers, **more):
    """The connection ends with the last answer."""
    return Row(what, request, answers, False, **more)


def unfinished(what, request, *answers):
    """Nothing is answered that is not whole, and nothing of it is done."""
    return Row(what, request, answers, False, whole=False)


# What must never be done: it would show in the module's starts.
HIDDEN = b"POST /v1/restart?module=heart HTTP/1.1\r\nHost: localhost\r\n\r\n"
LENGTH = b"%d" % len(HIDDEN)
HOST = b"Host: localhost\r\n"
GET = b"GET /livez HTTP/1.1\r\n" + HOST
POST = b"POST /livez HTTP/1.1\r\n" + HOST
CODED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n" % (len(HIDDEN), HIDDEN)


def line(text):
    """A request with this request line."""
    return text + b"\r\n" + HOST + b"\r\n"


def get(*fields):
    """A GET with these headers."""
    return GET + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def host(value, version=b"1.1"):
    return b"GET /livez HTTP/" + version + b"\r\nHost: " + value + b"\r\n\r\n"


def post(*fields, body=b""):
    return POST + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def coded(chunks):
    return CODED + chunks


USUAL = [
    passes("a request", get(), 200),
    passes("two at once", get() + line(b"GET /readyz HTTP/1.1"), 200, 200),
    passes("many at once", get() * 50, *[200] * 50),
    passes("one and a part", get() + get() + b"\r\n", 200, 200),
    passes("a query", line(b"GET /livez?verbose HTTP/1.1"), 200),
    passes("a query with a question mark", line(b"GET /livez?verbose=b?c/e HTTP/1.1"), 200),
    passes("percent-encoding", line(b"GET /%6Civez HTTP/1.1"), 200),
    passes("an encoded NUL", line(b"GET /livez%00 HTTP/1.1"), 404),
    passes("all characters of a path", line(b"GET /-._~!$&'()*+,;=:@%20 HTTP/1.1"), 404),
    passes("HEAD", line(b"HEAD /livez HTTP/1.1"), 200),
    passes("HEAD without a body, said", b"HEAD /livez HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", 200),
    passes("TRACE", line(b"TRACE /livez HTTP/1.1"), 405),
    passes("DELETE", line(b"DELETE /livez HTTP/1.1"), 405),
    passes("PUT", line(b"PUT /livez HTTP/1.1"), 405),
    passes("PATCH", line(b"PATCH /livez HTTP/1.1"), 405),
    passes("OPTIONS", line(b"OPTIONS /livez HTTP/1.1"), 405),
    passes("OPTIONS of the server", line(b"OPTIONS * HTTP/1.1"), 404),
    passes("an unknown path", line(b"GET /nothing HTTP/1.1"), 404),
    passes("HTTP/1.0 that keeps", b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200),
    passes("HTTP/1.0 that keeps, in a list", b"GET /livez HTTP/1.0\r\nConnection: TE, Keep-Alive\r\n\r\n", 200),
    ends("HTTP/1.0 without Host", b"GET /livez HTTP/1.0\r\n\r\n", 200),
    ends("HTTP/1.0 with Host", b"GET /livez HTTP/1.0\r\n" + HOST + b"\r\n", 200),
    ends("HTTP/1.0 and another behind it", b"GET /livez HTTP/1.0\r\n\r\n" + HIDDEN, 200),
]

ODD = [
    passes("an empty line before it", b"\r\n" + get(), 200),
    passes("empty lines before and behind", b"\r\n\r\n" + get() + b"\r\n\r\n" + get(), 200, 200),
    passes("an empty line behind a body", post(b"Content-Length: 2", body=b"ab\r\n") + get(), 405, 200),
    passes("lower-case names", b"GET /livez HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n", 200),
    passes("upper-case names", b"GET /livez HTTP/1.1\r\nHOST: LOCALHOST\r\nACCEPT: */*\r\n\r\n", 200),
    passes("no space behind the colon", b"GET /livez HTTP/1.1\r\nHost:localhost\r\nX:y\r\n\r\n", 200),
    passes("blanks about a value", b"GET /livez HTTP/1.1\r\nHost: \t localhost\t \r\n\r\n", 200),
    passes("an empty value", get(b"X:"), 200),
    passes("a value of blanks", get(b"X: \t "), 200),
    passes("a tab in a value", get(b"X: a\tb"), 200),
    passes("bytes above ASCII in a value", get(b"X: \xc3\xa4\xff"), 200),
    passes("all characters of a name", get(b"!#$%&'*+-.^_`|~09azAZ: x"), 200),
    passes("a header twice", get(b"X: a", b"X: b"), 200),
    passes("many headers", get(*[b"X: y"] * 1000), 200),
    passes("an upgrade that is not taken", get(b"Upgrade: h2c", b"Connection: Upgrade"), 200),
    passes("a user's header of a proxy", get(b"Proxy-Connection: close"), 200),
    passes("a path with slashes in it", line(b"GET /livez//a HTTP/1.1"), 404),
    passes("a path with dots", line(b"GET /../livez HTTP/1.1"), 404),
]

REQUEST_LINES = [
    ends("no request", b"NONSENSE\r\n\r\n", 400),
    ends("a method alone", b"GET\r\n\r\n", 400),
    ends("HTTP/0.9", b"GET /livez\r\n\r\n", 400),
    ends("two spaces before the target", line(b"GET  /livez HTTP/1.1"), 400),
    ends("two spaces behind it", line(b"GET /livez  HTTP/1.1"), 400),
    ends("a space at the end", line(b"GET /livez HTTP/1.1 "), 400),
    ends("a space at the beginning", line(b" GET /livez HTTP/1.1"), 400),
    ends("a space in the target", line(b"GET /livez x HTTP/1.1"), 400),
    ends("tabs for spaces", line(b"GET\t/livez\tHTTP/1.1"), 400),
    ends("no target", line(b"GET HTTP/1.1"), 400),
    ends("another protocol", line(b"GET /livez FTP/1.1"), 400),
    ends("a protocol in lower case", line(b"GET /livez http/1.1"), 400),
    ends("a version of two digits", line(b"GET /livez HTTP/1.10"), 400),
    ends("a version with a sign", line(b"GET /livez HTTP/+1.1"), 400),
    ends("a version with a comma", line(b"GET /livez HTTP/1,1"), 400),
    ends("a version cut short", line(b"GET /livez HTTP/1"), 400),
    ends("HTTP/1.2", line(b"GET /livez HTTP/1.2"), 505),
    ends("HTTP/1.9", line(b"GET /livez HTTP/1.9"), 505),
    ends("HTTP/0.9, said", line(b"GET /livez HTTP/0.9"), 505),
    ends("HTTP/9.9", line(b"GET /livez HTTP/9.9"), 505),
    ends("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ends("a method in lower case", line(b"get /livez HTTP/1.1"), 501),
    ends("an unknown method", line(b"BREW /livez HTTP/1.1"), 501),
    ends("an unknown method with a body", b"BREW /livez HTTP/1.1\r\n" + HOST + b"Content-Length: " + LENGTH +
         b"\r\n\r\n" + HIDDEN, 501),
    ends("a longer method", line(b"GETS /livez HTTP/1.1"), 501),
    ends("a method that is no name", line(b"G@T /livez HTTP/1.1"), 400),
    ends("CONNECT", line(b"CONNECT localhost:80 HTTP/1.1"), 501),
    ends("CONNECT and what may follow", line(b"CONNECT localhost:80 HTTP/1.1") + HIDDEN, 501),
    ends("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, 400),
    ends("NULs", b"\0" * 100 + b"\r\n\r\n", 400),
]

TARGETS = [
    ends("a relative path", line(b"GET livez HTTP/1.1"), 400),
    ends("a path of two slashes", line(b"GET //livez HTTP/1.1"), 400),
    ends("a host before the path", line(b"GET //evil.example/livez HTTP/1.1"), 400),
    ends("* of another method", line(b"GET * HTTP/1.1"), 400),
    ends("a fragment", line(b"GET /livez#top HTTP/1.1"), 400),
    ends("a backslash", line(b"GET /livez\\x HTTP/1.1"), 400),
    ends("bytes above ASCII", line(b"GET /\xff\xfe HTTP/1.1"), 400),
    ends("braces", line(b"GET /livez?{x} HTTP/1.1"), 400),
    ends("bad percent-encoding", line(b"GET /%zz HTTP/1.1"), 400),
    ends("percent-encoding cut short", line(b"GET /livez%6 HTTP/1.1"), 400),
    ends("a NUL", line(b"GET /li\0vez HTTP/1.1"), 400),
    ends("a control character", line(b"GET /livez\x1b HTTP/1.1"), 400),
    ends("DEL", line(b"GET /livez\x7f HTTP/1.1"), 400),
    passes("the absolute form", line(b"GET http://localhost/livez HTTP/1.1"), 200),
    passes("the same in capitals", line(b"GET HTTP://LOCALHOST/livez HTTP/1.1"), 200),
    passes("with a port", b"GET http://localhost:80/livez HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 200),
    passes("with an IPv6 address", b"GET http://[::1]:80/livez HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200),
    passes("without a path", line(b"GET http://localhost HTTP/1.1"), 200),
    passes("with a query alone", line(b"GET http://localhost?& HTTP/1.1"), 200),
    # evhttp would end each connection, and say so of none.
    ends("one that closes", b"GET http://localhost/livez HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 200),
    ends("one that closes, in HTTP/1.0", b"GET http://localhost/livez HTTP/1.0\r\n" + HOST + b"\r\n", 200),
    passes("another's host", b"GET http://evil.example/livez HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421,
           control=(200,), control_stays=True),
    ends("another's host in the target", line(b"GET http://evil.example/livez HTTP/1.1"), 400),
    ends("another's host in Host", b"GET http://localhost/livez HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
    ends("another port", line(b"GET http://localhost:81/livez HTTP/1.1"), 400),
    ends("no Host beside it", b"GET http://localhost/livez HTTP/1.1\r\n\r\n", 400),
    ends("no Host beside it in HTTP/1.0", b"GET http://evil.example/livez HTTP/1.0\r\n\r\n", 400),
    ends("an empty Host beside it", b"GET http://localhost/livez HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ends("a user", line(b"GET http://user@localhost/livez HTTP/1.1"), 400),
    ends("no host", line(b"GET http:///livez HTTP/1.1"), 400),
    ends("two slashes behind the host", line(b"GET http://localhost//livez HTTP/1.1"), 400),
    ends("another scheme", line(b"GET https://localhost/livez HTTP/1.1"), 400),
    ends("a scheme that no server has", line(b"GET file:///etc/passwd HTTP/1.1"), 400),
]

# Nobody's query is cut or taken without a part of it: /health without its module is of all.
QUERIES = [
    passes("a module", line(b"GET /health?module=heart HTTP/1.1"), 200),
    passes("encoded", line(b"GET /health?%6Dodule=he%61rt HTTP/1.1"), 200),
    passes("an unknown parameter", line(b"GET /livez?time=1 HTTP/1.1"), 400),
    passes("a parameter of other paths", line(b"GET /health?verbose HTTP/1.1"), 400),
    passes("a parameter where none is taken", line(b"GET /metrics?module=heart HTTP/1.1"), 400),
    passes("of the page", line(b"GET /?module=heart HTTP/1.1"), 400),
    passes("a module in the path and beside it", line(b"GET /readyz/heart?module=heart HTTP/1.1"), 400),
    passes("nothing between two parameters", line(b"GET /livez?&module=heart&&verbose& HTTP/1.1"), 200),
    passes("an encoded NUL", line(b"GET /health?module=heart%00x HTTP/1.1"), 400),
    passes("an encoded NUL at the end", line(b"GET /health?module=heart%00 HTTP/1.1"), 400),
    passes("an encoded NUL in a name", line(b"GET /health?module%00x=heart HTTP/1.1"), 400),
    passes("an encoded LF", line(b"GET /health?module=heart%0Ax HTTP/1.1"), 400),
    passes("an encoded CR", line(b"GET /health?module=heart%0d HTTP/1.1"), 400),
    passes("an encoded CR LF and a blank", line(b"GET /health?module=heart%0D%0A%20x HTTP/1.1"), 400),
    passes("an encoded line break in a name", line(b"GET /health?module%0A=heart HTTP/1.1"), 400),
    passes("an encoded tab", line(b"GET /health?module=%09heart HTTP/1.1"), 400),
    passes("an encoded DEL", line(b"GET /health?module=heart%7F HTTP/1.1"), 400),
    passes("a module twice", line(b"GET /health?module=heart&module=heart HTTP/1.1"), 400),
    passes("a module twice, in capitals", line(b"GET /health?module=heart&MODULE=heart HTTP/1.1"), 400),
    passes("no name", line(b"GET /health?=heart HTTP/1.1"), 400),
    passes("16 parameters", line(b"GET /livez?" + b"&".join(b"a%d" % i for i in range(16)) + b" HTTP/1.1"), 400),
    passes("17 parameters", line(b"GET /livez?" + b"&".join(b"a%d" % i for i in range(17)) + b" HTTP/1.1"), 400),
    passes("of a HEAD", line(b"HEAD /livez?a%0A HTTP/1.1"), 400),
    passes("of a request that changes something", line(b"POST /v1/restart?module=heart%00x HTTP/1.1"), 400),
    passes("an unknown one of such a request", line(b"POST /v1/restart?module=heart&now HTTP/1.1"), 404, control=(400,),
           control_stays=True),
    passes("of an unknown path", line(b"GET /nothing?a%0A HTTP/1.1"), 400),
]

HOSTS = [
    passes("an address", host(b"127.0.0.1"), 200),
    passes("an address and port", host(b"127.0.0.1:8080"), 200),
    passes("IPv6", host(b"[::1]"), 200),
    passes("IPv6 and port", host(b"[fe80::1]:80"), 200),
    passes("a colon without a port", host(b"localhost:"), 200),
    # RFC 9112, 3.2: of a URI without a host.
    passes("an empty one", host(b""), 200),
    passes("another's", host(b"evil.example"), 421, control=(200,), control_stays=True),
    ends("another's in HTTP/1.0", host(b"evil.example", b"1.0"), 421, control=(200,)),
    ends("none", b"GET /livez HTTP/1.1\r\n\r\n", 400),
    ends("none, and others", b"GET /livez HTTP/1.1\r\nX-Host: localhost\r\n\r\n", 400),
    ends("two", get(HOST[:-2]), 400),
    ends("two that differ", get(b"host: evil.example"), 400),
    ends("a list", host(b"localhost, evil.example"), 400),
    ends("a user", host(b"user@localhost"), 400),
    ends("a user with a password", host(b"localhost:80@evil.example"), 400),
    ends("a path", host(b"localhost/x"), 400),
    ends("a scheme", host(b"http://localhost"), 400),
    ends("words", host(b"localhost evil.example"), 400),
    ends("a port of letters", host(b"localhost:http"), 400),
    ends("a port of six digits", host(b"localhost:000080"), 400),
    ends("two ports", host(b"localhost:80:81"), 400),
    ends("a port alone", host(b":80"), 400),
    ends("IPv6 without brackets", host(b"::1"), 400),
    ends("an open bracket", host(b"[::1"), 400),
    ends("empty brackets", host(b"[]"), 400),
    ends("something behind the bracket", host(b"[::1]x"), 400),
    ends("an encoded one", host(b"%6cocalhost"), 400),
    ends("bytes above ASCII", host(b"localh\xc3\xb6st"), 400),
]

HEADERS = [
    ends("no colon", get(b"broken header"), 400),
    ends("no name", get(b": nobody"), 400),
    ends("a space before the colon", get(b"X : y"), 400),
    ends("a tab before the colon", get(b"X\t: y"), 400),
    ends("a space in the name", get(b"X Y: z"), 400),
    ends("a bracket in the name", get(b"X(: y"), 400),
    ends("bytes above ASCII in the name", get(b"\xc3\xa4: y"), 400),
    ends("a NUL in the name", get(b"X\0: y"), 400),
    ends("a NUL in the value", get(b"X: a\0b"), 400),
    ends("a control character in the value", get(b"X: a\x0bb"), 400),
    ends("DEL in the value", get(b"X: a\x7fb"), 400),
    ends("CR in the value", get(b"X: a\rb"), 400),
    ends("CR at the end of the value", get(b"X: a\r"), 400),
    ends("LF in the value", get(b"X: a\nTransfer-Encoding: chunked"), 400),
    ends("a folded value", get(b"X: a", b" b"), 400),
    ends("a value folded with a tab", get(b"X: a", b"\tb"), 400),
    ends("a folded first line", b"GET /livez HTTP/1.1\r\n folded\r\n" + HOST + b"\r\n", 400),
    ends("lines that end in LF", b"GET /livez HTTP/1.1\nHost: localhost\n\n", 400),
    ends("an end in LF", GET + b"\n", 400),
    ends("an LF alone", b"\n" + get(), 400),
    ends("a CR alone", b"\r" + get(), 400),
    ends("another expectation", post(b"Expect: more", b"Content-Length: 2", body=b"ab"), 417),
    ends("another expectation beside the known one", get(b"Expect: 100-continue", b"Expect: more"), 417),
    ends("a body hidden by an expectation", post(b"Expect: more", b"Content-Length: " + LENGTH, body=HIDDEN), 417),
    ends("an expectation of HTTP/1.0", b"GET /livez HTTP/1.0\r\nExpect: more\r\n\r\n", 200),
    passes("an expectation without a body", get(b"Expect: 100-continue"), 200),
]

CONNECTIONS = [
    ends("close", get(b"Connection: close"), 200),
    ends("close in capitals", get(b"Connection: CLOSE"), 200),
    ends("close last in a list", get(b"Connection: keep-alive, close"), 200),
    ends("close first in a list", get(b"Connection: close,keep-alive"), 200),
    ends("close in a second header", get(b"Connection: keep-alive", b"Connection: close"), 200),
    ends("close among others", get(b"Connection: Upgrade , close , TE"), 200),
    ends("close and another request", get(b"Connection: keep-alive, close") + HIDDEN, 200),
    ends("close beats keep-alive in HTTP/1.0", b"GET /livez HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", 200),
    ends("nothing of that in HTTP/1.0", b"GET /livez HTTP/1.0\r\nConnection: keep-alives\r\n\r\n", 200),
    passes("keep-alive", get(b"Connection: keep-alive"), 200),
    passes("a longer word", get(b"Connection: closed, not-close"), 200),
    passes("an empty list", get(b"Connection: , ,"), 200),
]

BODIES = [
    passes("of a POST", post(b"Content-Length: " + LENGTH, body=HIDDEN), 405),
    passes("of a GET", get(b"Content-Length: " + LENGTH) + HIDDEN, 200),
    passes("of a DELETE", b"DELETE /livez HTTP/1.1\r\n" + HOST + b"Content-Length: " + LENGTH + b"\r\n\r\n" + HIDDEN, 405),
    passes("of an OPTIONS", b"OPTIONS /livez HTTP/1.1\r\n" + HOST + b"Content-Length: " + LENGTH + b"\r\n\r\n" + HIDDEN,
           405),
    passes("of a request that is not known", b"POST /nothing HTTP/1.1\r\n" + HOST + b"Content-Length: " + LENGTH +
           b"\r\n\r\n" + HIDDEN, 404),
    passes("with a request behind", post(b"Content-Length: " + LENGTH, body=HIDDEN) + get(), 405, 200),
    passes("of no bytes", post(b"Content-Length: 0") + get(), 405, 200),
    passes("without a length", post() + get(), 405, 200),
    passes("with leading zeros", post(b"Content-Length: 0002", body=b"ab") + get(), 405, 200),
    passes("of line ends", post(b"Content-Length: 4", body=b"\r\n\r\n") + get(), 405, 200),
    passes("of NULs", post(b"Content-Length: 4", body=b"\0" * 4) + get(), 405, 200),
    passes("that is as large as may be", post(b"Content-Length: 1024", body=b"x" * 1024) + get(), 405, 200),
    ends("that is larger", post(b"Content-Length: 1025", body=b"x" * 1025), 413, control=(405,), control_stays=True),
    ends("much larger", post(b"Content-Length: 99999999"), 413),
    ends("larger than a number", post(b"Content-Length: 18446744073709551617", body=b"x"), 413),
    ends("larger than any number", post(b"Content-Length: " + b"9" * 100), 413),
    ends("of a HEAD", b"HEAD /livez HTTP/1.1\r\n" + HOST + b"Content-Length: " + LENGTH + b"\r\n\r\n" + HIDDEN, 400),
    ends("of a TRACE", b"TRACE /livez HTTP/1.1\r\n" + HOST + b"Content-Length: " + LENGTH + b"\r\n\r\n" + HIDDEN, 400),
    ends("of a CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"Content-Length: " + LENGTH + b"\r\n\r\n" +
         HIDDEN, 501),
    ends("of a HEAD, in chunks", b"HEAD /livez HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK +
         b"0\r\n\r\n", 400),
    ends("of a TRACE, in chunks", b"TRACE /livez HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK +
         b"0\r\n\r\n", 400),
    ends("of a HEAD of HTTP/1.0", b"HEAD /livez HTTP/1.0\r\nContent-Length: " + LENGTH + b"\r\n\r\n" + HIDDEN, 400),
    ends("with a negative length", post(b"Content-Length: -5"), 400),
    ends("with a signed length", post(b"Content-Length: +" + LENGTH, body=HIDDEN), 400),
    ends("with a hexadecimal length", post(b"Content-Length: 0x10", body=b"x" * 16), 400),
    ends("with two lengths in one", post(b"Content-Length: " + LENGTH + b" 0", body=HIDDEN), 400),
    ends("with a list of lengths", post(b"Content-Length: " + LENGTH + b", " + LENGTH, body=HIDDEN), 400),
    ends("with a broken length", post(b"Content-Length: 1.5"), 400),
    ends("with a length that is none", post(b"Content-Length: nonsense"), 400),
    ends("with an empty length", post(b"Content-Length:", body=HIDDEN), 400),
    ends("with the same length twice", post(b"Content-Length: " + LENGTH, b"Content-Length: " + LENGTH, body=HIDDEN), 400),
    ends("with two lengths", post(b"Content-Length: 0", b"Content-Length: " + LENGTH, body=HIDDEN), 400),
    ends("with two lengths the other way round", post(b"Content-Length: " + LENGTH, b"Content-Length: 0", body=HIDDEN), 400),
    ends("with a space in the name", post(b"Content-Length : " + LENGTH, body=HIDDEN), 400),
    ends("with a NUL behind the length", post(b"Content-Length: 0\0" + LENGTH, body=HIDDEN), 400),
    ends("with a folded length", post(b"Content-Length:", b" " + LENGTH, body=HIDDEN), 400),
]

CODINGS = [
    passes("chunked", coded(CHUNK + b"0\r\n\r\n") + get(), 405, 200),
    passes("chunked, in capitals", post(b"TRANSFER-ENCODING: CHUNKED", body=b"1\r\nx\r\n0\r\n\r\n") + get(), 405, 200),
    passes("of a GET", get(b"Transfer-Encoding: chunked") + CHUNK + b"0\r\n\r\n" + get(), 200, 200),
    passes("no bytes", coded(b"0\r\n\r\n") + get(), 405, 200),
    passes("many chunks", coded(b"1\r\nx\r\n" * 500 + b"0\r\n\r\n") + get(), 405, 200),
    passes("sizes in both cases", coded(b"A\r\n1234567890\r\na\r\n1234567890\r\n0\r\n\r\n") + get(), 405, 200),
    passes("sizes with zeros", coded(b"0002\r\nab\r\n0000\r\n\r\n") + get(), 405, 200),
    passes("an extension", coded(b"2;e=1\r\nab\r\n0\r\n\r\n") + get(), 405, 200),
    passes("extensions", coded(b"2 ; e ; f=\"a;b\"\r\nab\r\n0;g\r\n\r\n") + get(), 405, 200),
    passes("trailers", coded(b"2\r\nab\r\n0\r\nX: y\r\nZ: \xff\r\n\r\n") + get(), 405, 200),
    # For some releases of evhttp they would be.
    passes("trailers that would be headers", coded(b"0\r\nConnection: close\r\nHost: evil.example\r\nContent-Length: " +
                                                   LENGTH + b"\r\n\r\n") + get(), 405, 200),
    passes("as much as may be", coded(b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n") + get(), 405, 200),
    ends("more", coded(b"401\r\n" + b"x" * 1025 + b"\r\n0\r\n\r\n"), 413, control=(405,), control_stays=True),
    ends("more in several", coded(b"400\r\n" + b"x" * 1024 + b"\r\n1\r\nx\r\n0\r\n\r\n"), 413, control=(405,),
         control_stays=True),
    ends("more than any number", coded(b"ffffffffffffffff\r\nxx"), 413),
    ends("more than half of that", coded(b"7fffffffffffffff\r\nxx"), 413),
    ends("a size of 17 digits", coded(b"00000000000000002\r\nab\r\n0\r\n\r\n"), 400),
    ends("0x2", coded(b"0x2\r\nab\r\n0\r\n\r\n"), 400),
    ends("+2", coded(b"+2\r\nab\r\n0\r\n\r\n"), 400),
    ends("-2", coded(b"-2\r\nab\r\n0\r\n\r\n"), 400),
    ends("-0", coded(b"-0\r\n\r\n"), 400),
    ends("a blank before the size", coded(b" 2\r\nab\r\n0\r\n\r\n"), 400),
    ends("a blank behind it", coded(b"2 \r\nab\r\n0\r\n\r\n"), 400),
    ends("junk behind it", coded(b"2 junk\r\nab\r\n0\r\n\r\n"), 400),
    ends("letters", coded(b"xyz\r\n"), 400),
    ends("no size", coded(b"\r\n2\r\nab\r\n0\r\n\r\n"), 400),
    ends("an extension alone", coded(b";e\r\n"), 400),
    ends("a size that ends in LF", coded(b"2\nab\r\n0\r\n\r\n"), 400),
    ends("an LF in an extension", coded(b"2;\nxx\r\nab\r\n0\r\n\r\n"), 400),
    ends("a NUL in an extension", coded(b"2;\0\r\nab\r\n0\r\n\r\n"), 400),
    ends("a long extension", coded(b"2;" + b"e" * 300 + b"\r\nab\r\n0\r\n\r\n"), 400),
    ends("a chunk that is longer than its size", coded(b"2\r\nabc\r\n0\r\n\r\n"), 400),
    ends("one that is shorter", coded(b"3\r\nab\r\n0\r\n\r\n"), 400),
    ends("one that ends in LF", coded(b"2\r\nab\n0\r\n\r\n"), 400),
    ends("an empty line between chunks", coded(b"2\r\nab\r\n\r\n0\r\n\r\n"), 400),
    ends("a broken trailer", coded(b"0\r\nbroken\r\n\r\n"), 400),
    ends("a folded trailer", coded(b"0\r\nX: y\r\n z\r\n\r\n"), 400),
    ends("a length before it", post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN), 400),
    ends("a length behind it", post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN), 400),
    ends("twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    ends("of HTTP/1.0", b"POST /livez HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK + b"0\r\n\r\n", 400),
    ends("gzip", post(b"Transfer-Encoding: gzip", body=HIDDEN), 400),
    ends("identity", post(b"Transfer-Encoding: identity", b"Content-Length: 0", body=HIDDEN), 400),
    ends("xchunked", post(b"Transfer-Encoding: xchunked", b"Content-Length: " + LENGTH, body=HIDDEN), 400),
    ends("chunked, then another", post(b"Transfer-Encoding: chunked, gzip", body=CHUNK + b"0\r\n\r\n"), 400),
    ends("nothing", post(b"Transfer-Encoding:", body=HIDDEN), 400),
    ends("in quotes", post(b'Transfer-Encoding: "chunked"', body=CHUNK + b"0\r\n\r\n"), 400),
    ends("with a vertical tab", post(b"Transfer-Encoding:\x0bchunked", body=CHUNK + b"0\r\n\r\n"), 400),
    ends("with a space in the name", post(b"Transfer-Encoding : chunked", body=CHUNK + b"0\r\n\r\n"), 400),
    ends("folded", post(b"Transfer-Encoding:", b" chunked", body=CHUNK + b"0\r\n\r\n"), 400),
    ends("gzip and chunked", post(b"Transfer-Encoding: gzip, chunked", body=CHUNK + b"0\r\n\r\n"), 501),
]

TOO_MUCH = [
    ends("a long target", line(b"GET /" + b"x" * 20000 + b" HTTP/1.1"), 414),
    ends("a long method", b"G" * 100000, 501),
    ends("a long header", get(b"X: " + b"x" * 20000), 431),
    ends("a long name", get(b"x" * 20000), 431),
    ends("many headers", get(*[b"X: y"] * 5000), 431),
    ends("many trailers", coded(b"0\r\n" + b"X: y\r\n" * 5000 + b"\r\n"), 431),
    passes("as much as may be", get(b"X: " + b"x" * (8192 - len(get(b"X: ")))), 200),
    ends("a byte more", get(b"X: " + b"x" * (8193 - len(get(b"X: ")))), 431),
]

UNFINISHED = [
    unfinished("nothing", b""),
    unfinished("empty lines", b"\r\n\r\n"),
    unfinished("a letter", b"G"),
    unfinished("a line", b"GET /livez HTTP/1.1\r\n"),
    unfinished("headers", GET),
    unfinished("headers and CR", GET + b"\r"),
    unfinished("a request and a part of one", get() + GET, 200),
    unfinished("a part of a body", post(b"Content-Length: 9999"[:-2], body=HIDDEN)),
    unfinished("a part of a chunk", coded(b"%x\r\n%s" % (len(HIDDEN) + 1, HIDDEN))),
    unfinished("chunks without an end", coded(CHUNK)),
    unfinished("chunks without the last line", coded(CHUNK + b"0\r\n")),
    unfinished("a restart cut short", HIDDEN[:-1]),
    unfinished("a restart without its body", HIDDEN[:-2] + b"Content-Length: 5\r\n\r\n1234"),
]

TABLES = {
    "usual": USUAL, "odd": ODD, "request line": REQUEST_LINES, "target": TARGETS, "query": QUERIES, "Host": HOSTS,
    "header": HEADERS, "Connection": CONNECTIONS, "body": BODIES, "Transfer-Encoding": CODINGS, "too much": TOO_MUCH,
    "unfinished": UNFINISHED,
}
