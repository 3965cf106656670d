#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sockets that systemd keeps for the service: nobody is refused while it restarts."""
import os

import loading
import service
from container import wait_until
from service import ServiceTest, puppet

SOCKETS = ("reeve-health.socket", "reeve-control.socket")
HEARTBEAT = "[module:heart]\nload = heartbeat\nbeat.every = 100ms\n"


class Sockets(ServiceTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.container.systemctl, "disable", "--now", *SOCKETS, check=False)
        self.container.systemctl("enable", "--now", *SOCKETS)
        # Tests start it more often than systemd likes.
        self.drop_in("[Unit]\nStartLimitIntervalSec=0\n")
        self.configure(HEARTBEAT + puppet("p"))

    def load(self, *kinds):
        load = loading.Load(self.container, *kinds)
        self.addCleanup(load.kill)
        return load

    def test_restart_under_load(self):
        self.start()
        load = self.load("new", "new", "control")
        pids = set()
        for _ in range(5):
            pids.add(self.main_pid())
            self.container.systemctl("restart", "reeve")
        counts = load.stop()
        print("restarts under load:", counts)
        self.assertEqual(len(pids), 5)
        self.assertEqual({outcome for outcome in counts if not outcome.endswith(" 200")}, set(), counts)
        self.assertEqual(self.container.show("Result", "NRestarts"),
                         {"Result": "success", "NRestarts": "0"})

    def test_crash_under_load(self):
        """Only what it had already received is lost with it."""
        self.start()
        load = self.load("new", "control")
        pid = self.main_pid()
        self.kill(pid)
        wait_until(lambda: self.container.show("ActiveState") == "active" and self.main_pid() != pid,
                   "the restart")
        counts = load.stop()
        self.assertEqual({name for name in counts if "Refused" in name or "NotFound" in name}, set(),
                         counts)

    def test_started_by_who_asks(self):
        self.assertEqual(self.container.show("ActiveState"), "inactive")
        self.assertEqual(self.get("/livez")[0], 200)
        wait_until(lambda: self.container.show("ActiveState") == "active", "the start")
        self.container.systemctl("stop", *SOCKETS, "reeve")
        self.container.systemctl("start", *SOCKETS)
        self.assertIn("reeved", self.ctl("status").stdout)

    def test_control_socket_is_reeves(self):
        self.start()
        self.assertEqual(self.container.run("stat", "-c", "%U %a", "/run/reeve/control").stdout, "reeve 600\n")
        done = self.container.run("setpriv", "--reuid", "65534", "--clear-groups", "reevectl", "status",
                                  check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        # Settings open it, and close it, though it is not reeved that made it.
        self.configure(HEARTBEAT, "control-read = nobody")
        self.container.systemctl("reload", "reeve")
        self.container.run("setpriv", "--reuid", "65534", "--clear-groups", "reevectl", "status")
        self.container.systemctl("stop", *SOCKETS, "reeve")
        self.assertFalse(os.path.exists(self.container.path("/run/reeve/control")))

    def test_without_them(self):
        self.container.systemctl("disable", "--now", *SOCKETS)
        self.start()
        self.assertEqual(self.get("/livez")[0], 200)
        self.container.systemctl("stop", "reeve")
        self.assertFalse(os.path.exists(self.container.path("/run/reeve/control")))


if __name__ == "__main__":
    service.main()
