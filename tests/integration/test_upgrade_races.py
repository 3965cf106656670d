#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Live upgrades at the wrong moment: what happens while one program follows the other."""
import contextlib
import os
import signal
import socket
import time

import harness
import upgrading
from puppetry import HEARTBEAT, puppet

# So many connections take the new program some time to take over: a window for all that may happen.
MANY = 400
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"


class TakingOver(upgrading.UpgradeTest):
    def idle(self, daemon):
        peers = []
        for _ in range(MANY):
            peers.append(socket.create_connection(("127.0.0.1", daemon.port), harness.PATIENCE))
            self.addCleanup(peers[-1].close)
        # Those are accepted in their order, so all of them have been.
        self.check_served(peers[-1:])
        return peers

    def check_served(self, peers):
        for peer in peers:
            peer.sendall(LIVEZ)
        for peer in peers:
            self.assertIn(b" 200 ", peer.recv(4096))

    def test_asked_again_while_it_takes_over(self):
        """The second upgrade begins when the first is over, and hands on all that there is."""
        daemon = self.installed(HEARTBEAT)
        peers = self.idle(daemon)
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("executing")
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("has taken over from .*: generation 2, 1 host")
        daemon.wait_log("has taken over from .*: generation 3, 1 host")
        self.check_served(peers)
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(daemon.stop(), 0)

    def test_answer_that_comes_while_it_takes_over(self):
        daemon = self.installed(puppet("p"))
        self.idle(daemon)
        fifo = os.path.join(daemon.folder, "fifo")
        os.mkfifo(fifo)
        self.script(daemon, "p", "fifo " + fifo)
        run = daemon.ask_later("/v1/run?module=p&task=act&wait", "POST")
        self.wait_trace(daemon, "p reads")
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("executing")
        harness.release(fifo)
        daemon.wait_log("has taken over from")
        status, answer = run.answer()
        self.assertEqual((status, answer["code"]), (200, 0), answer)

    def test_stop_while_it_takes_over(self):
        daemon = self.installed(HEARTBEAT)
        self.idle(daemon)
        daemon.signal(signal.SIGUSR2)
        daemon.wait_log("executing")
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("has taken over from .*: generation 2, 1 host")
        self.assertEqual(daemon.wait(), 0)


class Pipelined(upgrading.UpgradeTest):
    """A peer that sends its next request before it has its answer."""

    def connect(self, daemon, data):
        peer = socket.socket(socket.AF_UNIX)
        self.addCleanup(peer.close)
        peer.settimeout(harness.PATIENCE)
        peer.connect(daemon.control)
        peer.sendall(data)
        return peer

    def read_until(self, peer, end):
        data = b""
        while not data.endswith(end):
            more = peer.recv(4096)
            self.assertTrue(more, data)
            data += more
        return data

    def is_held(self, daemon):
        """Whether an answer took as long as it does when no request is read."""
        before = time.monotonic()
        self.assertEqual(daemon.request("/livez")[0], 200)
        return time.monotonic() - before > 0.1

    def test_behind_one_that_waits(self):
        """A request that was read already is only in the memory of the old program, which answers it."""
        daemon = self.installed(puppet("p"))
        fifo = os.path.join(daemon.folder, "fifo")
        os.mkfifo(fifo)
        self.script(daemon, "p", "fifo " + fifo)
        peer = self.connect(daemon, POST % b"run?module=p&task=act&wait" + LIVEZ)
        self.wait_trace(daemon, "p reads")
        later = harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        # Until it holds up the upgrade, or, if that did not wait for it, the new program is there.
        harness.wait_until(lambda: self.is_held(daemon) or "executing" in daemon.text(), "the upgrade")
        harness.release(fifo)
        answers = self.read_until(peer, b"ok\n")
        self.assertEqual(answers.count(b"HTTP/1.1 200 "), 2, answers)
        self.assertIn("generation 2,", later.answer().stdout)

    def test_behind_the_upgrade(self):
        daemon = self.installed(HEARTBEAT)
        peer = self.connect(daemon, POST % b"upgrade" + LIVEZ)
        answers = self.read_until(peer, b"ok\n")
        self.assertIn(b"HTTP/1.1 202 ", answers)
        self.assertIn(b"HTTP/1.1 200 ", answers)
        daemon.wait_log("generation 2, 1 host")


class BetweenCheckAndExec(upgrading.UpgradeTest):
    """A peer that has sent half of its request holds up the exec after the new program was asked."""

    def begin(self, daemon):
        half = socket.create_connection(("127.0.0.1", daemon.port), harness.PATIENCE)
        self.addCleanup(half.close)
        half.sendall(LIVEZ[:20])
        self.asked = os.path.join(daemon.folder, "asked")
        self.write_program(daemon, f'echo >>{self.asked}; exec {harness.REEVED} "$@"')
        later = harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        self.wait_asked(1)
        return half, later

    def wait_asked(self, count):
        harness.wait_until(lambda: self.runs() >= count, "the program to be asked")

    def runs(self):
        """How often the new program was executed."""
        with contextlib.suppress(FileNotFoundError), open(self.asked, encoding="utf-8") as file:
            return len(file.readlines())
        return 0

    def write_program(self, daemon, text):
        path = os.path.join(daemon.folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        self.install(daemon, path)

    def end(self, half):
        half.sendall(LIVEZ[20:])
        self.assertIn(b" 200 ", half.recv(4096))

    def test_another_program(self):
        daemon = self.installed(HEARTBEAT)
        half, later = self.begin(daemon)
        self.write_program(daemon, "echo not me >&2; exit 1")
        self.end(half)
        done = later.answer()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("cannot take over: not me", done.stderr)
        self.assertEqual(daemon.status()["generation"], 1)
        self.assertEqual(daemon.stop(), 0)

    def test_another_configuration(self):
        daemon = self.installed(HEARTBEAT)
        half, later = self.begin(daemon)
        daemon.write(HEARTBEAT + puppet("p"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.end(half)
        self.assertIn("generation 2,", later.answer().stdout)
        # Asked, asked again, and then executed in place.
        self.assertEqual(self.runs(), 3)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    harness.main()
