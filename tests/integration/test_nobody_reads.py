#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Somebody who should read, or answer, and does not: reeved answers its probes all the same, and stops when it is told to."""
import fcntl
import os
import signal
import socket
import subprocess
import tempfile

import harness
from puppetry import HEARTBEAT, PuppetTest, puppet


class Notify(PuppetTest):
    """systemd, at the notify socket."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reeve-notify-")
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.path)
        self.socket.settimeout(harness.PATIENCE)

    def state(self, daemon, name):
        return os.path.join(daemon.state, name)

    def fill(self):
        """Until the socket's queue takes no more; returns how many it took."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            count = 0
            while True:
                try:
                    other.sendto(b"FILLED=1", self.path)
                except BlockingIOError:
                    return count
                count += 1

    def read(self, until):
        """Messages that matter, up to the one that begins so."""
        seen = []
        while True:
            text = self.socket.recv(4096).decode()
            if text.startswith(("FILLED", "WATCHDOG", "EXTEND", "STATUS")) and not text.startswith(until):
                continue
            seen.append(text)
            if text.startswith(until):
                return seen

    def start(self, config):
        return self.daemon(config, environment={"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "20000"})

    def test_the_loop_goes_on(self):
        self.fill()
        daemon = self.start(HEARTBEAT).wait_started()
        # Pings come every 10 ms, and there is no room for one.
        daemon.wait_log("systemd does not take its notifications: Resource temporarily unavailable")
        for _ in range(20):
            self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(daemon.text().count("systemd does not take"), 1)

    def test_what_matters_is_told_later_and_in_order(self):
        self.fill()
        daemon = self.start(HEARTBEAT).wait_started()
        for _ in range(5):
            self.assertEqual(daemon.ctl("reload").returncode, 0)
        seen = self.read("STATUS=running")
        self.assertEqual([text.split("\n")[0] for text in seen[:-1]], ["READY=1", "RELOADING=1", "READY=1"])
        daemon.wait_log("systemd takes its notifications again")
        self.fill()
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("stopping: ")
        # It does not wait for systemd at its end: what is told depends on who reads in time.
        self.assertEqual(daemon.wait(), 0, daemon.text())

    def test_over_an_upgrade(self):
        daemon = self.start(HEARTBEAT)
        self.read("READY")
        self.fill()
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertEqual(daemon.request("/livez")[0], 200)
        changes = [text.split("\n")[0] for text in self.read("READY")]
        self.assertEqual(changes, ["RELOADING=1", "READY=1"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_socket_that_is_gone(self):
        # Without pings, which would fill the queue first.
        daemon = self.daemon(HEARTBEAT, environment={"NOTIFY_SOCKET": self.path}).wait_started()
        os.unlink(self.path)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log("systemd does not take its notifications: No such file or directory")
        self.assertEqual(daemon.request("/livez")[0], 200)
        again = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(again.close)
        again.bind(self.path)
        daemon.wait_log("systemd takes its notifications again")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_start_that_fails_waits_for_nobody(self):
        self.fill()
        code, text = self.run_with("[nonsense]\n", {"NOTIFY_SOCKET": self.path})
        self.assertEqual(code, 1)
        self.assertIn("unknown section", text)

    def run_with(self, config, environment):
        daemon = self.daemon(config, environment=environment, start=False)
        daemon.start()
        code = daemon.wait()
        return code, daemon.text()

    def test_odd_sockets(self):
        for name in ("vsock:2:1234", "relative", "/" + "x" * 200):
            daemon = self.daemon(HEARTBEAT, environment={"NOTIFY_SOCKET": name}).wait_started()
            self.assertIn("only the path of a socket", daemon.text())
            self.assertEqual(daemon.stop(), 0, daemon.text())
        name = f"reeve-test-{os.getpid()}"
        abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(abstract.close)
        abstract.bind("\0" + name)
        abstract.settimeout(harness.PATIENCE)
        daemon = self.daemon(HEARTBEAT, environment={"NOTIFY_SOCKET": "@" + name})
        while b"READY=1" not in abstract.recv(4096):
            pass
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Log(PuppetTest):
    """The reader of the log, from a pipe that others write to as well."""

    def test_the_loop_goes_on(self):
        daemon = self.daemon(puppet("a"), start=False)
        ours, theirs = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        environment = dict(os.environ, RUNTIME_DIRECTORY=daemon.folder, STATE_DIRECTORY=daemon.state)
        # Fills what the daemon leaves, all the time: a poll before a write would tell nothing.
        rival = subprocess.Popen(["sh", "-c", "while :; do echo rival; done"], stdout=theirs)
        self.addCleanup(rival.wait)
        self.addCleanup(rival.kill)
        with subprocess.Popen([harness.REEVED, "-c", daemon.config_path], stderr=theirs, stdout=subprocess.DEVNULL,
                              env=environment) as process:
            os.close(theirs)
            try:
                daemon.wait_answers()
                harness.wait_until(lambda: daemon.ctl("status").returncode == 0 and
                                   daemon.module("a")["state"] == "ready", "the module")
                for _ in range(10):
                    self.script(daemon, "a", "say-often all of this is for nobody")
                    harness.wait_until(lambda: daemon.ctl("run", "a/act", "--wait").returncode == 0, "a run")
                    self.assertEqual(daemon.ctl("status").returncode, 0)
                process.terminate()
                self.assertEqual(process.wait(harness.PATIENCE), 0)
            finally:
                process.kill()
        os.close(ours)


if __name__ == "__main__":
    harness.main()
