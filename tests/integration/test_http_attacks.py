#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that mean harm. While each attack lasts a good client is answered, rightly and wholly; and
when it is over, connections, descriptors, memory and CPU time are what they were."""
import contextlib
import os
import resource
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import harness
import tools
from attack import AttackTest, crowd, read_answers, until_cut

GET = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
SUBMIT = (b"POST /v1/submit?module=puppet&pool=work HTTP/1.1\r\nHost: localhost\r\n"
          b"Content-Length: 60000\r\n\r\n")


def send_and_end(client, request):
    """The server may have ended the connection before it has all."""
    with contextlib.suppress(OSError):
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)


def read_all(client):
    """All that comes until the end."""
    text = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            text += part
    return bytes(text)


def reset(client):
    """Ends a connection by RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


class Slow(AttackTest):
    HEAD = b"POST /health HTTP/1.1\r\n"
    CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    LONG = HEAD + b"Content-Length: 1000\r\n\r\n"

    def trickle(self, connect, daemon, count, head, more, pause=0.05):
        """Who does not send a whole request gets no answer, and is cut by the deadline."""
        clients = [connect(daemon) for _ in range(count)]
        for client in clients:
            client.sendall(head)
        self.assertEqual(set(until_cut(clients, more, pause)), {b""})

    def flood(self, daemon, request):
        """Sends requests for as long as they are taken, and reads nothing: they must stay with the
        kernel. Who does not take an answer is cut, which shows when the descriptors are counted."""
        text = request * 5000
        clients = [[self.connect(daemon, receive=4096), 0] for _ in range(10)]
        for client, _ in clients:
            client.settimeout(0.5)
        while clients:
            for entry in list(clients):
                try:
                    entry[1] += entry[0].send(text[entry[1] % len(text):])
                    self.assertLess(entry[1], 64 << 20, "more is taken than can be answered")
                except (TimeoutError, ConnectionError):
                    clients.remove(entry)

    def test_clients_that_send_slowly_or_never_read(self):
        daemon = self.target()
        tcp, control = self.connect, self.connect_control
        slow = [(tcp, 100, b"GET /health HTTP/1.1\r\nX: ", b"x"),
                (tcp, 50, b"GET /health HTTP/1.1\r\n", b"X: y\r\n"), (tcp, 50, b"G", b""),
                (tcp, 50, self.LONG, b"x"), (tcp, 50, self.LONG, b""),
                (tcp, 50, self.CHUNKED, b"1\r\nx\r\n"), (tcp, 20, GET[:-2], b""),
                (control, 20, SUBMIT, b"x"), (control, 20, SUBMIT[:50], b"x"),
                # A chunk's size that has no end, as fast as it is taken.
                (tcp, 4, self.CHUNKED, b"0" * 262144, 0.001),
                (control, 4, self.CHUNKED, b"0" * 262144, 0.001)]
        with self.attacked(daemon, 48 << 20):
            crowd(lambda attack, *arguments: attack(*arguments),
                  [(self.trickle, connect, daemon, *rest) for connect, *rest in slow] +
                  [(self.flood, daemon, request) for request in (METRICS, HEALTH, GET)])
        self.assert_stops(daemon)

    def test_slow_clients_beyond_the_limit_do_not_keep_others_out(self):
        """Each place is taken by a request that is never whole; new clients get one all the same."""
        daemon = self.target("max-connections = 16")
        ended = threading.Event()

        def attack():
            while not ended.is_set():
                clients = [self.connect(daemon) for _ in range(50)]
                for client in clients:
                    with contextlib.suppress(OSError):
                        client.sendall(b"GET /health HTTP/1.1\r\nX: ")
                until_some_are_cut(clients, ended)
                for client in clients:
                    client.close()

        thread = threading.Thread(target=attack, daemon=True)
        thread.start()
        try:
            for _ in range(50):
                status, _, body = self.retry(daemon)
                self.assertEqual((status, body), (200, "ok\n"))
        finally:
            ended.set()
            thread.join()
        self.assert_stops(daemon)

    def retry(self, daemon):
        """A connection that is not yet heard may make place for another."""
        for _ in range(100):
            with contextlib.suppress(ConnectionError):
                return daemon.request("/readyz")
        self.fail("new clients are not heard")


def until_some_are_cut(clients, ended):
    """Until the first has been ended, or the test."""
    clients[0].settimeout(0.05)
    while not ended.is_set():
        try:
            if not clients[0].recv(4096):
                return
        except TimeoutError:
            continue
        except OSError:
            return


