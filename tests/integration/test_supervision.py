#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Modules that misbehave: what the supervisor does about it, and what it says."""
import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import unittest
import unittest.mock

import harness
from puppetry import HEARTBEAT, PUPPET, PuppetTest, puppet

BADLOAD = os.path.join(harness.FIXTURES, "badload.so")


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


class Tasks(PuppetTest):
    def test_on_error(self):
        daemon = self.daemon(puppet("go", "act.on-error = continue") +
                             puppet("again", "act.on-error = restart") +
                             puppet("rest", "act.on-error = stop")).wait_started()
        pids = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        for name in ("go", "again", "rest"):
            self.act(daemon, name, "fail")
            daemon.wait_log(rf"\[{name}/act#1\] failed: as told")
        self.wait_restarted(daemon, "again", pids["again"])
        daemon.wait_log(r"\[again\] .*as told; restart 1")
        harness.wait_until(lambda: self.task(daemon, "rest", "act")["state"] == "stopped", "stopped")
        self.assertEqual(daemon.ctl("run", "rest/act", "--wait").returncode, 1)
        self.assertEqual((daemon.module("go")["pid"], daemon.module("rest")["pid"]),
                         (pids["go"], pids["rest"]))
        self.assertEqual(daemon.check("go/act:duration")["status"], "warn")
        self.script(daemon, "go", "nothing")
        self.assertEqual(daemon.ctl("run", "go/act", "--wait").returncode, 0)
        self.assertEqual(daemon.check("go/act:duration")["status"], "pass")
        daemon.wait_log(r"\[go/act#2\] succeeded again after 1 failure$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_more_than_zero_is_a_success(self):
        daemon = self.daemon(puppet("a", "on-init = positive", "on-reload = positive"), start=False)
        self.script(daemon, "a", "positive")
        daemon.start().wait_ready()
        for words in ("run", "a/act"), ("submit", "a/work"):
            done = daemon.ctl(*words, "--wait", stdin="positive")
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("succeeded", done.stdout)
        task = self.task(daemon, "a", "act")
        self.assertEqual((task["last_code"], task["failures"], task["status"]), (0, 0, "pass"))
        self.assertEqual(daemon.check("a/act:duration")["status"], "pass")
        daemon.write(puppet("a", "on-init = positive", "on-reload = positive", "words = new"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"\[a\] reloaded")
        self.assertEqual(daemon.health()["status"], "pass")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_task_that_is_stopped_stays_so_when_a_reload_starts_its_module(self):
        """That was down: it had failed, in a reload or by a crash. No person has said anything of the task."""
        def text(*lines):
            return puppet("a", "act.on-error = stop", "tick.every = never", "restart = never", "essential = no", *lines)
        for way in "reload", "crash":
            with self.subTest(way=way):
                daemon = self.daemon(text()).wait_ready("a")
                self.script(daemon, "a", "fail")
                daemon.ctl("run", "a/act", "--wait")
                harness.wait_until(lambda: self.task(daemon, "a", "act")["state"] == "stopped", "the stop of the task")
                if way == "crash":
                    daemon.kill("a")
                else:
                    daemon.write(text("on-reload = fail", "words = x"))
                    self.assertEqual(daemon.ctl("reload").returncode, 1)
                harness.wait_until(lambda: daemon.module("a")["state"] == "failed", "its failure")
                daemon.write(text("words = y"))
                self.assertEqual(daemon.ctl("reload").returncode, 0)
                self.assertEqual(self.task(daemon, "a", "act")["state"], "stopped")
                self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
                self.assertEqual(self.task(daemon, "a", "act")["state"], "waiting")
                self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_task_that_is_stopped_stays_so(self):
        def text(words, on_error="stop"):
            return "".join(puppet(name, f"act.on-error = {on_error}", f"words = {words}", *lines)
                           for name, lines in {"s": ["act.every = 20ms"], "r": []}.items())

        def states():
            return [self.task(daemon, name, "act")["state"] for name in "sr"]
        daemon = self.daemon(text("old"), start=False)
        self.script(daemon, "s", "fail")
        daemon.start().wait_ready()
        self.act(daemon, "r", "fail")
        harness.wait_until(lambda: states() == ["stopped", "stopped"], "both stopped")
        for name in "sr":
            self.script(daemon, name, "note")
        # Neither by new options, nor by a crash or an upgrade and then another.
        daemon.write(text("new"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"warning +\[s/act\] is still stopped for its failure \(on-error = stop\)")
        self.assertEqual(states(), ["stopped", "stopped"])
        for upgrade in (False, True):
            if upgrade:
                self.assertEqual(daemon.ctl("upgrade").returncode, 0)
            for name in "sr":
                self.wait_restarted(daemon, name, daemon.kill(name))
            self.assertEqual(states(), ["stopped", "stopped"])
            self.assertEqual(daemon.check("s/act:duration")["status"], "warn")
            self.assertIn("the task is stopped", daemon.ctl("run", "r/act", "--wait").stderr)
        self.assertNotIn("s noted", self.trace(daemon))
        # By a person, or when it is not to be so any more. A start finds its module running.
        done = daemon.ctl("start", "s")
        self.assertEqual(done.returncode, 1)
        self.assertIn("module s runs, but its task act was stopped for an error: reevectl restart s starts it again", done.stderr)
        self.assertEqual(daemon.ctl("restart", "s").returncode, 0)
        self.wait_trace(daemon, "s noted")
        daemon.write(text("new", "continue"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        harness.wait_until(lambda: daemon.ctl("run", "r/act", "--wait").returncode == 0, "a run")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_who_has_started_a_stopped_task_has_done_so_for_good(self):
        """Also when the first attempt crashes, and the next one comes by itself."""
        lines = ("act.on-error = stop", "act.every = 20ms")
        daemon = self.daemon(puppet("s", *lines), start=False)
        self.script(daemon, "s", "fail")
        daemon.start().wait_ready()
        harness.wait_until(lambda: self.task(daemon, "s", "act")["state"] == "stopped", "the failure")
        self.script(daemon, "s", "note")
        os.mkfifo(self.path(daemon, "gate"))
        daemon.write(puppet("s", *lines, "on-init = fifo gate"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        restart = daemon.ask_later("/v1/restart?module=s&wait", "POST")
        self.wait_trace(daemon, "s reads")
        daemon.kill("s")
        self.wait_trace(daemon, "s reads", 2)
        harness.release(self.path(daemon, "gate"))
        self.wait_trace(daemon, "s noted")
        restart.answer()
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_overlap(self):
        daemon = self.daemon(puppet("skips") + puppet("queues", "act.overlap = queue")).wait_started()
        for name in ("skips", "queues"):
            os.mkfifo(self.path(daemon, name + ".fifo"))
            self.act(daemon, name, f"fifo {name}.fifo")
            self.wait_trace(daemon, f"{name} reads")
        refused = daemon.ctl("run", "skips/act")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("under way already", refused.stderr)
        # The queue holds one: of two more, one waits and one is refused.
        more = [daemon.ask_later("/v1/run?module=queues&task=act&wait", "POST") for _ in range(2)]
        harness.wait_until(lambda: [later for later in more if later.is_done()], "a refusal")
        self.script(daemon, "queues", "note")
        for name in ("skips", "queues"):
            harness.release(self.path(daemon, name + ".fifo"))
        answers = sorted((later.answer() for later in more), key=lambda answer: answer[0])
        self.assertEqual(answers[0][0], 200, answers)
        self.assertIn("under way already", answers[1][1]["error"])
        self.assertIn("queues noted", self.trace(daemon))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_queued_run_of_a_task_that_stops(self):
        """It was accepted, so the log says why it does not come."""
        daemon = self.daemon(puppet("a", "act.overlap = queue", "act.on-error = stop")).wait_started()
        self.begin_run(daemon, "a")
        self.assertEqual(daemon.ctl("run", "a/act").returncode, 0)
        with open(self.path(daemon, "fifo"), "w", encoding="utf-8") as file:
            file.write("fail")
        reason = "the task is stopped: it has failed, and its on-error = stop"
        daemon.wait_log(rf"warning +\[a/act\] a run that was queued does not begin: {reason}; reevectl restart a ")
        # Who asks for another one is told as well what helps.
        done = daemon.ctl("run", "a/act")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{reason}; reevectl restart a starts it again", done.stderr)
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_queued_run_is_accepted_at_once(self):
        daemon = self.daemon(puppet("a", "act.overlap = queue")).wait_started()
        self.begin_run(daemon, "a")
        self.script(daemon, "a", "note")
        done = daemon.ctl("run", "a/act")
        self.assertEqual((done.returncode, done.stdout), (0, "run 2 accepted\n"), done.stderr)
        self.assertEqual(self.task(daemon, "a", "act")["run"], 1)
        harness.release(self.path(daemon, "fifo"))
        self.wait_trace(daemon, "a noted")
        harness.wait_until(lambda: self.task(daemon, "a", "act")["runs"] == 2, "both runs")
        self.assertEqual(daemon.ctl("run", "a/act").stdout, "run 3 accepted\n")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_health_of_its_own(self):
        daemon = self.daemon(puppet("a", "essential = no"), start=False)
        with open(self.path(daemon, "health"), "w", encoding="utf-8") as file:
            file.write("half empty")
        daemon.start().wait_started()
        check = harness.wait_until(
            lambda: (c := daemon.check("a:state")).get("output") == "half empty" and c, "a report")
        self.assertEqual(check["status"], "warn")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_health_that_does_not_answer(self):
        def section(name, grace):
            return puppet(name, "essential = no", "tick.every = never", f"health-file = {name}.health",
                          f"grace = {grace}")
        daemon = self.daemon(section("waits", "1s") + section("late", "1000s") + section("hangs", "10ms"),
                             start=False)
        with open(self.path(daemon, "waits.health"), "w", encoding="utf-8") as file:
            file.write("wait")
        for name in "late", "hangs":
            os.mkfifo(self.path(daemon, name + ".health"))
        # Readers wait as long as there is a writer.
        late, hangs = (os.open(self.path(daemon, name + ".health"), os.O_RDWR | os.O_CLOEXEC)
                       for name in ("late", "hangs"))
        self.addCleanup(os.close, hangs)
        daemon.start().wait_ready()
        pid = daemon.module("hangs")["pid"]
        # What honours its context answers in time, and says so in words.
        check = harness.wait_until(lambda: (c := daemon.check("waits:state")).get("output") and c, "its time to be over")
        self.assertEqual((check["status"], check["output"]), ("warn", "health() was not done within 10s"))
        # What does not is told for as long as its grace lasts, and then it hangs as a run does.
        check = harness.wait_until(lambda: (c := daemon.check("late:state")).get("output") and c, "no answer")
        self.assertEqual(check["status"], "warn")
        self.assertRegex(check["output"], r"^health\(\) has not answered for 1\ds$")
        os.close(late)
        harness.wait_until(lambda: daemon.check("late:state")["status"] == "pass", "an answer")
        daemon.wait_log(r"\[hangs\] .*hangs: it ignored its cancellation for 10ms")
        self.wait_restarted(daemon, "hangs", pid)
        self.assertEqual((daemon.module("waits")["starts"], daemon.module("late")["starts"]), (1, 1))
        daemon.signal(signal.SIGTERM)
        daemon.wait()


class Reloads(PuppetTest):
    def test_as_many_options_as_the_file_holds(self):
        """At a start, and in a reload beside a run of a neighbour in the same process."""
        def text(word):
            return (puppet("a", "host = h", *(f"words = {word}{i}" for i in range(20000))) +
                    f"[module:b]\nload = exec\nhost = h\ncommand = cat fifo; echo done >> done\nrun.every = 1h\nrun.offset = 1h\n")
        daemon = self.daemon(text("old"), start=False)
        os.mkfifo(self.path(daemon, "fifo"))
        daemon.start().wait_ready()
        pid = daemon.module("a")["pid"]
        self.assertEqual(daemon.ctl("run", "b/run").returncode, 0)
        daemon.write(text("new"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.wait_trace(daemon, "a reload")
        harness.release(self.path(daemon, "fifo"))
        harness.wait_until(lambda: os.path.exists(self.path(daemon, "done")), "the command's end")
        self.assertEqual(daemon.module("a")["pid"], pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def start_with_work(self, *lines):
        """A job is under way, and a reload waits for it."""
        config = puppet("a", "tick.every = never", "on-reload = nothing", *lines)
        daemon = self.daemon(config, daemon="shutdown-timeout = 1000s").wait_started()
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="wait").returncode, 0)
        self.wait_trace(daemon, "a waits")
        daemon.write(config.replace("on-reload = nothing", "on-reload = note"))
        later = daemon.ask_later("/v1/reload", "POST")
        daemon.wait_log(r"\[a\] new settings: reload")
        return daemon, later

    def test_a_stop_during_a_reload_that_waits_for_work(self):
        daemon, _ = self.start_with_work("reload-timeout = 1000s", "drain = 10ms")
        pid = os.getpid()
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # An orderly stop: the job was told, and the module came to its end.
        self.assertIn(f"a cancelled: SIGTERM from pid {pid} uid {os.getuid()}", self.trace(daemon))
        self.assertEqual(self.trace(daemon)[-1], "a fini")
        self.assertNotIn("lost", daemon.text())

    def test_a_reload_waits_for_a_run_and_cuts_nothing(self):
        def text(label):
            return puppet("a", "reload-timeout = 50ms", "tick.every = 10ms").replace("label = a", f"label = {label}")
        daemon = self.daemon(text("a")).wait_started()
        self.begin_run(daemon, "a")
        daemon.write(text("b"))
        self.assertRegex(daemon.ctl("reload", "--plan").stdout, "(?m)^a +reload +when this has ended: run act#1")
        done = daemon.ctl("reload")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "reloaded\n[module:a] takes its new options when its run act#1 has ended\n"))
        self.assertEqual(daemon.module("a")["output"], "takes its new options when its run act#1 has ended")
        # The other task goes on meanwhile, and so does what is asked of the module.
        runs = self.task(daemon, "a", "tick")["runs"]
        harness.wait_until(lambda: self.task(daemon, "a", "tick")["runs"] > runs + 3, "other runs")
        self.assertEqual(daemon.ctl("submit", "a/work", "--wait", stdin="note").returncode, 0)
        self.assertEqual(self.trace(daemon)[-1], "a noted")
        # Over an upgrade it is still known.
        self.assertEqual(daemon.ctl("upgrade").returncode, 0)
        self.assertIn("takes its new options", daemon.module("a")["output"])
        harness.release(self.path(daemon, "fifo"))
        daemon.wait_log(r"\[a\] reloaded")
        self.script(daemon, "a", "note")
        harness.wait_until(lambda: daemon.ctl("run", "a/act", "--wait").returncode == 0, "a run")
        self.assertEqual(self.trace(daemon)[1:], ["a reads", "a noted", "a has read", "b reload", "b noted"])
        self.assertEqual(daemon.module("a")["output"], "")
        self.assertEqual(self.task(daemon, "a", "act")["cancels"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stream_of_queued_runs_does_not_put_a_reload_off(self):
        def text(label):
            return puppet("a", "tick.every = never", "act.overlap = queue").replace("label = a", f"label = {label}")
        daemon = self.daemon(text("a")).wait_started()
        for run in range(1, 4):
            os.mkfifo(self.path(daemon, f"run{run}"))

        def queue(run):
            self.script(daemon, "a", f"fifo run{run}")
            self.assertEqual(daemon.ctl("run", "a/act").returncode, 0)
        queue(1)
        self.wait_trace(daemon, "a reads", 1)
        queue(2)
        daemon.write(text("b"))
        self.assertIn("takes its new options when its run act#1 has ended", daemon.ctl("reload").stdout)
        # The next begins before this one's end can be seen. So the queue is never empty, and each wait names its run.
        for run in 2, 3:
            harness.release(self.path(daemon, f"run{run - 1}"))
            daemon.wait_log(rf"\[a\] takes its new options when its run act#{run} has ended")
            self.assertEqual(daemon.module("a")["output"], f"takes its new options when its run act#{run} has ended")
            self.wait_trace(daemon, "a reads", run)
            if run == 2:
                queue(3)
        refused = daemon.ctl("run", "a/act")
        self.assertEqual((refused.returncode, "taking new options: try again" in refused.stderr), (1, True), refused)
        harness.release(self.path(daemon, "run3"))
        daemon.wait_log(r"\[a\] reloaded")
        self.assertEqual(self.trace(daemon)[1:], ["a reads", "a has read"] * 3 + ["b reload"])
        self.assertEqual(self.task(daemon, "a", "act")["cancels"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_newer_options_take_the_place_of_those_that_wait(self):
        def text(label, *lines):
            return puppet("a", *lines).replace("label = a", f"label = {label}")
        daemon = self.daemon(text("a")).wait_started()
        self.begin_run(daemon, "a")
        for label in "bcd":
            daemon.write(text(label))
            self.assertEqual(daemon.ctl("reload").returncode, 0)
        # Wrong ones change nothing of that.
        daemon.write(text("e", "act.timeout = never mind"))
        self.assertEqual(daemon.ctl("reload").returncode, 1)
        harness.release(self.path(daemon, "fifo"))
        self.wait_trace(daemon, "d reload")
        self.assertEqual(self.trace(daemon), ["a init", "a reads", "a has read", "d reload"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_each_reload_gets_its_own_answer(self):
        """One whose reload() is under way when the next is asked for does not answer that."""
        def text(*lines):
            return puppet("a", "essential = no", "tick.every = never", *lines)
        daemon = self.daemon(text()).wait_ready()
        os.mkfifo(self.path(daemon, "run"))
        os.mkfifo(self.path(daemon, "reload"))
        self.act(daemon, "a", "fifo run")
        self.wait_trace(daemon, "a reads")
        daemon.write(text("on-reload = fifo reload"))
        self.assertIn("takes its new options when its run act#1 has ended", daemon.ctl("reload").stdout)
        with open(self.path(daemon, "run"), "w", encoding="utf-8"):
            pass
        self.wait_trace(daemon, "a reads", 2)
        daemon.write(text("on-reload = fail"))
        reload = daemon.ask_later("/v1/reload", "POST")
        harness.wait_until(lambda: "[a] new settings: reload" in daemon.text().partition("[a] takes its new")[2],
                           "the second reload")
        with open(self.path(daemon, "reload"), "w", encoding="utf-8"):
            pass
        status, answer = reload.answer()
        self.assertNotEqual(status, 200, answer)
        self.assertIn("reload failed: as told", str(answer))
        self.assertEqual(daemon.module("a")["state"], "failed")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_comes_before_options_that_wait(self):
        daemon = self.daemon(puppet("a")).wait_started()
        self.act(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        daemon.write(puppet("a", "words = x"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.assertEqual(self.trace(daemon)[2:], [
            f"a cancelled: {self.task(daemon, 'a', 'act')['last_error'].removeprefix('cancelled: ')}", "a fini", "a init"])
        self.assertEqual(daemon.module("a")["output"], "")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_that_must_stop_a_run_says_so(self):
        folder = self.enterContext(harness.tempfile.TemporaryDirectory())
        os.chmod(folder, 0o755)
        copy = os.path.join(folder, "copy.so")
        shutil.copy(PUPPET, copy)
        text = puppet("a", "tick.every = never").replace(PUPPET, copy)
        daemon = self.daemon(text).wait_started()
        self.act(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        shutil.copy(PUPPET, copy + ".new")
        os.rename(copy + ".new", copy)
        self.assertRegex(daemon.ctl("reload", "--plan").stdout, "(?m)^a +restart +stops run act#1")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"\[a\] new settings: restart; it stops run act#1")
        daemon.wait_log(r"notice +\[a/act#1\] cancelled: reload: its \.so")
        task = self.task(daemon, "a", "act")
        self.assertEqual((task["cancels"], task["failures"], task["status"]), (1, 0, "pass"))
        self.assertRegex(task["last_error"], "cancelled: reload: ")
        self.assertEqual(task["last_code"], 0)
        shown = daemon.ctl("show", "a").stdout
        self.assertRegex(shown, r"(?m)^ +last code +0: cancelled\n +last error +cancelled: reload: ")
        # Until the next run ends.
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        shown = daemon.ctl("show", "a").stdout
        self.assertRegex(shown, r"(?m)^ +last code +0: no error$")
        self.assertNotIn("cancelled", shown)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_waits_for_jobs(self):
        daemon, later = self.start_with_work("reload-timeout = 50ms", "drain = 10ms")
        self.assertEqual(later.answer(), (200, {"errors": [], "notes": [
            "[module:a] takes its new options when jobs of its pool work have ended"]}))
        self.assertEqual(daemon.module("a")["starts"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn("lost", daemon.text())

    def test_newer_options_wait_for_the_same_jobs(self):
        def text(label):
            return puppet("a", f"label = {label}", "reload-timeout = 5s", "drain = 1000s", "tick.every = never").replace("label = a\n", "", 1)
        daemon = self.daemon(text("a"), daemon="shutdown-timeout = 1000s").wait_ready()
        pid = daemon.module("a")["pid"]
        os.mkfifo(self.path(daemon, "job"))
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="fifo job").returncode, 0)
        self.wait_trace(daemon, "a reads")
        for label in "bcefghijklmnd":
            daemon.write(text(label))
            self.assertIn("takes its new options when jobs of its pool work have ended", daemon.ctl("reload").stdout)
        with open(self.path(daemon, "job"), "w", encoding="utf-8"):
            pass
        self.wait_trace(daemon, "d reload")
        harness.wait_until(lambda: daemon.module("a")["output"] == "", "the options")
        self.assertEqual(daemon.module("a")["pid"], pid)
        self.assertIn("a has read", self.trace(daemon))
        self.assertEqual(daemon.module("a")["pools"][0]["finished"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_health_that_hangs_holds_no_reload_up_for_ever(self):
        def text(*lines):
            return puppet("a", "tick.every = never", "reload-timeout = 50ms", "grace = 2s", "drain = 50ms", *lines)
        daemon = self.daemon(text(), start=False)
        for name in "health", "run":
            os.mkfifo(self.path(daemon, name))
        # Its reader waits as long as there is a writer.
        writer = os.open(self.path(daemon, "health"), os.O_RDWR | os.O_CLOEXEC)
        self.addCleanup(os.close, writer)
        daemon.start().wait_ready()
        pid = daemon.module("a")["pid"]
        self.act(daemon, "a", "fifo run")
        self.wait_trace(daemon, "a reads")
        harness.wait_until(lambda: self.path(daemon, "health") in harness.open_files(pid), "health()")
        daemon.write(text("words = new"))
        self.assertIn("takes its new options when its run act#1 has ended", daemon.ctl("reload").stdout)
        with open(self.path(daemon, "run"), "w", encoding="utf-8"):
            pass
        daemon.wait_log(r"\[a\] restarts: it did not reload within reload-timeout")
        self.wait_restarted(daemon, "a", pid)
        daemon.signal(signal.SIGTERM)
        daemon.wait()

    def test_a_start_meanwhile(self):
        """It finds the module running, and its tasks, which wait for the end of reload(), stopped for no error."""
        config = puppet("a", "on-reload = fifo gate", "reload-timeout = 1000s")
        daemon = self.daemon(config).wait_started()
        os.mkfifo(self.path(daemon, "gate"))
        daemon.write(config + "words = new\n")
        reload = daemon.ask_later("/v1/reload", "POST")
        self.wait_trace(daemon, "a reads")
        start = daemon.ask_later("/v1/start?module=a&wait", "POST")
        daemon.wait_log(r"\[a\] start: ")
        harness.release(self.path(daemon, "gate"))
        self.assertEqual((reload.answer()[0], start.answer()[0]), (200, 200))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_empty_file_is_refused(self):
        daemon = self.daemon(puppet("a")).wait_started()
        pid = daemon.module("a")["pid"]
        for text in ("", "\n# nothing\n"):
            with open(daemon.config_path, "w", encoding="utf-8") as file:
                file.write(text)
            done = daemon.ctl("reload")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"reeve\.ini: there is no section in it: an empty or cut file")
        self.assertEqual((daemon.module("a")["pid"], daemon.module("a")["state"]), (pid, "ready"))
        # Without modules, on purpose.
        daemon.write("")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.status()["modules"], [])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_empty_included_file_is_refused(self):
        daemon = self.daemon(HEARTBEAT, daemon="include = a.ini", start=False)
        included = os.path.join(daemon.folder, "a.ini")

        def include(text):
            with open(included, "w", encoding="utf-8") as file:
                file.write(text)
        include(puppet("a"))
        daemon.start().wait_ready()
        pid = daemon.module("a")["pid"]
        for text in "", " \n\n":
            include(text)
            for words in ("reload",), ("reload", "--plan"), ("check",):
                done = daemon.ctl(*words)
                self.assertEqual(done.returncode, 1, words)
                self.assertRegex(done.stderr, r"a\.ini: there is nothing in it: an empty or cut file")
        self.assertEqual((daemon.module("a")["pid"], daemon.module("a")["state"]), (pid, "ready"))
        # On purpose.
        include("# Nothing for now\n")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual([m["name"] for m in daemon.status()["modules"]], ["heart"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_another_object(self):
        daemon = self.daemon(start=False)
        copy = os.path.join(daemon.folder, "copy.so")
        shutil.copy(PUPPET, copy)
        daemon.write(puppet("same") + puppet("new").replace(PUPPET, copy))
        daemon.start().wait_started()
        before = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        shutil.copy(PUPPET, copy + ".new")
        os.rename(copy + ".new", copy)
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        after = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        self.assertEqual(after["same"], before["same"])
        self.assertNotEqual(after["new"], before["new"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_that_fails_leaves_that_module_failed(self):
        daemon = self.daemon(puppet("a", "essential = no") + puppet("b")).wait_ready("a")
        pid = daemon.module("b")["pid"]
        daemon.write(puppet("a", "essential = no", "on-reload = fail") + puppet("b"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the new configuration is in force, but not all works", done.stderr)
        daemon.wait_log(r"\[a\] reload failed: as told")
        daemon.wait_log("reload failed: the new configuration is in force, but not all works")
        self.assertEqual(daemon.module("a")["state"], "failed")
        self.assertEqual(daemon.module("b")["pid"], pid)
        # Errors that are found before are another matter, whatever the one before left behind.
        daemon.write("[nonsense]\n")
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the configuration has errors: nothing was changed", done.stderr)
        daemon.wait_log("reload failed: the old configuration stays in force")
        self.assertEqual(daemon.module("b")["pid"], pid)
        # Another configuration gets it back.
        daemon.write(puppet("a", "essential = no") + puppet("b"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.module("a")["state"], "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_that_hangs_becomes_a_restart(self):
        daemon = self.daemon(puppet("a", "reload-timeout = 20ms", "grace = 20ms",
                                    "drain = 20ms")).wait_started()
        pid = daemon.module("a")["pid"]
        daemon.write(puppet("a", "reload-timeout = 20ms", "on-reload = wait", "grace = 20ms",
                            "drain = 20ms"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"\[a\] restarts: it did not reload within reload-timeout")
        self.wait_restarted(daemon, "a", pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_signals_during_a_reload_are_not_lost(self):
        daemon = self.daemon(puppet("a")).wait_started()
        for generation in range(20):
            daemon.write(puppet("a", f"restart-limit = {generation + 5}/1s"))
            daemon.signal(signal.SIGHUP)
        daemon.write(puppet("a") + puppet("last"))
        daemon.signal(signal.SIGHUP)
        harness.wait_until(lambda: [m["name"] for m in daemon.status()["modules"]] == ["a", "last"],
                           "the last configuration")
        self.assertEqual(daemon.module("a")["starts"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_signal_during_the_start_is_not_lost(self):
        modules = "".join(puppet(f"p{i}") for i in range(10))
        for _ in range(5):
            daemon = self.daemon(modules)
            daemon.wait_log("health is served")
            daemon.write(modules + puppet("last"))
            daemon.signal(signal.SIGHUP)
            harness.wait_until(lambda: daemon.status()["modules"][-1]["name"] == "last",
                               "the last configuration")
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_drop_ins(self):
        daemon = self.daemon(puppet("a"), "include = conf.d/*.ini", start=False)
        os.mkdir(os.path.join(daemon.folder, "conf.d"))
        drop_in = os.path.join(daemon.folder, "conf.d", "b.ini")
        with open(drop_in, "w", encoding="utf-8") as file:
            file.write(puppet("b"))
        daemon.start().wait_started()
        self.assertEqual([m["name"] for m in daemon.status()["modules"]], ["a", "b"])
        with open(drop_in, "w", encoding="utf-8") as file:
            file.write("\n" + puppet("b", "restrat = never"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r'conf\.d/b\.ini:7: \[module:b\] unknown key "restrat"')
        os.unlink(drop_in)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual([m["name"] for m in daemon.status()["modules"]], ["a"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
