# SPDX-License-Identifier: MIT
"""Helpers of tests that attack a daemon: a good client that must not notice, and the state that must be as it was afterwards."""
import contextlib
import http.client
import json
import os
import resource
import select
import socket
import threading
import time

import harness
import puppetry

# A sanitizer keeps what is freed; what a flood needs for a moment is more than that of one client.
MEMORY_MAX = 96 << 20
# How much of a moment in which nothing happens may go to looking for it.
LOOK, LOOK_CPU = 0.2, 0.1


def read_answers(client, count=None):
    """Reads that many answers, or all until the end; a list of (status, headers, body). The answer is whole, or this fails."""
    answers = []
    with client.makefile("rb") as file:
        while count is None or len(answers) < count:
            try:
                line = file.readline()
            except ConnectionResetError:
                line = b""
            if not line:
                break
            answers.append(read_answer(file, line))
    return answers


def read_answer(file, line, head=False):
    """The rest of an answer whose first line has been read; that to a HEAD has no body."""
    version, status, _ = line.split(b" ", 2)
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise AssertionError(f"not an answer: {line!r}")
    headers = http.client.parse_headers(file)
    length = 0 if head else int(headers.get("Content-Length", 0))
    body = file.read(length)
    if len(body) != length:
        raise AssertionError(f"{len(body)} of {length} bytes came: {line!r}")
    return int(status), headers, body


class GoodClient:
    """Asks for /health and /readyz on one connection, again and again, on a thread of its own."""

    def __init__(self, port):
        self.port = port
        self.answers = 0
        self.failure = None
        self.ended = threading.Event()
        self.progress = threading.Condition()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE)
        self.connection.connect()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _ask(self, path):
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        body = response.read().decode()
        if response.status != 200:
            raise AssertionError(f"{path}: {response.status} {body}")
        if response.headers.get("Connection") == "close":
            raise AssertionError(f"{path}: the connection is to be closed")
        if path == "/readyz" and body != "ok\n":
            raise AssertionError(f"{path}: {body}")
        if path == "/health" and json.loads(body)["status"] != "pass":
            raise AssertionError(f"{path}: {body}")

    def _run(self):
        try:
            while not self.ended.is_set():
                self._ask("/health")
                self._ask("/readyz")
                with self.progress:
                    self.answers += 2
                    self.progress.notify_all()
                # As often as no honest probe would, and it leaves the attack some time.
                self.ended.wait(0.001)
        except Exception as error:  # pylint: disable=broad-except
            with self.progress:
                self.failure = repr(error)
                self.progress.notify_all()

    def wait_answers(self, more):
        """Until that many more answers have come."""
        with self.progress:
            wanted = self.answers + more
            if not self.progress.wait_for(lambda: self.failure or self.answers >= wanted,
                                          harness.PATIENCE):
                raise harness.Waiting("no answers for the good client")
            if self.failure:
                raise AssertionError(f"the good client: {self.failure}")

    def end(self):
        self.ended.set()
        self.thread.join(harness.PATIENCE)
        self.connection.close()
        if self.failure:
            raise AssertionError(f"the good client: {self.failure}")


def crowd(work, items):
    """Runs work(item) on a thread for each item; waits for all, and tells of what failed."""
    failures = []

    def attempt(item):
        try:
            work(*item)
        except Exception as error:  # pylint: disable=broad-except
            failures.append(f"{item}: {error!r}")

    threads = [threading.Thread(target=attempt, args=(item,), daemon=True) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * harness.PATIENCE)
        if thread.is_alive():
            failures.append("an attack did not end")
    if failures:
        raise AssertionError("\n".join(failures))


class AttackTest(puppetry.PuppetTest):
    # No task is due during a test: on a busy machine a late tick would turn /health, which the good client
    # expects to pass.
    CONFIG = ("[module:heart]\nload = heartbeat\nbeat.every = 1h\n" +
              puppetry.puppet("puppet", "drain = 50ms", "grace = 50ms", "tick.every = never"))

    def target(self, daemon="", config=None):
        """A daemon to attack. ASan is told not to hoard what is freed."""
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
        return self.daemon(config or self.CONFIG, daemon, {"ASAN_OPTIONS": options}).wait_started()

    def connect(self, daemon, source="127.0.0.1", receive=None):
        client = socket.socket()
        self.addCleanup(client.close)
        client.settimeout(harness.PATIENCE)
        if receive:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        if source != "127.0.0.1":
            client.bind((source, 0))
        client.connect(("127.0.0.1", daemon.port))
        return client

    def connect_control(self, daemon):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(harness.PATIENCE)
        client.connect(daemon.control)
        return client

    def memory(self, daemon):
        with open(f"/proc/{daemon.process.pid}/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    def assert_rests(self, daemon):
        """It does not turn in circles about what was left behind, once it has cleared that up."""
        def rests():
            before = harness.cpu_time(daemon.process.pid)
            threading.Event().wait(LOOK)
            return harness.cpu_time(daemon.process.pid) - before < LOOK_CPU
        harness.wait_until(rests, "the daemon to rest")

    @contextlib.contextmanager
    def attacked(self, daemon, memory_max=MEMORY_MAX):
        """While this lasts a good client asks; after it, all must be as it was before."""
        good = GoodClient(daemon.port)
        good.wait_answers(20)
        descriptors, memory = daemon.descriptors(), self.memory(daemon)
        try:
            yield good
            good.wait_answers(20)
        finally:
            try:
                good.end()
            finally:
                self.assertIsNone(daemon.process.poll(), daemon.text())
        # Its own connection was counted.
        harness.wait_until(lambda: daemon.descriptors() <= descriptors - 1,
                           f"at most {descriptors - 1} descriptors to be left open")
        self.assertLess(self.memory(daemon) - memory, memory_max)
        self.assert_rests(daemon)
        self.assertEqual(daemon.health()["status"], "pass")

    def assert_stops(self, daemon):
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn("libevent", daemon.text())


def until_cut(clients, more=b"", pause=0.05):
    """Sends `more` to each of those now and then until the server has ended every one; returns what
    they were told, in the end."""
    poll = select.poll()
    by_fd = {client.fileno(): (client, bytearray()) for client in clients}
    told = []
    deadline = time.monotonic() + harness.PATIENCE
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    while by_fd:
        if time.monotonic() > deadline:
            raise harness.Waiting(f"{len(by_fd)} of {len(clients)} were not cut")
        for fd, _ in poll.poll(pause * 1000):
            client, text = by_fd[fd]
            try:
                part = client.recv(65536)
            except ConnectionError:
                part = b""
            text += part
            if not part:
                poll.unregister(fd)
                told.append(bytes(by_fd.pop(fd)[1]))
                client.close()
        for client, _ in by_fd.values():
            with contextlib.suppress(OSError):
                client.send(more, socket.MSG_DONTWAIT)
    return told
