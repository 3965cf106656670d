#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A disk that does not answer: reeved goes on without it, and loses nothing."""
import os
import re

import harness
import puppetry
from failing import FailingTest



def runs_once(name):
    return f"[module:{name}]\nload = exec\ncommand = true\nrun.every = 1h\n"


CONFIG = puppetry.HEARTBEAT + runs_once("a") + runs_once("b")


class SlowDisk(FailingTest):
    def hanging(self, config=CONFIG, daemon=""):
        """A daemon whose first write of last runs hangs; closing daemon.disk lets it go on."""
        daemon = self.faulty(config, daemon)
        fifo = os.path.join(daemon.folder, "failing.fifo")
        os.mkfifo(fifo)
        daemon.faults.hang_once("fdatasync")
        # The open returns when the other side hangs.
        opened = harness.Later(lambda: os.open(fifo, os.O_WRONLY), "the disk")
        daemon.start().wait_started()
        daemon.disk = opened.answer()
        return daemon

    def release(self, daemon):
        os.close(daemon.disk)

    def add(self, daemon):
        """A module whose task runs while the disk hangs."""
        daemon.write(CONFIG + runs_once("c"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        harness.wait_until(lambda: daemon.module("c")["tasks"][0]["runs"], "its run")

    def started(self, daemon, name):
        """The time that the file has for its task; 0 for none."""
        try:
            with open(os.path.join(daemon.state, "last-runs"), encoding="utf-8") as file:
                match = re.search(rf"(?m)^(\d+) {name} run$", file.read())
        except FileNotFoundError:
            return 0
        return int(match[1]) if match else 0

    def test_all_else_goes_on(self):
        daemon = self.hanging()
        runs = daemon.module("heart")["tasks"][0]["runs"]
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(daemon.health()["status"], "pass")
        self.assertEqual(daemon.ctl("run", "a/run", "--wait").returncode, 0)
        self.add(daemon)
        self.assertEqual(daemon.ctl("restart", "b").returncode, 0)
        harness.wait_until(lambda: daemon.module("heart")["tasks"][0]["runs"] > runs + 10, "beats")
        self.assertEqual(self.started(daemon, "a"), 0)
        self.assertEqual(daemon.faults.calls("fdatasync"), 1)
        self.release(daemon)
        # The first write is of what was known when the disk began to hang; a second one follows by itself.
        harness.wait_until(lambda: self.started(daemon, "c"), "the run since then")
        self.assertGreaterEqual(daemon.faults.calls("fdatasync"), 2)
        self.assert_well(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_waits_for_it(self):
        daemon = self.hanging()
        self.add(daemon)
        daemon.signal(harness.signal.SIGTERM)
        daemon.wait_log("notice .*waiting for the disk: the times of last runs are being written to .*/last-runs")
        self.assertIsNone(daemon.process.poll())
        self.assertEqual(self.started(daemon, "a"), 0)
        self.release(daemon)
        self.assertEqual(daemon.wait(), 0, daemon.text())
        self.assertGreater(self.started(daemon, "a"), 0)
        self.assertGreater(self.started(daemon, "c"), 0)
        self.assertEqual(daemon.faults.calls("fdatasync"), 2)

    def assert_cut(self, daemon):
        daemon.wait_log(r"error .*the times of last runs were not written to .*/last-runs: .*; after the next start tasks may "
                        "run too soon or too late")
        self.assertEqual(daemon.wait(), 1, daemon.text())
        self.assertEqual(self.started(daemon, "a"), 0)
        # A thread that the kernel cannot end would keep the process; this one it can.
        os.close(daemon.disk)

    def test_a_second_signal_ends_that_wait(self):
        daemon = self.hanging()
        daemon.signal(harness.signal.SIGTERM)
        daemon.wait_log("waiting for the disk")
        daemon.signal(harness.signal.SIGINT)
        daemon.wait_log("warning .*SIGINT from pid .*: ending at once")
        self.assert_cut(daemon)

    def test_signals_that_come_together_end_that_wait(self):
        daemon = self.hanging(CONFIG + puppetry.puppet("slow", "drain = 1000s"))
        with open(os.path.join(daemon.state, "slow.script"), "w", encoding="utf-8") as file:
            file.write("ignore")
        self.assertEqual(daemon.ctl("run", "slow/act").returncode, 0)
        daemon.signal(harness.signal.SIGTERM)
        daemon.wait_log("stopping: ")
        # Modules are killed; the write gets a moment all the same, as a disk that is well takes no longer.
        daemon.signal(harness.signal.SIGINT)
        self.assert_cut(daemon)

    def test_shutdown_timeout_ends_that_wait(self):
        daemon = self.hanging(daemon="shutdown-timeout = 1500ms")
        daemon.signal(harness.signal.SIGTERM)
        daemon.wait_log("waiting for the disk: .*shutdown-timeout")
        self.assert_cut(daemon)

    def test_an_upgrade_waits_for_it(self):
        daemon = self.hanging()
        pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        self.assertEqual(daemon.ctl("run", "a/run", "--wait").returncode, 0)
        upgrade = harness.Later(lambda: daemon.ctl("upgrade"), "upgrade")
        daemon.wait_log("notice .*the upgrade waits: the times of last runs are being written to the disk")
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertFalse(upgrade.is_done())
        self.release(daemon)
        self.assertEqual(upgrade.answer().returncode, 0, upgrade.answer().stderr)
        daemon.wait_log("has taken over from .*: generation 2, 3 hosts")
        self.assertEqual({m["name"]: m["pid"] for m in daemon.status()["modules"]}, pids)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertGreater(self.started(daemon, "a"), 0)


if __name__ == "__main__":
    harness.main()
