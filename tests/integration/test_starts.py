#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which modules start, in which order, and when the daemon calls itself started."""
import os
import resource
import signal
import unittest
import unittest.mock

import harness
from puppetry import HEARTBEAT, PuppetTest, puppet


class Order(PuppetTest):
    def test_start_and_stop_follow_after(self):
        daemon = self.daemon(puppet("c", "after = b") + puppet("b", "requires = a") +
                             puppet("a")).wait_started()
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon),
                         ["a init", "b init", "c init", "c fini", "b fini", "a fini"])

    def test_requires_restarts_with_it_and_after_does_not(self):
        daemon = self.daemon(puppet("a") + puppet("needs", "requires = a") +
                             puppet("follows", "after = a")).wait_started()
        pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        daemon.kill("a")
        self.wait_restarted(daemon, "a", pids["a"])
        daemon.wait_log(r"\[needs\] restarts: module a, which it requires, is in its backoff")
        self.wait_restarted(daemon, "needs", pids["needs"])
        self.assertEqual(daemon.module("follows")["pid"], pids["follows"])
        # The restart was an orderly one.
        self.assertEqual([line for line in self.trace(daemon) if line.startswith("needs")],
                         ["needs init", "needs fini", "needs init"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_restart_in_a_shared_host_counts_once(self):
        daemon = self.daemon(puppet("a") + puppet("needs", "requires = a", "host = both") +
                             "[module:heart]\nload = heartbeat\nhost = both\n").wait_started()
        pid = daemon.module("needs")["pid"]
        for _ in range(3):
            self.assertEqual(daemon.ctl("run", "needs/act", "--wait").returncode, 0)
        self.assertEqual(daemon.ctl("submit", "needs/work", "--wait", stdin="nothing").returncode, 0)
        daemon.kill("a")
        self.wait_trace(daemon, "needs init", 2)
        harness.wait_until(lambda: daemon.module("needs")["state"] == "ready", "ready")
        self.assertEqual(daemon.module("needs")["pid"], pid)
        self.assertEqual(self.task(daemon, "needs", "act")["runs"], 3)
        self.assertEqual(daemon.module("needs")["pools"][0]["finished"], 1)
        self.assertEqual(daemon.ctl("run", "needs/act", "--wait").returncode, 0)
        self.assertEqual(self.task(daemon, "needs", "act")["runs"], 4)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_second_signal_ends_the_drain_delay(self):
        daemon = self.daemon(puppet("a"), daemon="drain-delay = 1000s").wait_started()
        daemon.signal(signal.SIGTERM)
        daemon.wait_log(r" stopping: SIGTERM")
        daemon.signal(signal.SIGINT)
        daemon.wait()
        self.assertNotIn("starting again", daemon.text())

    def test_the_first_signal_of_a_stop_that_reeved_began_changes_nothing(self):
        """As `systemctl stop` of a service that is ending by itself."""
        daemon = self.daemon(puppet("a", "essential = no", "on-failed = exit", "restart-limit = 1/1h") +
                             puppet("slow", "drain = 1000s", "act.grace = 1000s"),
                             daemon="shutdown-timeout = 1000s").wait_started()
        fifo = self.begin_run(daemon, "slow")
        daemon.kill("a")
        self.wait_trace(daemon, "a init", 2)
        daemon.kill("a")
        daemon.wait_log(r" stopping: ")
        daemon.signal(signal.SIGTERM)
        daemon.wait_log(r" SIGTERM .*: already stopping; a second one ends at once")
        harness.release(fifo)
        daemon.wait()
        self.assertIn("slow fini", self.trace(daemon))
        self.assertNotIn("ending at once", daemon.text())

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to see what reeved has open")
    def test_the_watch_of_the_time_zone_goes_before_the_modules(self):
        """The kernel takes longer to close it than idle modules to stop. In drain-delay tasks still run."""
        environment = unittest.mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop("TZ", None)
        watch = "anon_inode:inotify"
        daemon = self.daemon(puppet("a"), daemon="drain-delay = 1000s").wait_started()
        daemon.signal(signal.SIGTERM)
        daemon.wait_log(r" stopping: SIGTERM")
        self.assertIn(watch, harness.open_files(daemon.process.pid))
        daemon.signal(signal.SIGINT)
        daemon.wait()
        daemon = self.daemon(puppet("a", "drain = 1000s", "act.grace = 1000s")).wait_started()
        fifo = self.begin_run(daemon, "a")
        self.assertIn(watch, harness.open_files(daemon.process.pid))
        daemon.signal(signal.SIGTERM)
        harness.wait_until(lambda: watch not in harness.open_files(daemon.process.pid), "a watch that is closed")
        harness.release(fifo)
        self.assertEqual(daemon.wait(), 0, daemon.text())

    def test_a_stop_while_modules_restart_takes_no_timeout(self):
        # The stop meets hosts that wait for their turn to be spawned, and such that have not yet said
        # hello.
        daemon = self.daemon("".join(puppet(f"p{i}", "essential = no", "drain = 1000s",
                                            "restart-limit = 1000/1s") for i in range(24)),
                             daemon="shutdown-timeout = 1000s").wait_ready()
        mark, pids = daemon.mark(), [m["pid"] for m in daemon.status()["modules"]]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        daemon.wait_log(r"killed by SIGKILL; restart", mark)
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Starts(PuppetTest):
    def test_init_that_does_not_return(self):
        # 500 ms let at least one of the three attempts reach init, also on a busy machine.
        daemon = self.daemon(puppet("slow", "on-init = wait", "essential = no",
                                    "start-timeout = 500ms", "restart-limit = 2/1000s")).wait_started()
        daemon.wait_log(r"\[slow\] module slow was not ready within 500ms \(start-timeout\); "
                        r".*; hang in init sleeping.*, frames: ")
        daemon.wait_log(r"\[slow\] stack of hang in init: .*perform at puppet\.c:\d+, ")
        daemon.wait_log(r"\[slow\] .*not restarted: 2 restarts within .* \(restart-limit\)")
        module = harness.wait_until(
            lambda: (m := daemon.module("slow"))["state"] == "failed" and m, "failed")
        self.assertEqual(module["restarts"], 2)
        self.assertEqual(daemon.health()["status"], "warn")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_essential_one_that_fails_later(self):
        daemon = self.daemon(puppet("a", "restart-limit = 1/1000s")).wait_started()
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        daemon.kill("a")
        harness.wait_until(lambda: daemon.module("a")["state"] == "failed", "failed")
        document = daemon.health()
        self.assertEqual((document["status"], document["http"]), ("fail", 503))
        self.assertIn("restart-limit", document["checks"]["a:state"][0]["output"])
        self.assertEqual(daemon.request("/readyz")[0], 503)
        self.assertEqual(daemon.request("/livez")[0], 200)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_on_failed_exit(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "restart = never", "on-failed = exit"))
        daemon.wait_started().kill("a")
        self.assertEqual(daemon.wait(), 1)
        self.assertIn("reeved ends: module a failed and on-failed = exit: killed by SIGKILL; "
                      "not restarted: restart = never", daemon.text())

    def test_an_exit_that_nobody_asked_for(self):
        daemon = self.daemon(puppet("a")).wait_started()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "exit")
        daemon.wait_log(r"\[a\] exit code 7; restart 1 in \S+$")
        self.wait_restarted(daemon, "a", pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())


    def start_hasty(self, *lines):
        """A module that fails before it is ready: again and again in a new life."""
        hasty = os.path.join(harness.FIXTURES, "hasty.so")
        daemon = self.daemon("\n".join(
            ["[module:hasty]", f"load = {hasty}", "restart-limit = 1000/1s", "restart-delay = 1ms",
             "restart-delay-max = 1ms", "essential = no", *lines, ""]) +
            "[module:heart]\nload = heartbeat\nhost = both\nbeat.every = 20ms\n").wait_started()
        harness.wait_until(lambda: daemon.module("hasty")["starts"] > 100, "some lives")
        return daemon

    def test_a_task_that_fails_before_its_module_is_ready(self):
        # The module is up all the same: its neighbour in the host must not notice.
        daemon = self.start_hasty("host = both")
        heart = daemon.module("heart")
        self.assertEqual((heart["state"], heart["restarts"]), ("ready", 0), daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_jobs_of_a_module_that_fails_at_once_are_in_the_books(self):
        daemon = self.start_hasty("submits = yes")
        with open(self.path(daemon, "calm"), "w", encoding="utf-8"):
            pass
        harness.wait_until(lambda: (m := daemon.module("hasty"))["state"] == "ready" and
                           m["tasks"][0]["succeeded"] is not None and
                           m["pools"][0]["active"] + m["pools"][0]["queued"] == 0, "peace")
        pool = daemon.module("hasty")["pools"][0]
        self.assertEqual(pool["accepted"], pool["finished"] + pool["failed"] + pool["lost"])
        self.assertEqual(pool["accepted"], len(self.trace(daemon)))
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Ends(PuppetTest):
    def test_the_death_of_the_supervisor_takes_every_host_along(self):
        # One is at work, one hangs and hears no signal, one is stopped, one has left children about.
        daemon = self.daemon("".join(puppet(name, "grace = 300ms", "act.grace = 1000s")
                                     for name in ("works", "deaf", "stopped", "parent"))).wait_started()
        self.act(daemon, "works", "wait")
        self.act(daemon, "deaf", "deaf")
        self.act(daemon, "parent", "children")
        for line in ("works waits", "deaf is deaf", "parent has children"):
            self.wait_trace(daemon, line)
        daemon.kill("stopped", signal.SIGSTOP)
        self.assertGreater(len(daemon.processes()), 5)
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        harness.wait_until(lambda: not daemon.processes(), "the end of all hosts and their children")
        # What could hear why it ends was told.
        self.assertIn("works cancelled: the supervisor is gone", self.trace(daemon))

    @harness.unittest.skipIf(harness.SANITIZED, "ASan's terabytes are not to be dumped")
    def test_a_core_dump_is_still_made(self):
        with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
            pattern = file.read().strip()
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        if hard == 0 or pattern == "":
            self.skipTest("no core dumps on this machine")
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, (soft, hard))
        daemon = self.daemon(puppet("a")).wait_started()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "abort")
        daemon.wait_log(r"\[a\] killed by SIGABRT, core dumped; restart 1 .*; SIGABRT in act run 1")
        self.wait_restarted(daemon, "a", pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
