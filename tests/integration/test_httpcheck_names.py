#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""httpcheck and a name server that does not answer.

The file runs itself again in a namespace of mounts and network, whose only name server is the test.
"""
import collections
import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import harness
import tools
from httpchecking import HttpcheckTest

INSIDE = "REEVE_TEST_NAMES"

# With these a look-up that nobody answers outlives every test: one that waits for it fails.
FILES = {"resolv.conf": "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n", "nsswitch.conf": "hosts: files dns\n",
         "hosts": "127.0.0.1 known.test\n"}


def missing():
    """The tools that this machine lacks for it; None when it has all."""
    if os.geteuid() != 0:
        return "needs root, for namespaces"
    reason = tools.missing("unshare")
    if reason:
        return reason
    tried = subprocess.run(["unshare", "-mn", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "needs namespaces of mounts and network"


def set_up():
    """In the namespace: files of the resolver, and a loopback."""
    with tempfile.TemporaryDirectory(prefix="reeve-names-") as folder:
        for name, text in FILES.items():
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            subprocess.run(["mount", "--bind", path, os.path.join("/etc", name)], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        up, set_flags = 1, 0x8914
        fcntl.ioctl(control, set_flags, struct.pack("16sH14x", b"lo", up))


class NameServer:
    """Notes what is asked, and answers only from a while on: then every name is 127.0.0.1."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.lock = threading.Lock()
        self.asked = collections.Counter()
        self.pending = []
        self.answers = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            if not query:
                return
            with self.lock:
                self.asked[self.name_of(query)] += 1
                self.pending.append((query, peer))
                if self.answers:
                    self.answer_pending()

    @staticmethod
    def name_of(query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        return ".".join(labels)

    def answer_pending(self):
        for query, peer in self.pending:
            end = query.index(0, 12) + 5
            is_a = query[end - 4:end - 2] == b"\0\1"
            answer = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + bytes(4) + query[12:end]
            if is_a:
                answer += b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", 1, 4) + b"\x7f\0\0\1"
            self.socket.sendto(answer, peer)
        self.pending = []

    def start_answering(self):
        with self.lock:
            self.answers = True
            self.answer_pending()

    def close(self):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


@unittest.skipUnless(INSIDE in os.environ, missing())
class Names(HttpcheckTest):
    def setUp(self):
        super().setUp()
        self.names = NameServer()
        self.addCleanup(self.names.close)
        self.port = self.server.server_port
        self.silent = f"http://silent.test:{self.port}/good"

    def test_a_timeout_holds(self):
        for lines in [], ["follow-redirects = yes"], [f"proxy = http://silent.test:{self.port}"]:
            self.server.redirects = {"/moved": f"http://other.test:{self.port}/good"}
            urls = [self.silent, f"{self.url}/moved" if lines and "follow" in lines[0] else self.silent, f"{self.url}/good"]
            task = self.check(*(f"url = {url}" for url in urls), "timeout = 500ms", *lines)
            self.assertIn(f"{self.silent}: the name silent.test was not resolved in time: no name server answers",
                          task["last_error"])
            if not lines:
                self.assertRegex(task["progress"], rf"; {self.url}/good \d+ ms$")
            elif "follow" in lines[0]:
                self.assertIn(f"{self.url}/moved: the name other.test was not resolved in time", task["last_error"])
            else:
                self.assertIn("(by the proxy http://silent.test:", task["last_error"])

    def test_an_internationalized_name(self):
        self.names.start_answering()
        url = f"http://bücher.test:{self.port}/good"
        # The server writes headers in Latin-1.
        self.server.redirects = {"/moved": url.encode().decode("latin-1")}
        for lines in [f"url = {url}"], [f"url = {self.url}/moved", "follow-redirects = yes"]:
            for locale in "C", "C.UTF-8":
                task = self.check(*lines, environment={"LC_ALL": locale})
                self.assertEqual((task["failures"], task["last_error"]), (0, ""))
                if len(lines) == 1:
                    self.assertRegex(task["progress"], rf"^{url} \d+ ms$")
        self.assertIn("xn--bcher-kva.test", self.names.asked)

    def test_a_run_that_is_cut(self):
        daemon = self.start(f"url = {self.silent}", f"url = {self.url}/good", "timeout = 1000s", "check.timeout = 2s",
                            "check.grace = 1000s")
        task = self.wait_checked(daemon)
        self.assertEqual(task["last_error"], f"cut by check.timeout: 0 of 2 URLs failed, 1 not done: {self.silent}: not done")
        self.assertRegex(task["progress"], rf"^{self.silent} not done; {self.url}/good \d+ ms$")
        self.assertEqual(daemon.module("web")["restarts"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop(self):
        daemon = self.start(f"url = {self.silent}", "timeout = 1000s", "check.grace = 1000s")
        harness.wait_until(lambda: self.names.asked["silent.test"], "the look-up")
        done = daemon.ctl("stop", "web")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(daemon.ctl("start", "web").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn("hang", daemon.text())

    def test_look_ups_do_not_pile_up(self):
        daemon = self.daemon("[module:web]\nload = httpcheck\ncheck.every = 20ms\ntimeout = 5ms\n"
                             f"url = {self.silent}\nurl = {self.silent}?again\nurl = http://other.test/\n").wait_started()
        harness.wait_until(lambda: (t := daemon.module("web")["tasks"]) and t[0]["runs"] > 30, "many checks")
        # Of each name an A and an AAAA; sent again after half a minute.
        for name in "silent.test", "other.test":
            self.assertIn(self.names.asked[name], range(1, 5))
        # Whoever asks next has the answer to the first question.
        daemon.write(f"[module:web]\nload = httpcheck\nurl = {self.silent}\ntimeout = 1000s\ncheck.every = 20ms\n")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.names.start_answering()
        harness.wait_until(lambda: daemon.module("web")["tasks"][0]["last_error"] == "", "a good check")
        # A check with the options of before may have come first.
        seen = harness.wait_until(lambda: [headers for path, headers in self.server.seen if path == "/good"], "the request")
        self.assertEqual(seen[0]["Host"], f"silent.test:{self.port}")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_the_proxy_of_the_environment(self):
        """Its name libcurl looks up, and only libcurl knows whether it does."""
        daemon = self.start(f"url = {self.silent}", "timeout = 500ms", "proxy = environment",
                            environment={"http_proxy": "http://proxy.test:1"})
        self.assertRegex(self.wait_checked(daemon)["last_error"], r"timed? ?out.* \(by the proxy of \$http_proxy\)")
        self.assertEqual(self.names.asked["silent.test"], 0)
        asked = self.names.asked["proxy.test"]
        self.assertEqual(daemon.ctl("run", "web/check", "--wait").returncode, 1)
        self.assertIn("not asked: the resolver, which did not answer, may still be at it for",
                      daemon.module("web")["tasks"][0]["last_error"])
        self.assertEqual(self.names.asked["proxy.test"], asked)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_names_that_are_known(self):
        self.names.start_answering()
        for name in "known.test", "answered.test":
            self.assertEqual(self.check(f"url = http://{name}:{self.port}/good")["last_error"], "")
        with self.names.lock:
            self.names.asked.clear()
        self.assertEqual(self.check(f"url = {self.url}/good")["last_error"], "")
        self.assertEqual(self.names.asked, {})


if __name__ == "__main__":
    if INSIDE not in os.environ and missing() is None:
        os.environ[INSIDE] = "1"
        # Not exec, after which nobody would take away the harness's copy of a user's build.
        sys.exit(subprocess.run(["unshare", "-mn", sys.executable, os.path.abspath(__file__), *sys.argv[1:]],
                                check=False).returncode)
    if INSIDE in os.environ:
        set_up()
    harness.main()
