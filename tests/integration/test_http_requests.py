#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of requests (http_requests.py) at both listeners of a living daemon."""
import contextlib
import socket

import harness
from attack import AttackTest, read_answer
from http_requests import GET, HIDDEN, HOST, LENGTH, POST, TABLES

# Nothing else is answered like this.
PROBE = b"GET /readyz/nobody-of-this-name HTTP/1.1\r\n" + HOST + b"\r\n"
# Larger ones are not sent byte by byte.
SMALL = 500


def send(client, request, at_once):
    """All at once, or byte by byte. A server that refuses it may have ended the connection before it has all."""
    if client.family == socket.AF_INET:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    step = max(len(request), 1) if at_once else 1
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for start in range(0, len(request), step):
            client.sendall(request[start:start + step])


class Talk:
    """A connection, and the answers that come on it."""

    def __init__(self, client):
        self.client = client
        self.file = client.makefile("rb")

    def read(self, head=False):
        """The next answer: its status, headers and body; None at the end."""
        try:
            line = self.file.readline()
        except ConnectionResetError:
            line = b""
        return read_answer(self.file, line, head) if line else None

    def close(self):
        self.file.close()
        self.client.close()


class Requests(AttackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rows = [(name, row) for name, table in TABLES.items() for row in table]

    def assert_untouched(self, daemon, starts):
        """No restart was done, nor is one under way: ours is the first."""
        self.assertEqual(daemon.module("heart")["starts"], starts)
        self.assertEqual(daemon.ask("/v1/restart?module=heart&wait", "POST")[0], 200)
        self.assertEqual(daemon.module("heart")["starts"], starts + 1)

    def check(self, connect, daemon, row, at_once):
        control = connect == self.connect_control
        answers = row.control if control and row.control else row.answers
        stays = row.control_stays if control and row.control else row.stays
        talk = Talk(connect(daemon))
        send(talk.client, row.request, at_once)
        if not row.whole:
            talk.client.shutdown(socket.SHUT_WR)
        for status in answers:
            answer = talk.read(head=row.request.startswith(b"HEAD "))
            self.assertIsNotNone(answer, f"the end in place of {status}")
            self.assertEqual(answer[0], status, answer[2])
        if stays:
            talk.client.sendall(PROBE)
            answer = talk.read()
            self.assertIsNotNone(answer, "the end in place of the next answer")
            self.assertEqual((answer[0], answer[2]), (404, b"there is no module \"nobody-of-this-name\"; /health names all\n"))
        else:
            self.assertIsNone(talk.read(), "there is another answer")
        talk.close()

    def check_all(self, connect):
        daemon = self.target()
        starts = daemon.module("heart")["starts"]
        with self.attacked(daemon):
            for name, row in self.rows:
                for at_once in (True, False) if len(row.request) < SMALL else (True,):
                    with self.subTest(table=name, row=row.what, at_once=at_once):
                        self.check(connect, daemon, row, at_once)
                        self.assertEqual(daemon.module("heart")["starts"], starts)
        self.assert_untouched(daemon, starts)
        self.assert_stops(daemon)

    def test_each_over_tcp(self):
        self.check_all(self.connect)

    def test_each_over_the_control_socket(self):
        self.check_all(self.connect_control)

    def test_what_is_hidden_would_show(self):
        """If it were a request, the tests above would see it."""
        daemon = self.target()
        starts = daemon.module("heart")["starts"]
        talk = Talk(self.connect_control(daemon))
        send(talk.client, HIDDEN, True)
        self.assertEqual(talk.read()[0], 202)
        harness.wait_until(lambda: daemon.module("heart")["starts"] == starts + 1, "a restart")
        talk.close()
        self.assert_stops(daemon)

    def test_all_on_one_connection(self):
        """A connection that stays open after one does so after all."""
        daemon = self.target()
        starts = daemon.module("heart")["starts"]
        requests = [row for _, row in self.rows if row.stays and not row.control]
        for connect in (self.connect, self.connect_control):
            talk = Talk(connect(daemon))
            for row in requests:
                send(talk.client, row.request, True)
                for status in row.answers:
                    answer = talk.read(head=row.request.startswith(b"HEAD "))
                    self.assertEqual(answer and answer[0], status, row.what)
            talk.close()
        self.assert_untouched(daemon, starts)
        self.assert_stops(daemon)

    def test_the_first_that_ends_it_is_the_last(self):
        """Behind each that ends the connection nothing is taken, however much has come with it."""
        daemon = self.target()
        starts = daemon.module("heart")["starts"]
        for name, row in self.rows:
            if row.stays or not row.whole or len(row.request) > SMALL:
                continue
            with self.subTest(table=name, row=row.what):
                talk = Talk(self.connect_control(daemon))
                send(talk.client, GET + b"\r\n" + row.request + HIDDEN, True)
                self.assertEqual(talk.read()[0], 200)
                for status in row.control or row.answers:
                    self.assertEqual(talk.read(head=row.request.startswith(b"HEAD "))[0], status)
                self.assertIsNone(talk.read(), "there is another answer")
                talk.close()
        self.assert_untouched(daemon, starts)
        self.assert_stops(daemon)

    def test_100_continue(self):
        daemon = self.target()
        body = HIDDEN
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        for connect in (self.connect, self.connect_control):
            talk = Talk(connect(daemon))
            for fields, text in ((b"Content-Length: " + LENGTH, body), (b"Transfer-Encoding: chunked", chunked)):
                # Sent when it is waited for: behind the head, and only then.
                talk.client.sendall(POST + b"expect: 100-Continue\r\n" + fields + b"\r\n\r\n")
                self.assertEqual(talk.file.readline(), b"HTTP/1.1 100 Continue\r\n")
                self.assertEqual(talk.file.readline(), b"\r\n")
                talk.client.sendall(text)
                self.assertEqual(talk.read()[0], 405)
                # Not when the body has come with it.
                talk.client.sendall(POST + b"Expect: 100-continue\r\n" + fields + b"\r\n\r\n" + text)
                self.assertEqual(talk.read()[0], 405)
            # A body that would be refused is not asked for.
            talk.client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 999999\r\n\r\n")
            self.assertEqual(talk.read()[0], 413)
            self.assertIsNone(talk.read())
            talk.close()
        self.assert_stops(daemon)

    def test_a_refusal_says_why(self):
        daemon = self.target()
        for connect in (self.connect, self.connect_control):
            for request, status, text in (
                    (b"GET /livez HTTP/1.1\r\n\r\n", b"400 Bad Request", b"HTTP/1.1 requires a Host header\n"),
                    (GET + b"X: " + b"x" * 9000, b"431 Request Header Fields Too Large", b"the headers are too large\n"),
                    (b"GET / HTTP/3.0\r\n", b"505 HTTP Version not supported",
                     b"only HTTP/1.0 and HTTP/1.1 are supported\n")):
                talk = Talk(connect(daemon))
                send(talk.client, request, True)
                line = talk.file.readline()
                self.assertEqual(line, b"HTTP/1.1 " + status + b"\r\n")
                _, headers, body = read_answer(talk.file, line)
                self.assertEqual((body, headers["Connection"]), (text, "close"))
                self.assertIsNone(talk.read())
                talk.close()
        talk = Talk(self.connect(daemon))
        talk.client.sendall(b"GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        self.assertEqual(talk.file.readline(), b"HTTP/1.1 421 Misdirected Request\r\n")
        talk.close()
        self.assert_stops(daemon)

    def test_a_refused_head_has_no_body(self):
        daemon = self.target()
        talk = Talk(self.connect(daemon))
        talk.client.sendall(b"HEAD /livez HTTP/1.1\r\n\r\n")
        self.assertEqual(talk.read(head=True)[0], 400)
        self.assertIsNone(talk.read())
        talk.close()
        self.assert_stops(daemon)


if __name__ == "__main__":
    harness.main()
