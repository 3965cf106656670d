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


def reset(client):
    """Ends a connection by RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


class Slow(AttackTest):
    HEAD = b"POST /health HTTP/1.1\r\nHost: localhost\r\n"
    CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    LONG = HEAD + b"Content-Length: 1000\r\n\r\n"

    def trickle(self, connect, daemon, count, head, more):
        """A peer that sends no whole request gets no answer, and is cut by the deadline."""
        clients = [connect(daemon) for _ in range(count)]
        for client in clients:
            client.sendall(head)
        self.assertEqual(set(until_cut(clients, more)), {b""})

    def pour(self, connect, daemon, head, more):
        """A peer that sends more than any request has, as fast as it is taken, is refused at once."""
        clients = [connect(daemon) for _ in range(4)]
        for client in clients:
            client.sendall(head)
        for told in until_cut(clients, more, 0.001):
            self.assertIn(told.split(b" ")[1], (b"400", b"431"), told)

    def flood(self, daemon, request):
        """Sends requests for as long as they are taken, and reads nothing: they must stay with the
        kernel. A peer that does not take an answer is cut, which shows when the descriptors are counted."""
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
                (control, 20, SUBMIT, b"x"), (control, 20, SUBMIT[:50], b"x")]
        # A chunk's size that has no end, and a header.
        fast = [(connect, head, b"0" * 262144) for connect in (tcp, control) for head in (self.CHUNKED, self.HEAD)]
        with self.attacked(daemon, 48 << 20):
            crowd(lambda attack, *arguments: attack(*arguments),
                  [(self.trickle, connect, daemon, *rest) for connect, *rest in slow] +
                  [(self.pour, connect, daemon, *rest) for connect, *rest in fast] +
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
                            Slow.LONG + b"xx", Slow.CHUNKED + b"5\r\nxx"):
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
                self.assertEqual([a[0] for a in read_answers(client)], [200] * answers, request[:60])
        self.assert_stops(daemon)

    def test_who_waits_for_a_result(self):
        """The answer takes its time, and the client has long said all it had to say."""
        daemon = self.target()
        fifo = self.path(daemon, "fifo")
        os.mkfifo(fifo)
        action = f"fifo {fifo}".encode()
        request = (b"POST /v1/submit?module=puppet&pool=work&wait HTTP/1.1\r\nHost: localhost\r\n"
                   b"Content-Length: %d\r\n\r\n%s" % (len(action), action))
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
                harness.release(fifo)
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
                           (HEALTH, 50, 7)])
        self.assert_stops(daemon)


def send_in_parts(client, text, size):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start in range(0, len(text), size):
        client.sendall(text[start:start + size])


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
