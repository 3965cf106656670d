#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sockets that are passed by name, as systemd does (sd_listen_fds(3))."""
import os
import socket
import stat
import sys

import harness
import upgrading
from puppetry import HEARTBEAT, puppet

# Makes descriptors what systemd would have made them, and becomes the daemon.
PASS = """#!{python}
import os, sys
fds = [int(fd) for fd in os.environ.pop("TEST_FDS").split()]
for i, fd in enumerate([os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(fds))
os.execv({program!r}, [{program!r}] + sys.argv[1:])
"""


class Passed(upgrading.UpgradeTest):
    def listen(self, family=socket.AF_INET, address=("127.0.0.1", 0), kind=socket.SOCK_STREAM):
        end = socket.socket(family, kind)
        self.addCleanup(end.close)
        end.bind(address)
        if kind == socket.SOCK_STREAM:
            end.listen(64)
        return end

    def passed(self, config, sockets, names, daemon="", start=True):
        instance = self.daemon(config, daemon, start=False)
        # As an earlier process may have left it over: it is another's, and the sockets are ours.
        instance.environment = {"LISTEN_FDNAMES": ":".join(names), "LISTEN_PIDFDID": "1",
                                "TEST_FDS": " ".join(str(end.fileno()) for end in sockets)}
        instance.program = os.path.join(instance.folder, "pass")
        with open(instance.program, "w", encoding="utf-8") as file:
            file.write(PASS.format(python=sys.executable, program=harness.REEVED))
        os.chmod(instance.program, 0o755)
        instance.pass_fds = [end.fileno() for end in sockets]
        return instance.start() if start else instance

    def control(self, folder):
        path = os.path.join(folder, "passed")
        return path, self.listen(socket.AF_UNIX, path)

    def test_both(self):
        path, control = self.control(self.enterContext(harness.tempfile.TemporaryDirectory()))
        health, other = self.listen(), self.listen()
        daemon = self.passed(HEARTBEAT + puppet("p"), [health, control, other],
                             ["health", "control", "health"]).wait_started()
        daemon.control = path
        self.assertEqual(daemon.status()["listen"],
                         [f"127.0.0.1:{end.getsockname()[1]}" for end in (health, other)])
        for end in health, other:
            with socket.create_connection(end.getsockname(), harness.PATIENCE) as peer:
                peer.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
                self.assertIn(b" 200 ", peer.recv(4096))
        daemon.wait_log("listen = 127.0.0.1:0 is not used: systemd passes")
        daemon.wait_log("control = .* is not used: systemd passes " + path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        # Hosts see nothing of it, neither the variables nor the sockets.
        with open(f"/proc/{daemon.module('p')['pid']}/environ", "rb") as file:
            self.assertNotIn(b"LISTEN_", file.read())
        inodes = {f"socket:[{os.fstat(end.fileno()).st_ino}]" for end in (health, control, other)}
        self.assertEqual(inodes & set(harness.open_files(daemon.module("p")["pid"])), set())
        self.assertEqual(daemon.stop(), 0)
        # They are systemd's: who connects now waits for the next start.
        self.assertTrue(os.path.exists(path))
        with socket.create_connection(health.getsockname(), harness.PATIENCE):
            pass

    def test_one_alone(self):
        health = self.listen()
        daemon = self.passed(HEARTBEAT, [health], ["health"]).wait_started()
        self.assertEqual(daemon.status()["listen"], [f"127.0.0.1:{health.getsockname()[1]}"])
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(daemon.control))
        path, control = self.control(self.enterContext(harness.tempfile.TemporaryDirectory()))
        daemon = self.passed(HEARTBEAT, [control], ["control"]).wait_started()
        daemon.control = path
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(daemon.status()["phase"], "running")

    def refused(self, end, name, more=(), more_names=()):
        daemon = self.passed(HEARTBEAT, [end, *more], [name, *more_names])
        self.assertEqual(daemon.wait(), 1)
        self.assertRegex(daemon.text(), f'systemd passes a socket named "{name}"')

    def test_what_is_of_no_use(self):
        folder = self.enterContext(harness.tempfile.TemporaryDirectory())
        self.refused(self.listen(), "helth")
        self.refused(self.listen(), "control")
        self.refused(self.control(folder)[1], "health")
        self.refused(self.listen(kind=socket.SOCK_DGRAM), "health")
        self.refused(self.listen(socket.AF_UNIX, "\0reeve-test-" + os.path.basename(folder)), "control")
        unbound = socket.socket()
        self.addCleanup(unbound.close)
        self.refused(unbound, "health")
        one, two = (self.listen(socket.AF_UNIX, os.path.join(folder, name)) for name in ("1", "2"))
        self.refused(one, "control", [two], ["control"])

    def test_upgrade_keeps_them(self):
        """And the next program does not take LISTEN_FDS for its own."""
        path, control = self.control(self.enterContext(harness.tempfile.TemporaryDirectory()))
        health = self.listen()
        daemon = self.passed(HEARTBEAT, [health, control], ["health", "control"]).wait_started()
        daemon.control = path
        if os.stat(harness.REEVED).st_mode & 0o022:
            self.skipTest("the build's programs can be written to by others")
        self.upgrade(daemon, 2)
        self.upgrade(daemon, 3)
        self.assertEqual(daemon.status()["listen"], [f"127.0.0.1:{health.getsockname()[1]}"])
        self.assertEqual(daemon.stop(), 0)
        self.assertTrue(os.path.exists(path))


if __name__ == "__main__":
    harness.main()
