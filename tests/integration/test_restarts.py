#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reason and time of a module's last restart, which reevectl shows for as long as the module runs."""
import ctypes
import json
import os
import re
import shutil
import signal
import unittest

import harness
import upgrading
from puppetry import HEARTBEAT, PUPPET, PuppetTest, puppet

# Of <linux/ptrace.h>.
PTRACE_SEIZE = 0x4206
HASTY = os.path.join(harness.FIXTURES, "hasty.so")


class Reasons(PuppetTest):
    def check(self, daemon, name, kind, reason):
        """Once the module is ready again, it says why it was restarted; returns what it says."""
        module = harness.wait_until(
            lambda: (m := daemon.module(name))["state"] == "ready" and
            (m["last_restart"] or {}).get("kind") == kind and m, f"a restart of {name} for {kind}")
        restart = module["last_restart"]
        self.assertRegex(restart["reason"], reason)
        # It became ready at the earliest when it started.
        self.assertGreaterEqual(restart["started"], module["since"])
        return restart

    def notes(self, daemon, name):
        """The module's line in the table of `status`."""
        return next(line for line in daemon.ctl("status").stdout.splitlines()
                    if line.startswith(name + " "))

    def succeed(self, daemon, name):
        """A crash is forgotten once what crashed has gone well."""
        self.script(daemon, name, "nothing")
        self.assertEqual(daemon.ctl("run", f"{name}/act", "--wait").returncode, 0)

    def test_a_first_start_is_none(self):
        daemon = self.daemon(puppet("a")).wait_started()
        self.assertIsNone(daemon.module("a")["last_restart"])
        self.assertNotIn("restarted", self.notes(daemon, "a"))
        self.assertNotIn("last restart", daemon.ctl("show", "a").stdout)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_crash(self):
        daemon = self.daemon(puppet("a")).wait_started()
        self.act(daemon, "a", "crash")
        restart = self.check(daemon, "a", "crash", "^killed by SIGSEGV")
        self.assertRegex(restart["crash"], "^SIGSEGV in act run 1 at address 0x10, frames: ")
        # The crash itself is forgotten, the restart is not.
        self.succeed(daemon, "a")
        self.assertEqual(daemon.module("a")["crash"], "")
        self.assertRegex(self.notes(daemon, "a"),
                         r"restarts: 1; restarted \S+ ago: killed by SIGSEGV[^;]*; "
                         r"SIGSEGV in act run 1 at address 0x10$")
        shown = daemon.ctl("show", "a").stdout
        self.assertRegex(shown, r"(?m)^last restart:\n"
                                r"    kind +crash\n"
                                r"    reason +killed by SIGSEGV.*\n"
                                r"    crash +SIGSEGV in act run 1 at address 0x10, frames: .*\n"
                                r"    started +\S+ ago\n"
                                r"    time +\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
        # The frames get their names here as well.
        harness.wait_until(
            lambda: "perform at puppet.c:" in daemon.module("a")["last_restart"]["crash"], "symbols")
        # The network sees the kind and no more.
        for path in "/health", "/page.json":
            _, _, body = daemon.request(path)
            self.assertNotRegex(body, "frames|0x10|killed by")
        page = json.loads(daemon.request("/page.json")[2])["modules"][0]
        self.assertEqual((page["restarts"], page["restart_kind"]), (1, "crash"))
        self.assertGreaterEqual(page["restarted"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_other_ends(self):
        daemon = self.daemon(puppet("a", "act.timeout = 20ms", "act.grace = 20ms") +
                             puppet("c", "requires = a")).wait_started()
        for action, kind, reason in (
                ("exit", "crash", "^exit code 7$"),
                ("ignore", "hang", r"^a/act hangs: it ignored its cancellation for 20ms$")):
            with self.subTest(kind):
                self.act(daemon, "a", action)
                restart = self.check(daemon, "a", kind, reason)
                self.assertEqual("hang in act run" in restart["crash"], kind == "hang")
                self.check(daemon, "c", "dependency", "^module a, which it requires, is in its backoff$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_crash_in_the_first_run(self):
        """It is no failed start, with which reeved would end: each of them comes after the module is ready."""
        config = "".join(puppet(f"m{i}", "act.every = 1h") for i in range(12))
        daemon = self.daemon(config, start=False)
        for i in range(12):
            self.script(daemon, f"m{i}", "crash")
        daemon.start()
        for i in range(12):
            daemon.wait_log(rf"\[m{i}\] killed by SIGSEGV.*; restart 1 in ")
        daemon.wait_started()
        self.assertNotIn("at the first start", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_many_that_fall_again_and_again(self):
        """They leave the others their turn, whatever their order in the file."""
        fallen = "".join(puppet(f"m{i}", "on-init = crash", "essential = no", "restart-delay-max = 1ms",
                                "restart-limit = 1000/1s") for i in range(60))
        daemon = self.daemon(fallen + HEARTBEAT).wait_started()
        harness.wait_until(lambda: daemon.module("m59")["restarts"], "a restart of the last")
        self.assertEqual(daemon.ctl("restart", "heart").returncode, 0)
        self.assertEqual(daemon.module("heart")["state"], "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_its_last_lines(self):
        """They say why, and are told where the log leaves out what modules print."""
        config = puppet("a", "tick.every = never", "restart-delay-max = 1ms")
        for lines, told in (
                ("terminate called|  what():  http://u:secret@host", "terminate called; +what\\(\\): +http://u:\\*\\*\\*@host"),
                ("panic: boom|a|b|c|d|exit", "panic: boom; a; ...; d; exit")):
            with self.subTest(lines):
                daemon = self.daemon(config, "log-level = warning", start=False).start().wait_answers()
                harness.wait_until(lambda d=daemon: d.module("a")["state"] == "ready", "ready")
                self.act(daemon, "a", "die " + lines)
                daemon.wait_log(rf"error +\[a\] its last lines: {told}$")
                self.check(daemon, "a", "crash", rf"^killed by SIGABRT(, core dumped)?; its last lines: {told}$")
                self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stopped_process(self):
        daemon = self.daemon(puppet("a", "grace = 50ms", "tick.every = never")).wait_started()
        daemon.kill("a", signal.SIGSTOP)
        self.check(daemon, "a", "killed", "^it was stopped for 50ms$")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_init_and_tasks_that_fail(self):
        daemon = self.daemon(
            puppet("a", "act.on-error = restart") +
            f"[module:hasty]\nload = {HASTY}\nrestart-limit = 1000/1s\nrestart-delay = 1ms\n"
            "restart-delay-max = 1ms\nessential = no\n").wait_started()
        self.act(daemon, "a", "fail")
        self.check(daemon, "a", "failure", "^task act: as told$")
        daemon.wait_log(r"\[hasty\] .*as told.*; restart ")
        with open(self.path(daemon, "calm"), "w", encoding="utf-8"):
            pass
        self.check(daemon, "hasty", "failure", ".")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_shared_host(self):
        daemon = self.daemon(puppet("bad", "host = both") + HEARTBEAT + "host = both\n"
                             "restart-delay = 1ms\n").wait_started()
        self.act(daemon, "bad", "crash")
        self.check(daemon, "bad", "crash", "^killed by SIGSEGV")
        restart = self.check(daemon, "heart", "neighbour",
                             "^it shares its host with module bad: killed by SIGSEGV")
        self.assertEqual(restart["crash"], "")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_people_ask_for(self):
        daemon = self.daemon(puppet("a") + puppet("c", "requires = a")).wait_started()
        for words, a, c in (
                (("restart", "a"), "^asked", "^with module a, which it requires: asked for by "),
                (("stop", "a"), None, None),
                (("start", "c"), "^with module c, which requires it: asked for by ", "^asked"),
                (("restart", "c"), "^with module c, which requires it: asked", "^asked")):
            self.assertEqual(daemon.ctl(*words).returncode, 0, words)
            if a:
                self.check(daemon, "a", "operator", a)
                self.check(daemon, "c", "operator", c)
        self.assertEqual(daemon.module("c")["restarts"], 0)
        self.assertRegex(self.notes(daemon, "c"), r"restarts: 0; restarted \S+ ago: asked for by ")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_one_that_somebody_starts_out_of_its_backoff(self):
        daemon = self.daemon(puppet("a").replace("1ms", "1h") + HEARTBEAT).wait_started()
        daemon.kill("a")
        harness.wait_until(lambda: daemon.module("a")["state"] == "backoff", "the backoff")
        # It has not been restarted yet.
        self.assertIsNone(daemon.module("a")["last_restart"])
        self.assertEqual(daemon.ctl("start", "a").returncode, 0)
        self.check(daemon, "a", "operator", "^asked for by ")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_shorter_delay_counts_for_a_wait_under_way(self):
        def text(delay, longest):
            return puppet("a", f"restart-delay-max = {longest}").replace("restart-delay = 1ms", f"restart-delay = {delay}")
        daemon = self.daemon(text("10h", "20h")).wait_started()
        daemon.kill("a")
        harness.wait_until(lambda: daemon.module("a")["state"] == "backoff", "the backoff")
        # Not a longer one.
        for delay, longest, words in (("20h", "30h", r"killed by SIGKILL.*; restart 1 in (7|8|9|1\d)h"),
                                      ("1h", "1h", r"killed by SIGKILL.*; restart 1 in 1h$"),
                                      ("10h", "30h", r"killed by SIGKILL.*; restart 1 in 1h$")):
            daemon.write(text(delay, longest))
            self.assertRegex(daemon.ctl("reload", "--plan").stdout, r"(?m)^a +keep *$")
            self.assertEqual(daemon.ctl("reload").stdout, "reloaded\n")
            module = daemon.module("a")
            self.assertEqual(module["state"], "backoff")
            self.assertRegex(module["output"], words)
        daemon.write(text("1ms", "1ms"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.check(daemon, "a", "crash", "killed by SIGKILL")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_reloads(self):
        copy = os.path.join(harness.tempfile.mkdtemp(prefix="reeve-test-"), "puppet.so")
        self.addCleanup(shutil.rmtree, os.path.dirname(copy))
        shutil.copy(PUPPET, copy)
        daemon = self.daemon(puppet("a")).wait_started()
        for section, reason in (
                (puppet("a").replace(PUPPET, copy), "^reload: its .so, its limits or its sandbox"),
                (puppet("a", "host = other"), "^reload: it moves to another host")):
            daemon.write(section)
            self.assertEqual(daemon.ctl("reload").returncode, 0, daemon.text())
            self.check(daemon, "a", "reload", reason)
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Upgrades(upgrading.UpgradeTest):
    def test_it_survives_one(self):
        daemon = self.installed(puppet("a") + puppet("sick").replace("1ms", "1h") + HEARTBEAT)
        self.act(daemon, "a", "crash")
        harness.wait_until(lambda: daemon.module("a")["state"] == "ready" and
                           "perform at" in (daemon.module("a")["last_restart"] or
                                            {"crash": ""})["crash"], "a restart")
        daemon.kill("sick")
        harness.wait_until(lambda: daemon.module("sick")["state"] == "backoff", "the backoff")
        before = daemon.module("a")["last_restart"]
        self.upgrade(daemon, 2)
        after = daemon.module("a")["last_restart"]
        for member in "kind", "reason", "crash":
            self.assertEqual(before[member], after[member])
        self.assertGreaterEqual(after["started"], before["started"])
        self.assertIsNone(daemon.module("heart")["last_restart"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_why_a_host_was_replaced(self):
        daemon = self.installed(HEARTBEAT)
        self.install_next(daemon)
        self.upgrade(daemon, 2)
        restart = daemon.module("heart")["last_restart"]
        self.assertEqual(restart["kind"], "upgrade")
        self.assertTrue(re.match("upgrade: its host does not speak wire version",
                                 restart["reason"]), restart)
        self.assertEqual(daemon.stop(), 0, daemon.text())


@unittest.skipIf(harness.SANITIZED, "ASan takes the signal")
class FirstStarts(upgrading.UpgradeTest):
    CRASH = puppet("a", "on-init = crash") + puppet("b")

    def test_a_crash_ends_reeved_with_its_stack(self):
        daemon = self.daemon(self.CRASH)
        self.assertEqual(daemon.wait(), 1)
        self.assertRegex(daemon.text(), r"error .*\[a\] stack of SIGSEGV in init: .*perform at puppet\.c:\d+, ")

    def test_who_does_not_name_the_stack_is_not_waited_for(self):
        daemon = self.prepared(self.CRASH)
        with open(os.path.join(daemon.folder, "host", "reeve-symbols"), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexec sleep 1000\n")
        daemon.start()
        self.assertEqual(daemon.wait(), 1)
        self.assertIn("[a] no symbols for its stack: reeve-symbols did not answer in time", daemon.text())

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to trace")
    def test_nor_who_cannot_be_killed(self):
        """As one that reads from a disk that hangs: the end of a process that is traced reaches its parent only when the
        tracer lets it."""
        daemon = self.prepared(self.CRASH, "shutdown-timeout = 1s")
        place = os.path.join(daemon.folder, "pid")
        with open(os.path.join(daemon.folder, "host", "reeve-symbols"), "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho $$ > {place}.new\nmv {place}.new {place}\nexec sleep 1000\n")
        daemon.start()
        harness.wait_until(lambda: os.path.exists(place), "reeve-symbols")
        with open(place, encoding="utf-8") as file:
            pid = int(file.read())
        ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        self.assertEqual(ptrace(PTRACE_SEIZE, pid, None, None), 0, os.strerror(ctypes.get_errno()))
        try:
            self.assertEqual(daemon.wait(), 1)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.assertIn("[a] no symbols for its stack: reeve-symbols did not answer in time", daemon.text())
        self.assertNotIn("not stopped within shutdown-timeout", daemon.text())


if __name__ == "__main__":
    harness.main()