class Many(AttackTest):
    def raise_limit(self):
        """Returns how many connections can be opened, up to 10,000."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return min(10000, hard - 200)

    def open_many(self, daemon, count, patience):
        """Idle ones and half-open ones, mixed, from several addresses. Without patience the backlog
        may be full of them."""
        clients = []
        for i in range(count):
            client = socket.socket()
            self.addCleanup(client.close)
            client.bind((f"127.0.0.{2 + i // 2000}", 0))
            client.settimeout(patience)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                client.connect(("127.0.0.1", daemon.port))
            if i % 3 == 1:
                with contextlib.suppress(OSError):
                    client.send(b"GET /health HTTP/1.1\r\nX: ")
            clients.append(client)
        return clients

    def test_ten_thousand_connections(self):
        count = self.raise_limit()
        daemon = self.target()
        with self.attacked(daemon) as good:
            clients = self.open_many(daemon, count, 0)
            good.wait_answers(100)
            # The limit holds.
            self.assertLess(daemon.descriptors(), 512 + 100)
            for client in clients:
                client.close()
        self.assert_stops(daemon)

    def test_ten_thousand_connections_at_once(self):
        count = self.raise_limit()
        daemon = self.target("max-connections = 10050")
        with self.attacked(daemon, 512 << 20) as good:
            clients = self.open_many(daemon, count, harness.PATIENCE)
            good.wait_answers(100)
            # Each of those that are idle could still ask.
            for client in clients[::300]:
                client.sendall(LAST)
                self.assertEqual([a[0] for a in read_answers(client)], [200])
            for client in clients:
                client.close()
        self.assert_stops(daemon)

    def test_a_port_scanner(self):
        daemon = self.target()
        with self.attacked(daemon):
            for i in range(2000):
                client = self.connect(daemon)
                if i % 2:
                    reset(client)
                else:
                    client.close()
        self.assert_stops(daemon)

    def test_resets_in_every_phase(self):
        daemon = self.target()
        waiting = SUBMIT.replace(b"60000", b"4").replace(b"work", b"work&wait") + b"wait"
        with self.attacked(daemon):
            for request in (b"", b"G", GET[:20], GET, GET[:-1], HEALTH * 10, METRICS * 50,
                            b"POST /health HTTP/1.1\r\nContent-Length: 1000\r\n\r\nxx",
                            b"POST /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxx"):
                for _ in range(20):
                    client = self.connect(daemon, receive=4096)
                    client.sendall(request)
                    reset(client)
            # In the middle of an answer.
            for request in (METRICS, HEALTH * 10, METRICS * 50, GET + GET[:20]):
                client = self.connect(daemon, receive=4096)
                client.sendall(request)
                client.recv(10)
                reset(client)
            for request in (SUBMIT, SUBMIT + b"x" * 100, waiting):
                client = self.connect_control(daemon)
                client.sendall(request)
                client.close()
        self.assert_stops(daemon)


class HalfClosed(AttackTest):
    def test_requests_of_clients_that_have_closed_their_half(self):
        daemon = self.target()
        with self.attacked(daemon):
            for request, answers in ((b"", 0), (b"GET /rea", 0), (GET[:-2], 0), (GET, 1), (LAST, 1),
                                     (METRICS, 1), (GET * 50, 50), (METRICS * 50, 50),
                                     (b"GET /livez HTTP/1.0\r\n\r\n", 1)):
                client = self.connect(daemon, receive=4096)
                send_and_end(client, request)
                read = read_answers(client)
                self.assertEqual([a[0] for a in read if a[0] != 400], [200] * answers, request[:60])
        self.assert_stops(daemon)

    def test_who_waits_for_a_result(self):
        """The answer takes its time, and the client has long said all it had to say."""
        daemon = self.target()
        fifo = self.path(daemon, "fifo")
        os.mkfifo(fifo)
        action = f"fifo {fifo}".encode()
        request = (b"POST /v1/submit?module=puppet&pool=work&wait HTTP/1.1\r\nContent-Length: %d\r\n"
                   b"\r\n%s" % (len(action), action))
        with self.attacked(daemon):
            clients = [self.connect_control(daemon) for _ in range(3)]
            for client in clients:
                send_and_end(client, request)
                harness.wait_until(lambda: self.accepted(daemon) == clients.index(client) + 1,
                                   "the job to be accepted")
            # One that goes away altogether is noticed, answer or not.
            before = daemon.descriptors()
            clients.pop().close()
            harness.wait_until(lambda: daemon.descriptors() < before, "its connection to end")
            self.wait_trace(daemon, "puppet reads")
            for i in range(3):
                self.wait_trace(daemon, "puppet reads", i + 1)
                with open(fifo, "w", encoding="utf-8"):
                    pass
                self.wait_trace(daemon, "puppet has read", i + 1)
            for client in clients:
                self.assertEqual([a[0] for a in read_answers(client)], [200])
        self.assert_stops(daemon)

    def accepted(self, daemon):
        return daemon.module("puppet")["pools"][0]["accepted"]


class Pipelined(AttackTest):
    def test_pipelined_requests(self):
        daemon = self.target()

        def attack(requests, count, size):
            client = self.connect(daemon)
            text = requests * count + LAST
            writer = threading.Thread(target=send_in_parts, args=(client, text, size), daemon=True)
            writer.start()
            answers = read_answers(client)
            writer.join()
            self.assertEqual([a[0] for a in answers],
                             [200] * (count * requests.count(b"\r\n\r\n") + 1))

        with self.attacked(daemon):
            crowd(attack, [(GET, 10, 1 << 20), (GET, 1000, 1 << 20), (GET, 10, 1), (GET, 100, 1),
                           (HEALTH, 1000, 1 << 20), (METRICS + GET, 200, 1000),
                           (b"HEAD /health HTTP/1.1\r\n\r\n".replace(b"HEAD", b"GET"), 50, 7)])
        self.assert_stops(daemon)


def send_in_parts(client, text, size):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start in range(0, len(text), size):
        client.sendall(text[start:start + size])


class Malformed(AttackTest):
    # With what they may be answered; None: with nothing, the connection just ends.
    REQUESTS = [
        # The request line.
        (b"NONSENSE\r\n\r\n", {None, 400}), (b"GET\r\n\r\n", {None, 400}),
        (b"GET /livez\r\n\r\n", {None, 400, 200}), (b"GET  /livez  HTTP/1.1\r\n\r\n", {None, 400, 404}),
        (b"GET /livez HTTP/9.9\r\n\r\n", {None, 400, 505}), (b"\r\n\r\n", {None, 400}),
        (b"GET /livez HTTP/1.1 \r\n\r\n", {None, 200, 400}), (b"GET /livez FTP/1.1\r\n\r\n", {None, 400}),
        (b"get /livez HTTP/1.1\r\n\r\n", {None, 400, 501}),
        (b"BREW /livez HTTP/1.1\r\n\r\n", {None, 400, 405, 501}),
        (b"\0" * 100 + b"\r\n\r\n", {None, 400}), (b"GET /li\0vez HTTP/1.1\r\n\r\n", {None, 400, 404}),
        (b"GET livez HTTP/1.1\r\n\r\n", {None, 400, 404}),
        (b"GET \xff\xfe HTTP/1.1\r\n\r\n", {None, 400, 404}),
        (b"GET /%zz HTTP/1.1\r\n\r\n", {None, 400, 404}),
        (b"GET http://localhost/livez HTTP/1.1\r\n\r\n", {200, 404}),
        (b"GET http://evil.example/livez HTTP/1.1\r\n\r\n", {200, 404, 421}),
        (b"GET //livez HTTP/1.1\r\n\r\n", {404, 400}),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", {None, 400, 404, 405}),
        (b"CONNECT localhost:80 HTTP/1.1\r\n\r\n", {None, 400, 404, 405}),
        (b"TRACE /health HTTP/1.1\r\n\r\n", {405}),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {None, 400, 501, 505}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, {None, 400}),
        # Headers.
        (b"GET /livez HTTP/1.1\nHost: localhost\n\n", {None, 200, 400}),
        (b"GET /livez HTTP/1.1\r\nbroken header\r\n\r\n", {None, 400}),
        (b"GET /livez HTTP/1.1\r\n: nobody\r\n\r\n", {None, 200, 400}),
        (b"GET /livez HTTP/1.1\r\n folded\r\n\r\n", {None, 400}),
        (b"GET /livez HTTP/1.1\r\nX: a\0b\r\n\r\n", {None, 200, 400}),
        (b"GET /livez HTTP/1.1\r\nX: a\rb\r\n\r\n", {None, 200, 400}),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", {None, 400, 421}),
        # Too much of it.
        (b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\n\r\n", {None, 400, 404, 413, 414}),
        (b"G" * 100000, {None, 400, 413}),
        (b"GET /livez HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n", {None, 400, 413}),
        (b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n", {None, 400, 413}),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, {None, 400, 413}),
        (b"POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 +
         b"\r\n400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n", {None, 400, 413}),
        (b"POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 5000 +
         b"\r\n", {None, 400, 405, 413}),
        # The body's length.
        (b"POST /livez HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", {None, 400, 413}),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", {None, 400, 413}),
        (b"POST /livez HTTP/1.1\r\nContent-Length: -5\r\n\r\n", {None, 400}),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 0x10\r\n\r\n" + b"x" * 16, {None, 400}),
        (b"POST /livez HTTP/1.1\r\nContent-Length: nonsense\r\n\r\n", {None, 400}),
        (b"POST /livez HTTP/1.1\r\nContent-Length:\r\n\r\n", {None, 400, 405}),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nxxxxx",
         {None, 400, 405}),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         {None, 400, 405}),
        (b"POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", {None, 400, 413}),
        (b"POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", {None, 400, 413}),
        (b"POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nxx",
         {None, 400, 413}),
        (b"POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nxx",
         {None, 400, 413}),
        (b"POST /livez HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nxx", {None, 400, 405, 501}),
        (b"POST /livez HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n",
         {None, 100, 400, 413, 417}),
        (b"GET /livez HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", {200}),
    ]

    def test_malformed_requests(self):
        daemon = self.target()
        with self.attacked(daemon):
            for connect in (self.connect, self.connect_control):
                for request, statuses in self.REQUESTS:
                    client = connect(daemon)
                    send_and_end(client, request)
                    answers = read_answers(client) or [(None, {}, b"")]
                    if connect == self.connect:
                        self.assertIn(answers[0][0], statuses, request[:70])
                    client.close()
        self.assert_stops(daemon)

    def test_a_second_request_cannot_be_smuggled(self):
        """What a proxy takes for a body is never taken for a request."""
        daemon = self.target()
        hidden = b"GET /metrics HTTP/1.1\r\n\r\n"
        length = str(len(hidden)).encode()
        with self.attacked(daemon):
            for headers in (b"Content-Length: " + length + b"\r\nContent-Length: 0",
                            b"Content-Length: 0\r\nContent-Length: " + length,
                            b"Content-Length: +" + length, b"Content-Length: " + length + b" 0",
                            b"Content-Length: " + length + b"\r\nTransfer-Encoding: nothing",
                            b"Transfer-Encoding: xchunked\r\nContent-Length: " + length,
                            b"Content-Length : " + length):
                client = self.connect(daemon)
                send_and_end(client, b"POST /livez HTTP/1.1\r\n" + headers + b"\r\n\r\n" + hidden)
                answers = read_answers(client)
                self.assertLessEqual(len(answers), 1, headers)
                self.assertNotIn(b"reeve_", b"".join(a[2] for a in answers), headers)
        self.assert_stops(daemon)


    def test_a_body_is_never_taken_for_a_request(self):
        """Whatever the method: on the control socket a request that was taken from a body would change things."""
        daemon = self.target()
        hidden = b"POST /v1/restart?module=heart HTTP/1.1\r\nHost: localhost\r\n\r\n"
        chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
        sized = b"Content-Length: %d\r\n\r\n%s" % (len(hidden), hidden)
        starts = daemon.module("heart")["starts"]
        with self.attacked(daemon):
            for connect in (self.connect, self.connect_control):
                for method in (b"HEAD /livez", b"TRACE /livez", b"CONNECT localhost:80"):
                    for rest in (sized, chunked):
                        client = connect(daemon)
                        client.sendall(method + b" HTTP/1.1\r\nHost: localhost\r\n" + rest)
                        # read_answers() would wait for the body that an answer to HEAD has not.
                        answer = read_all(client)
                        self.assertEqual(answer.count(b"HTTP/1.1"), 1, (method, answer))
                        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), (method, answer))
                        self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertEqual(daemon.module("heart")["starts"], starts)
        self.assert_stops(daemon)


class Tools(AttackTest):
    def tool(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False,
                                  timeout=2 * harness.PATIENCE, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    @tools.needs("slowhttptest")
    def test_slowhttptest(self):
        daemon = self.target()

        def attack(*mode):
            self.tool("slowhttptest", "-c", "200", "-r", "200", "-l", "4", "-i", "1", *mode,
                      "-u", f"http://127.0.0.1:{daemon.port}/health")

        with self.attacked(daemon):
            crowd(attack, [("-H",), ("-B", "-s", "1000"), ("-R",),
                           ("-X", "-k", "5", "-w", "10", "-y", "20", "-n", "1", "-z", "5")])
        self.assert_stops(daemon)

    @tools.needs("wrk")
    def test_wrk(self):
        daemon = self.target()
        with self.attacked(daemon):
            for path in ("/health", "/metrics"):
                text = self.tool("wrk", "-t", "2", "-c", "64", "-d", "2s",
                                 f"http://127.0.0.1:{daemon.port}{path}")
                self.assertNotIn("Socket errors", text)
                self.assertNotIn("Non-2xx", text)
        self.assert_stops(daemon)


if __name__ == "__main__":
    harness.main()
