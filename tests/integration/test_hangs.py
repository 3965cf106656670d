#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Modules that hang: in init, in their tasks, and in their end."""
import os
import re
import signal

import harness
from puppetry import HEARTBEAT, PuppetTest, puppet


class Hangs(PuppetTest):
    def test_a_timeout_is_honoured(self):
        daemon = self.daemon(puppet("a", "act.timeout = 20ms", "act.grace = 1000s")).wait_started()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "wait")
        daemon.wait_log(r"\[a/act#1\] failed: ")
        task = harness.wait_until(lambda: (t := self.task(daemon, "a", "act"))["runs"] and t, "run")
        self.assertEqual((task["failures"], task["timeouts"]), (1, 1))
        self.assertRegex(daemon.request("/metrics")[2],
                         r'reeve_task_worst_cancel_seconds\{module="a",task="act"\} 0?\.?\d*[1-9]')
        self.assertEqual(daemon.module("a")["pid"], pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_task_that_ignores_its_cancel(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "act.timeout = 20ms",
                                                "act.grace = 20ms")).wait_started()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "ignore")
        daemon.wait_log(r"\[a/act#1\] ignores its cancellation since 20ms: cancelled because of: ")
        daemon.wait_log(r"\[a\] a/act hangs: it ignored its cancellation for 20ms; restart 1 "
                        r".*; hang in act run 1 sleeping.*, frames: .*puppet\.so\+0x")
        # The frames with their names, a moment later, from another process.
        daemon.wait_log(r"\[a\] stack of hang in act run 1: .*perform at puppet\.c:\d+, "
                        r"act at puppet\.c:\d+, ")
        self.wait_restarted(daemon, "a", pid)
        harness.wait_until(lambda: "act at puppet.c:" in daemon.module("a")["crash"], "symbols")
        # To everybody only what and where, until the task has done well again.
        self.assertEqual(daemon.check("a:crash")["output"], "hang in act run 1")
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        self.assertIsNone(daemon.check("a:crash"))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_task_whose_thread_blocks_every_signal(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "act.timeout = 20ms",
                                                "act.grace = 20ms")).wait_started()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "deaf")
        daemon.wait_log(r"\[a\] a/act hangs: .*; hang in act run 1 sleeping( in \w+)?$")
        self.wait_restarted(daemon, "a", pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stopped_host_is_told(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "grace = 1000s")).wait_started()
        pid = daemon.kill("a", signal.SIGSTOP)
        check = harness.wait_until(
            lambda: (c := daemon.check("a/tick:duration"))["status"] == "fail" and c, "fail")
        self.assertRegex(check["output"], "should have run .* ago and did not|hangs")
        self.assertEqual(daemon.request("/health")[0], 503)
        os.kill(pid, signal.SIGCONT)
        harness.wait_until(lambda: daemon.request("/health")[0] == 200, "pass")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_job_that_hangs_when_no_thread_is_left(self):
        # The host's watch is not one of these; nothing of the module is due, and nothing else happens.
        daemon = self.daemon(HEARTBEAT + puppet("a", "work.timeout = 50ms", "work.grace = 50ms",
                                                "tick.every = never")).wait_started()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "threads")
        self.wait_trace(daemon, "a has all threads")
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="ignore").returncode, 0)
        daemon.wait_log(r"\[a\] a/work hangs: it ignored its cancellation for 50ms; restart 1 ")
        self.wait_restarted(daemon, "a", pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stopped_host_without_anything_due(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "tick.every = never",
                                                "grace = 100ms")).wait_started()
        pid = daemon.kill("a", signal.SIGSTOP)
        daemon.wait_log(rf"\[a\] process {pid} was stopped by SIGSTOP: it is killed unless it is "
                        r"continued within 100ms \(grace\)")
        daemon.wait_log(r"\[a\] it was stopped for 100ms; restart 1 ")
        self.wait_restarted(daemon, "a", pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_grace_that_a_reload_changes(self):
        """It is in force at once, also for one that is stopped already; of a shared host the longest counts."""
        def text(*graces):
            return (puppet("a", "host = h", "tick.every = never", f"grace = {graces[0]}") +
                    f"[module:b]\nload = heartbeat\nhost = h\nfile = b\ngrace = {graces[1]}\n")
        daemon = self.daemon(text("1ms", "1000s")).wait_started()
        pid = daemon.kill("a", signal.SIGSTOP)
        daemon.wait_log(rf"process {pid} was stopped by SIGSTOP: it is killed unless it is continued within 16min 40s")
        daemon.write(text("50ms", "100ms"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"\[host h\] it was stopped for 100ms; with it end 2 modules: a, b$")
        self.wait_restarted(daemon, "a", pid)
        daemon.write(text("1000s", "50ms"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        pid = daemon.kill("a", signal.SIGSTOP)
        daemon.wait_log(rf"process {pid} was stopped by SIGSTOP: it is killed unless it is continued within 16min 40s")
        os.kill(pid, signal.SIGCONT)
        # Who has left does not count.
        daemon.write(text("1000s", "2000s"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.write(text("1000s", "2000s").split("[module:b]")[0])
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        pid = daemon.kill("a", signal.SIGSTOP)
        harness.wait_until(lambda: len(re.findall(rf"process {pid} was stopped by SIGSTOP: it is killed unless it is continued "
                                                  "within 16min 40s", daemon.text())) == 2, "the grace of who stays")
        os.kill(pid, signal.SIGCONT)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_grace_of_a_host_whose_reeved_is_gone(self):
        """The process itself has been told."""
        daemon = self.daemon(puppet("a", "tick.every = never", "grace = 1000s", "act.grace = 1000s")).wait_started()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "ignore")
        self.wait_trace(daemon, "a ignores")
        daemon.write(puppet("a", "tick.every = never", "grace = 10ms", "act.grace = 1000s"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.tree(daemon)
        daemon.signal(signal.SIGKILL)
        daemon.process.wait()
        harness.wait_until(lambda: not harness.is_alive(pid), "its end")

    def test_nobody_who_asks_ends_a_stopped_host(self):
        """The queue of unread requests is bounded by refusing more."""
        daemon = self.daemon(puppet("a", "tick.every = never", "grace = 1000s", "work.queue = 1000")).wait_started()
        pid = daemon.kill("a", signal.SIGSTOP)
        harness.wait_until(lambda: daemon.check("a:state")["status"] == "fail", "the stop")
        waiting = []
        while not any(one.is_done() for one in waiting):
            trees = [daemon.ask_later("/v1/tree") for _ in range(150)]
            waiting.append(daemon.ask_later("/v1/submit?module=a&pool=work", "POST", b"nothing"))
            for tree in trees:
                self.assertEqual(tree.answer()[0], 200)
        status, answer = waiting.pop().answer()
        self.assertEqual((status, answer["code"]), (503, "ENOBUFS"))
        self.assertIn("module a takes nothing now: its host reads no requests", answer["error"])
        self.assertEqual([module["silent"] for module in daemon.ask("/v1/tree")[1]["modules"]], [True])
        self.assertEqual(daemon.module("a")["pid"], pid)
        os.kill(pid, signal.SIGCONT)
        for one in waiting:
            self.assertEqual(one.answer()[0], 202)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stopped_host_that_is_continued(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "tick.every = never",
                                                "grace = 1000s")).wait_started()
        pid = daemon.kill("a", signal.SIGSTOP)
        check = harness.wait_until(
            lambda: (c := daemon.check("a:state"))["status"] == "fail" and c, "fail")
        self.assertEqual(check["output"], "its process is stopped by a signal")
        self.assertEqual(daemon.request("/health")[0], 503)
        os.kill(pid, signal.SIGCONT)
        harness.wait_until(lambda: daemon.request("/health")[0] == 200, "pass")
        self.assertEqual(daemon.module("a")["pid"], pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_module_that_does_not_stop_is_killed(self):
        daemon = self.daemon(puppet("a", "drain = 10ms", "grace = 10ms",
                                    "act.grace = 1000s")).wait_started()
        self.act(daemon, "a", "ignore")
        self.wait_trace(daemon, "a ignores")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertIn("module a did not stop within its drain and grace", daemon.text())

    def test_a_job_that_ignores_its_cancel(self):
        daemon = self.daemon(HEARTBEAT + puppet("a", "work.timeout = 20ms",
                                                "work.grace = 20ms")).wait_started()
        pid = daemon.module("a")["pid"]
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="ignore").returncode, 0)
        daemon.wait_log(r"\[a/work#1\] ignores its cancellation since 20ms: cancelled because of: ")
        daemon.wait_log(r"\[a\] stack of hang in work run 1: .*work at puppet\.c:\d+, ")
        self.wait_restarted(daemon, "a", pid)
        self.assertEqual(daemon.module("a")["pools"][0]["lost"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
