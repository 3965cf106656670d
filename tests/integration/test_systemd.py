#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What systemd is told, read from a notify socket of the test's own."""
import os
import signal
import socket
import tempfile

import harness


class Notify(harness.DaemonTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reeve-notify-")
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.path)
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
        daemon = self.daemon(environment={"NOTIFY_SOCKET": self.path})
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

    def test_watchdog(self):
        self.daemon(environment={"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "200000"})
        for _ in range(3):
            self.assertEqual(self.wait_for("WATCHDOG"), "1")


if __name__ == "__main__":
    harness.main()
