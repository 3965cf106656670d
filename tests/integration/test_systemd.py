#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The messages to systemd, read from a notify socket of the test's own."""
import http.client
import os
import signal
import socket
import tempfile
import threading

import harness
from puppetry import PuppetTest
import puppetry


def puppet(name, *lines):
    """A puppet without scheduled runs: on a busy machine a late tick would change the status."""
    return puppetry.puppet(name, "tick.every = never", *lines)


class Notify(PuppetTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reeve-notify-")
        self.addCleanup(folder.cleanup)
        self.notify = os.path.join(folder.name, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.notify)
        self.socket.settimeout(harness.PATIENCE)
        self.seen = []

    def wait_for(self, variable):
        """Reads messages until one has the variable; returns its value."""
        while True:
            message = dict(line.split("=", 1)
                           for line in self.socket.recv(4096).decode().splitlines())
            self.seen.append(message)
            if variable in message:
                return message[variable]

    def test_life(self):
        daemon = self.daemon(environment={"NOTIFY_SOCKET": self.notify})
        self.assertEqual(self.wait_for("READY"), "1")
        self.assertIn("running: 0 of 0 modules ready", self.wait_for("STATUS"))
        daemon.signal(signal.SIGHUP)
        self.assertEqual(self.wait_for("RELOADING"), "1")
        self.assertGreater(int(self.seen[-1]["MONOTONIC_USEC"]), 0)
        self.assertEqual(self.wait_for("READY"), "1")
        # A reload that fails is over, too.
        daemon.write("[nonsense]\n")
        daemon.signal(signal.SIGHUP)
        self.wait_for("RELOADING")
        self.assertEqual(self.wait_for("READY"), "1")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(self.wait_for("STOPPING"), "1")
        self.assertIn(f"SIGTERM from pid {os.getpid()} uid {os.getuid()}", self.wait_for("STATUS"))
        self.assertEqual(daemon.wait(), 0)

    def wait_status(self, part):
        while part not in (status := self.wait_for("STATUS")):
            pass
        return status

    def test_status_tells_of_a_failed_reload_until_a_good_one(self):
        config = puppet("a")
        daemon = self.daemon(config, environment={"NOTIFY_SOCKET": self.notify})
        self.wait_status("running: 1 of 1 modules ready")
        daemon.write(config + "[nonsense]\n")
        daemon.signal(signal.SIGHUP)
        self.assertRegex(self.wait_status("failed"), r"running: 1 of 1 modules ready; the last reload failed: "
                         r"\S+/reeve\.ini:\d+: unknown section \[nonsense\]")
        daemon.write(config)
        daemon.signal(signal.SIGHUP)
        while "failed" in (status := self.wait_for("STATUS")):
            pass
        self.assertEqual(status, "running: 1 of 1 modules ready")

    def test_status_of_a_start_that_is_probed(self):
        """Answers that are given between the readiness of the last module and the end of the start."""
        over = threading.Event()

        def probe(port):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE)
            while not over.is_set():
                connection.request("GET", "/readyz")
                connection.getresponse().read()
            connection.close()
        for _ in range(5):
            daemon = self.daemon(puppet("a", "on-init = fifo gate"), start=False,
                                 environment={"NOTIFY_SOCKET": self.notify})
            os.mkfifo(self.path(daemon, "gate"))
            daemon.start()
            self.wait_trace(daemon, "a reads")
            over.clear()
            probes = [threading.Thread(target=probe, args=(daemon.port,)) for _ in range(3)]
            try:
                for thread in probes:
                    thread.start()
                harness.release(self.path(daemon, "gate"))
                self.assertEqual(self.wait_status("running"), "running: 1 of 1 modules ready")
            finally:
                over.set()
                for thread in probes:
                    thread.join()
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_status_tells_the_worst_task(self):
        daemon = self.daemon(puppet("a"), environment={"NOTIFY_SOCKET": self.notify, "WATCHDOG_USEC": "200000"})
        self.wait_status("running: 1 of 1 modules ready")
        self.act(daemon, "a", "fail")
        self.assertEqual(self.wait_status("a:"), "running: 1 of 1 modules ready; a: as told")

    def test_status_tells_why_it_did_not_start(self):
        daemon = self.daemon("[nonsense]\n", environment={"NOTIFY_SOCKET": self.notify})
        self.assertRegex(self.wait_for("STATUS"), r"not started: \S+/reeve\.ini:\d+: unknown section")
        self.assertEqual(daemon.wait(), 1)

    def test_asks_for_time_while_work_moves(self):
        """For as long as the work may go on without another sign of life, and five seconds."""
        daemon = self.daemon(puppet("a", "drain = 1min", "drain-stall = 7s", "grace = 2s"),
                             "shutdown-timeout = 2min", environment={"NOTIFY_SOCKET": self.notify}).wait_started()
        daemon.ctl("submit", "a/work", stdin="step")
        self.wait_trace(daemon, "a steps")
        daemon.signal(signal.SIGTERM)
        self.wait_for("STOPPING")
        self.assertEqual(self.wait_for("EXTEND_TIMEOUT_USEC"), "14000000")
        self.assertEqual(daemon.wait(), 0)

    def test_asks_for_its_drain_delay(self):
        daemon = self.daemon(puppet("a"), "drain-delay = 100ms",
                             environment={"NOTIFY_SOCKET": self.notify}).wait_started()
        daemon.signal(signal.SIGTERM)
        self.wait_for("STOPPING")
        self.assertEqual(self.wait_for("EXTEND_TIMEOUT_USEC"), "5100000")
        self.assertEqual(daemon.wait(), 0)

    def test_watchdog(self):
        self.daemon(environment={"NOTIFY_SOCKET": self.notify, "WATCHDOG_USEC": "200000"})
        for _ in range(3):
            self.assertEqual(self.wait_for("WATCHDOG"), "1")


if __name__ == "__main__":
    harness.main()
