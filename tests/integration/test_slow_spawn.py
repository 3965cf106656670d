#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A process that takes long to be there: the loop goes on, and whatever comes meanwhile meets the right process."""
import os
import signal

import harness
from failing import FailingTest

MODULES = "".join(f"[module:{name}]\nload = heartbeat\nfile = {name}\nbeat.every = 20ms\nrestart-delay = 20ms\n"
                  for name in ("heart", "other"))


class SlowSpawn(FailingTest):
    def hanging(self, begin, config=MODULES):
        """A daemon in which the process that begin() asks for is there, and reeved does not know it yet; releasing daemon.spawn
        tells it. Returns the daemon, the pid, and what begin() will have returned."""
        daemon = self.faulty(config)
        fifo = os.path.join(daemon.folder, "failing.fifo")
        os.mkfifo(fifo)
        daemon.start().wait_started()
        before = set(self.children(daemon))
        daemon.faults.hang_once("posix_spawn")
        later = harness.Later(lambda: begin(daemon), "what was asked for")
        # The open returns when the other side hangs.
        daemon.spawn = harness.Later(lambda: os.open(fifo, os.O_WRONLY), "the spawn").answer()
        pid, = set(self.children(daemon)) - before
        return daemon, pid, later

    def children(self, daemon):
        pid = daemon.process.pid
        found = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="utf-8") as file:
                found += [int(child) for child in file.read().split()]
        return [child for child in found if harness.is_alive(child)]

    def release(self, daemon):
        os.close(daemon.spawn)

    def restart(self, daemon):
        return daemon.ctl("restart", "other")

    def state_of(self, pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0]

    def assert_ends_well(self, daemon):
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertFalse(daemon.processes())

    def test_all_else_goes_on(self):
        daemon, pid, restart = self.hanging(self.restart)
        runs = daemon.module("heart")["tasks"][0]["runs"]
        self.assertEqual(daemon.request("/livez")[0], 200)
        harness.wait_until(lambda: daemon.module("heart")["tasks"][0]["runs"] > runs + 5, "beats")
        self.assertEqual(daemon.module("other")["state"], "starting")
        self.assertFalse(restart.is_done())
        self.release(daemon)
        self.assertEqual(restart.answer().returncode, 0, restart.answer().stderr)
        self.assertEqual(daemon.module("other")["pid"], pid)
        self.assert_ends_well(daemon)

    def test_it_is_no_stray(self):
        """Another host ends meanwhile, and what that left behind is looked for."""
        daemon, pid, restart = self.hanging(self.restart)
        daemon.kill("heart")
        harness.wait_until(lambda: daemon.module("heart")["state"] != "ready", "its end")
        self.release(daemon)
        self.assertEqual(restart.answer().returncode, 0, restart.answer().stderr)
        self.assertEqual(daemon.module("other")["pid"], pid)
        daemon.wait_ready("heart")
        self.assert_ends_well(daemon)

    def test_its_end_is_not_lost(self):
        daemon, pid, restart = self.hanging(self.restart)
        os.kill(pid, signal.SIGKILL)
        harness.wait_until(lambda: self.state_of(pid) == "Z", "its end")
        # That of heart tells that reeved has heard of its children.
        daemon.kill("heart")
        harness.wait_until(lambda: daemon.module("heart")["state"] != "ready", "the other end")
        self.assertEqual(self.state_of(pid), "Z")
        self.release(daemon)
        daemon.wait_log(r"\[other\] .*killed by SIGKILL")
        restart.answer()
        daemon.wait_ready("heart", "other")
        self.assert_ends_well(daemon)

    def wait_end(self, pid):
        harness.wait_until(lambda: not harness.is_alive(pid), "the end of the process")

    def test_stops(self):
        """Of the module itself, and of another: they do not wait for the process."""
        daemon, pid, restart = self.hanging(self.restart)
        for name in "other", "heart":
            done = daemon.ctl("stop", name)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(daemon.module(name)["state"], "stopped")
        self.assertNotEqual(restart.answer().returncode, 0)
        # They come to the queue, behind the one that nobody waits for.
        starts = [harness.Later(lambda name=name: daemon.ctl("start", name), name) for name in ("other", "heart")]
        for name in "other", "heart":
            harness.wait_until(lambda name=name: daemon.module(name)["state"] == "starting", name)
        self.release(daemon)
        for start in starts:
            self.assertEqual(start.answer().returncode, 0, start.answer().stderr)
        self.wait_end(pid)
        self.assert_ends_well(daemon)

    def test_a_stop_in_the_queue(self):
        daemon, pid, restart = self.hanging(self.restart)
        other = harness.Later(lambda: daemon.ctl("restart", "heart"), "another restart")
        harness.wait_until(lambda: daemon.module("heart")["state"] == "starting", "it to wait")
        done = daemon.ctl("stop", "heart")
        self.assertEqual(done.returncode, 0, done.stderr)
        other.answer()
        self.release(daemon)
        self.assertEqual(restart.answer().returncode, 0, restart.answer().stderr)
        self.assertEqual(daemon.module("other")["pid"], pid)
        self.assertEqual(daemon.module("heart")["state"], "stopped")
        self.assert_ends_well(daemon)

    def test_a_process_that_is_never_there(self):
        """A client that waits is told, and tries again."""
        daemon, pid, restart = self.hanging(self.restart)
        other = harness.Later(lambda: daemon.ctl("restart", "heart"), "another restart")
        for name in "other", "heart":
            daemon.wait_log(rf"error .*\[{name}\] cannot start .*: there is no process after 10s; restart 1 in ")
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.release(daemon)
        daemon.wait_ready("heart", "other")
        restart.answer()
        other.answer()
        self.wait_end(pid)
        self.assert_ends_well(daemon)

    def test_a_stop_of_the_daemon(self):
        for released in False, True:
            with self.subTest(released=released):
                daemon, pid, _ = self.hanging(self.restart)
                daemon.signal(signal.SIGTERM)
                daemon.wait_log("stopping: SIGTERM")
                if released:
                    self.release(daemon)
                self.assertEqual(daemon.wait(), 0, daemon.text())
                if not released:
                    self.release(daemon)
                self.wait_end(pid)
                harness.wait_until(lambda daemon=daemon: not daemon.processes(), "the end of all")

    def test_a_check_that_is_given_up(self):
        """Its host is gone before its process is known."""
        def add(daemon):
            daemon.write(MODULES + "[module:new]\nload = heartbeat\nfile = new\nbeat.every = 1h\n")
            return daemon.ctl("reload")
        daemon, pid, _ = self.hanging(add)
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("stopping: SIGTERM")
        self.release(daemon)
        self.assertEqual(daemon.wait(), 0, daemon.text())
        self.wait_end(pid)
        self.assertFalse(daemon.processes())

    def test_an_upgrade_waits_for_it(self):
        daemon, pid, restart = self.hanging(self.restart)
        upgrade = harness.Later(lambda: daemon.ctl("upgrade"), "the upgrade")
        daemon.wait_log("notice .*the upgrade waits: ")
        self.assertFalse(upgrade.is_done())
        self.release(daemon)
        self.assertEqual(restart.answer().returncode, 0, restart.answer().stderr)
        self.assertEqual(upgrade.answer().returncode, 0, upgrade.answer().stderr)
        self.assertEqual(daemon.module("other")["pid"], pid)
        self.assert_ends_well(daemon)


if __name__ == "__main__":
    harness.main()
