#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Modules that crash: what is done about it, and what is said of the cause."""
import errno
import os
import signal

import harness
from puppetry import HEARTBEAT, PuppetTest, puppet

BADLOAD = os.path.join(harness.FIXTURES, "badload.so")


class Crashes(PuppetTest):
    def test_facts(self):
        daemon = self.daemon(HEARTBEAT + puppet("bad")).wait_started()
        heart, pid = daemon.module("heart")["pid"], daemon.module("bad")["pid"]
        for action, name, run, address in (("crash", "SIGSEGV", 1, " at address 0x10"),
                                           ("abort", "SIGABRT", 2, "")):
            mark = daemon.mark()
            self.act(daemon, "bad", action)
            daemon.wait_log(rf"\[bad\] killed by {name}.*; restart .*; {name} in act run {run}"
                            rf"{address},? frames: \S+\+0x", mark)
            pid = self.wait_restarted(daemon, "bad", pid)
            # It is told until the task has done well again: without addresses to everybody.
            self.assertEqual(daemon.check("bad:crash")["output"], f"{name} in act run {run}")
            self.assertEqual(daemon.health()["status"], "warn")
            if action == "crash":
                self.assertRegex(daemon.module("bad")["crash"],
                                 r"^SIGSEGV in act run 1 at address 0x10, frames: "
                                 # Names may be known by now.
                                 r"(puppet\.so\+0x|perform at puppet\.c)")
            self.script(daemon, "bad", "nothing")
            self.assertEqual(daemon.ctl("run", "bad/act", "--wait").returncode, 0)
            self.assertIsNone(daemon.check("bad:crash"))
        self.assertEqual(daemon.module("heart")["pid"], heart)
        self.assertEqual(daemon.health()["status"], "pass")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_crash_is_told_with_its_own_end_alone(self):
        """Not with the failures of the processes after it."""
        daemon = self.daemon(puppet("a", "on-init = fifo gate"), start=False)
        os.mkfifo(self.path(daemon, "gate"))
        daemon.start()
        harness.release(self.path(daemon, "gate"))
        daemon.wait_started()
        self.act(daemon, "a", "crash")
        daemon.wait_log(r"\[a\] killed by SIGSEGV.*; restart 1 in \S+; SIGSEGV in act run 1 ")
        with open(self.path(daemon, "gate"), "w", encoding="utf-8") as gate:
            gate.write("fail")
        line = daemon.wait_log(r"\[a\] init failed: as told; restart 2 in .*")
        self.assertNotIn("SIGSEGV", line.group())
        harness.release(self.path(daemon, "gate"))
        module = harness.wait_until(lambda: (m := daemon.module("a"))["state"] == "ready" and m, "a to be ready")
        # It is still known, as nothing has gone well since.
        self.assertIn("SIGSEGV in act run 1", module["crash"])
        self.assertEqual((module["last_restart"]["reason"], module["last_restart"]["crash"]), ("init failed: as told", ""))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_signal_that_was_sent(self):
        """It has no address, but a sender."""
        daemon = self.daemon(puppet("a", "tick.every = never")).wait_started()
        for name in ("SEGV", "FPE", "ABRT"):
            pid, mark = daemon.module("a")["pid"], daemon.mark()
            daemon.kill("a", getattr(harness.signal, f"SIG{name}"))
            daemon.wait_log(rf"\[a\] killed by SIG{name}.*; restart \d+ in \S+; SIG{name} sent by pid {os.getpid()} "
                            rf"uid {os.getuid()}, frames: ", mark)
            self.wait_restarted(daemon, "a", pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @harness.unittest.skipIf(harness.SANITIZED, "ASan takes the signal")
    def test_in_what_is_being_loaded(self):
        """A constructor runs before its file is known to be loaded. Each frame has its file all the same."""
        frames = r"frames: badload\.so\+0x[0-9a-f]+( [^\s+]+\+0x[0-9a-f]+)+$"
        daemon = self.daemon(puppet("a", "tick.every = never")).wait_started()
        self.act(daemon, "a", f"load {BADLOAD}")
        daemon.wait_log(rf"\[a\] killed by SIGSEGV.*; SIGSEGV in act run 1 at address 0x10, {frames}")
        daemon.wait_log(r"\[a\] stack of SIGSEGV in act run 1: begin at badload\.c:\d+, ")
        daemon.write(puppet("a", "tick.every = never") + f"[module:b]\nload = {BADLOAD}\n")
        status, answer = daemon.ask("/v1/reload", "POST")
        self.assertEqual(status, 409)
        self.assertRegex(answer["errors"][1], rf"\[module:b\] SIGSEGV in load at address 0x10, {frames}")
        self.assertRegex(answer["errors"][2], r"\[module:b\] its last lines: it begins$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_in_the_first_check(self):
        """Where, and what it said last, as of a crash in a run."""
        daemon = self.daemon(puppet("a", "on-check = die boom|now"), "log-level = warning", start=False)
        self.assertEqual(daemon.start().wait(), 1)
        for line in ("ended while it was being checked: killed by SIGABRT.*", "SIGABRT in check, frames: .*",
                     "its last lines: boom; now"):
            self.assertRegex(daemon.text(), rf"(?m)error +\S+reeve\.ini:\d+: \[module:a\] {line}$")
        daemon.write(puppet("a", "on-check = die boom|now", "essential = no"))
        daemon.log.clear()
        daemon.start()
        daemon.wait_log(r"error +\[a\] could not be checked: killed by SIGABRT.*; restart 1 in .*; SIGABRT in check, frames: ")
        daemon.wait_log(r"error +\[a\] its last lines: boom; now$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_in_fini(self):
        daemon = self.daemon(puppet("a", "on-fini = die good bye")).wait_started()
        self.assertEqual(daemon.ask("/v1/stop?module=a&wait", "POST")[0], 200)
        daemon.wait_log(r"warning +\[a\] while stopping: killed by SIGABRT.*; SIGABRT in fini, frames: ")
        daemon.wait_log(r"warning +\[a\] its last lines: good bye$")
        module = daemon.module("a")
        self.assertRegex(module["output"], r"^stopped: killed by SIGABRT(, core dumped)? while stopping$")
        self.assertRegex(module["crash"], r"^SIGABRT in fini, frames: ")
        self.assertEqual(daemon.ask("/v1/start?module=a&wait", "POST")[0], 200)
        self.assertEqual(daemon.module("a")["output"], "")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_shared_host_blames_who_crashed(self):
        daemon = self.daemon(
            puppet("bad", "host = both") + "[module:heart]\nload = heartbeat\nhost = both\n"
            "restart-delay = 1ms\nrestart-limit = 1/1000s\n").wait_started()
        for _ in range(3):
            pid, mark = daemon.module("heart")["pid"], daemon.mark()
            self.assertEqual(daemon.module("bad")["pid"], pid)
            self.act(daemon, "bad", "crash")
            daemon.wait_log(r"error +\[bad\] ends its host, with 1 other module: heart$", mark)
            daemon.wait_log(r"error +\[bad\] killed by SIGSEGV", mark)
            self.wait_restarted(daemon, "bad", pid)
            self.wait_restarted(daemon, "heart", pid)
            self.assertRegex(daemon.module("heart")["last_restart"]["reason"],
                             r"^it shares its host with module bad: killed by SIGSEGV(, core dumped)? "
                             r"\(SIGSEGV in act run 1\)$")
        self.assertNotRegex(daemon.text(), r"error +\[heart\]")
        # The neighbour's limit of one was not touched.
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_neighbour_says_who_crashed_while_it_waits(self):
        daemon = self.daemon(
            puppet("bad", "host = both") + "[module:heart]\nload = heartbeat\nhost = both\n"
            "restart-delay = 1h\nrestart-delay-max = 1h\n").wait_started()
        self.act(daemon, "bad", "abort")
        output = harness.wait_until(lambda: (c := daemon.check("heart:state")) and c.get("output", "").startswith("backoff") and
                                    c["output"], "its backoff")
        self.assertRegex(output, r"^backoff: it shares its host with module bad: killed by SIGABRT(, core dumped)? "
                                 r"\(SIGABRT in act run 1\); restarts in .+ with its host$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_end_that_is_nobodys_is_told_once(self):
        names = [f"e{i}" for i in range(12)]
        daemon = self.daemon(puppet("a", "host = both", "tick.every = never") +
                             "".join(f"[module:{name}]\nload = exec\ncommand = true\nrun.every = never\nhost = both\n"
                                     "restart-delay = 1ms\n"
                                     for name in names)).wait_started()
        listed = ", ".join(["a", *names[:9]])
        for end, reason, more in (("KILL", "killed by SIGKILL", ""), ("SEGV", "killed by SIGSEGV", "SIGSEGV sent by pid .*, frames: .*"),
                                  ("exit", "exit code 7", "")):
            pid, mark = daemon.module("a")["pid"], daemon.mark()
            if end == "exit":
                self.act(daemon, "a", "say good bye")
                self.act(daemon, "a", "exit")
                daemon.wait_log(r"error +\[host both\] its last lines: good bye$", mark)
            else:
                daemon.kill("a", getattr(signal, f"SIG{end}"))
            daemon.wait_log(rf"error +\[host both\] {reason}.*; with it end 13 modules: {listed}, \.\.\.(; )?{more}$", mark)
            for name in ("a", *names):
                self.wait_restarted(daemon, name, pid)
                # Each tells it where it is asked.
                restart = daemon.module(name)["last_restart"]
                self.assertEqual(restart["kind"], "crash")
                self.assertTrue(restart["reason"].startswith(reason), restart)
        self.assertNotRegex(daemon.text(), r"error +\[(a|e\d+)\] (killed|exit|its last)")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_the_same_object_twice_in_a_host(self):
        code, errors = self.run_reeved(puppet("a", "host = both") + puppet("b", "host = both"))
        self.assertEqual(code, 1)
        self.assertRegex(errors, r"\[module:[ab]\] \S+puppet\.so is loaded in this host already, and is not reentrant")
        # Of a check that asks each in a process of its own.
        code, errors = self.run_reeved(puppet("a", "host = both") + puppet("b", "host = both"), "--check")
        self.assertEqual(code, 1)
        self.assertRegex(errors, r"\[module:b\] and \[module:a\] load the same \S+puppet\.so in one host \"both\"")

    def test_jobs_that_were_lost_are_counted(self):
        daemon = self.daemon(puppet("a")).wait_started()
        pid = daemon.module("a")["pid"]
        for action in ("wait", "nothing", "nothing"):
            self.assertEqual(daemon.ctl("submit", "a/work", stdin=action).returncode, 0)
        self.wait_trace(daemon, "a waits")
        daemon.kill("a")
        daemon.wait_log(r"\[a\] 3 jobs were lost with its host")
        self.wait_restarted(daemon, "a", pid)
        pool = daemon.module("a")["pools"][0]
        self.assertEqual((pool["accepted"], pool["finished"], pool["failed"], pool["lost"]),
                         (3, 0, 0, 3))
        self.assertEqual(pool["last_error"], "lost with its host: killed by SIGKILL")
        last = r'reeve_pool_last_failure_timestamp_seconds\{module="a",pool="work"\} \d{10}\.'
        self.assertRegex(daemon.request("/metrics")[2], last)
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        self.assertRegex(daemon.request("/metrics")[2], last)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_run_that_goes_on_as_its_module_does_is_well_again(self):
        """No end of it can say so."""
        daemon = self.daemon(puppet("a", "tick.every = never", "act.every = 20ms"), start=False)
        self.script(daemon, "a", "wait")
        daemon.start().wait_started()
        for lost in 1, 2:
            self.wait_trace(daemon, "a waits", lost)
            self.wait_restarted(daemon, "a", daemon.kill("a"))
            self.wait_trace(daemon, "a waits", lost + 1)
            task = harness.wait_until(lambda: (t := self.task(daemon, "a", "act"))["status"] == "pass" and t, "a pass")
            self.assertEqual((task["failures"], task["last_code"], task["last_error"]), (lost, 0, ""))
            self.assertIn('reeve_task_consecutive_failures{module="a",task="act"} 0\n', daemon.request("/metrics")[2])
            self.assertEqual(daemon.health()["status"], "pass")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_run_that_fails_as_a_lost_one_does_is_forgiven_nothing(self):
        daemon = self.daemon(puppet("a", "tick.every = never", "act.every = 20ms"), start=False)
        self.script(daemon, "a", "fail to send")
        daemon.start().wait_started()
        harness.wait_until(lambda: self.task(daemon, "a", "act")["failures"], "a failure")
        self.script(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        # When the next begins is not known once it has overrun.
        task = harness.wait_until(lambda: not (t := self.task(daemon, "a", "act"))["next"] and t, "an overrun")
        self.assertEqual((task["status"], task["last_code"], task["last_error"]),
                         ("warn", -errno.EPIPE, "the peer closed the connection"))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_run_that_was_lost_has_failed(self):
        daemon = self.daemon(puppet("a", "tick.every = never")).wait_started()

        def expect(failures, code, error):
            task = self.task(daemon, "a", "act")
            self.assertEqual((task["failures"], task["last_code"], task["last_error"]), (failures, code, error))
            self.assertEqual(task["status"], "warn" if code else "pass")
            in_row = failures if code else 0
            self.assertIn(f'reeve_task_consecutive_failures{{module="a",task="act"}} {in_row}\n',
                          daemon.request("/metrics")[2])
        self.script(daemon, "a", "fail")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 1)
        expect(1, -errno.EIO, "as told")
        for failures in 2, 3:
            self.act(daemon, "a", "wait")
            self.wait_trace(daemon, "a waits", failures - 1)
            self.wait_restarted(daemon, "a", daemon.kill("a"))
            expect(failures, -errno.EPIPE, "lost with its host: killed by SIGKILL")
        self.assertIn("EPIPE: ", daemon.ctl("show", "a").stdout)
        # Until the next run ends.
        self.script(daemon, "a", "fail")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 1)
        expect(4, -errno.EIO, "as told")
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        expect(4, 0, "")
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Causes(PuppetTest):
    def test_a_cancelled_task_can_say_why(self):
        daemon = self.daemon(puppet("a")).wait_started()
        self.act(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertIn(f"a cancelled: SIGTERM from pid {os.getpid()} uid {os.getuid()}",
                      self.trace(daemon))

    def test_work_that_does_not_move_is_cut(self):
        daemon = self.daemon(puppet("a", "drain = 1000s", "drain-stall = 50ms"),
                             daemon="shutdown-timeout = 2000s").wait_started()
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="wait").returncode, 0)
        self.wait_trace(daemon, "a waits")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertIn("the drain is cut short: nothing has moved for 50ms (drain-stall)",
                      daemon.text())

    def test_work_that_moves_has_the_whole_drain(self):
        daemon = self.daemon(puppet("a", "drain = 1000s", "drain-stall = 2s"),
                             daemon="shutdown-timeout = 2000s").wait_started()
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="step").returncode, 0)
        self.wait_trace(daemon, "a steps")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertIn("a has stepped", self.trace(daemon))
        self.assertNotIn("cut short", daemon.text())

    def test_work_goes_on_until_the_drain_is_over(self):
        daemon = self.daemon(puppet("a", "drain = 20ms")).wait_started()
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="wait").returncode, 0)
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="note").returncode, 0)
        self.wait_trace(daemon, "a waits")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertIn(f"a cancelled: SIGTERM from pid {os.getpid()} uid {os.getuid()}",
                      self.trace(daemon))
        # What was queued never ran, and that is told.
        self.assertNotIn("a noted", self.trace(daemon))
        self.assertRegex(daemon.text(), r"\[a\] 1 queued job was not run: SIGTERM from")

    def test_drain_queue_runs_what_was_accepted(self):
        daemon = self.daemon(puppet("a", "drain = 1000s", "drain-queue = yes"),
                             daemon="shutdown-timeout = 1000s").wait_started()
        os.mkfifo(self.path(daemon, "fifo"))
        for action in ("fifo fifo", "note", "note"):
            self.assertEqual(daemon.ctl("submit", "a/work", stdin=action).returncode, 0)
        self.wait_trace(daemon, "a reads")
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("stopping: SIGTERM")
        harness.release(self.path(daemon, "fifo"))
        self.assertEqual(daemon.wait(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("a noted"), 2)

    def test_on_stop_finish(self):
        daemon = self.daemon(puppet("a", "act.on-stop = finish", "drain = 1000s"),
                             daemon="shutdown-timeout = 1000s").wait_started()
        self.begin_run(daemon, "a")
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("stopping: SIGTERM")
        harness.wait_until(lambda: daemon.module("a")["state"] == "stopping", "stopping")
        harness.release(self.path(daemon, "fifo"))
        self.assertEqual(daemon.wait(), 0, daemon.text())
        self.assertEqual(self.trace(daemon)[-2:], ["a has read", "a fini"])

    def test_a_host_cannot_end_its_supervisor(self):
        daemon = self.daemon(puppet("a")).wait_started()
        self.script(daemon, "a", "signal-parent")
        done = daemon.ctl("run", "a/act", "--wait")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Operation not permitted", done.stdout + done.stderr)
        self.assertEqual(daemon.status()["phase"], "running")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
