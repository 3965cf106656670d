#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every public call has an answer in every phase of a module's life, on every thread, and in a forked child."""
import os
import re
import subprocess

import harness

PHASES = os.path.join(harness.FIXTURES, "phases.so")
HOST = harness.REEVE_HOST
HERE = os.path.dirname(os.path.abspath(__file__))

# For hosts alone: what they would do here is take something away from the host.
with open(os.path.join(HERE, "..", "..", "include", "reeve", "host.h"), encoding="utf-8") as header:
    NOT_FOR_MODULES = set(re.findall(r"(?m)^[a-z].*?\b(rv_host_\w+)\(", header.read()))

# Of everything but what is asked of the host it is OK, wherever that is called.
ANYWHERE = {"submit-nobody": "ENOENT", "submit-much": "EMSGSIZE", "submit-context": "ENOENT"}
# Of rv_submit().
SUBMIT = {"check": "EAGAIN", "init": "EAGAIN", "reload": "EAGAIN", "fini": "EPIPE"}
# A check may not write, or start processes.
READS_ONLY = {"files": "EPERM", "command": "EPERM"}
# Of these a child of fork() has none.
NEED_THREADS = ("with_timeout", "with_deadline", "with_signals", "after", "fan", "group", "pool", "once", "periodic")
SUBMITS = ("submit", "submit-nobody", "submit-much", "submit-context")


def section(phase, *lines):
    return "\n".join(["[module:a]", f"load = {PHASES}", f"phase = {phase}", "act.every = never", "restart-delay = 1ms", *lines, ""])


class Phases(harness.DaemonTest):
    maxDiff = None

    def answers(self, text, phase):
        found = dict(re.findall(rf"(?m)\b{phase} ([\w-]+) ([A-Z]+|hangs|crashes)$", text))
        self.assertGreater(len(found), 30, text)
        return found

    def expected(self, found, phase, **others):
        return {call: others.get(call, ANYWHERE.get(call, SUBMIT.get(phase, "OK") if call == "submit" else "OK"))
                for call in found}

    def assert_answers(self, daemon, phase, **others):
        daemon.wait_log(rf"\b{phase} is over")
        found = self.answers(daemon.text(), phase)
        self.assertEqual(found, self.expected(found, phase, **others))
        self.assertNotRegex(daemon.text(), "killed|crash|hang|SIGSEGV|SIGABRT")

    def test_each_is_called(self):
        symbols = subprocess.run(["nm", "-D", "--defined-only", os.path.join(harness.BUILD, "lib", "libreeve.so")],
                                 capture_output=True, text=True, check=True).stdout
        with open(os.path.join(HERE, "..", "fixtures", "phases_calls.c"), encoding="utf-8") as file:
            text = file.read()
        public = set(re.findall(r" T (rv_\w*[a-z])\b", symbols))
        self.assertGreater(len(public), 80)
        self.assertEqual({name for name in public - NOT_FOR_MODULES if not re.search(rf"\b{name}\(", text)}, set())

    def start(self, phase, *lines):
        return self.daemon(section(phase, *lines)).wait_started()

    def end(self, daemon):
        self.assertEqual(daemon.module("a")["restarts"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_init(self):
        daemon = self.start("init")
        self.assert_answers(daemon, "init")
        self.end(daemon)

    def test_health(self):
        daemon = self.start("health")
        self.assert_answers(daemon, "health")
        self.end(daemon)

    def test_a_task(self):
        daemon = self.start("task")
        self.assertEqual(daemon.ctl("run", "a/act").returncode, 0)
        self.assert_answers(daemon, "task")
        self.assertEqual(daemon.module("a")["tasks"][0]["progress"], "progress")
        self.end(daemon)

    def test_a_job_and_its_end(self):
        for phase in "job", "ended":
            with self.subTest(phase=phase):
                daemon = self.start(phase)
                self.assertEqual(daemon.ctl("submit", "a/work").returncode, 0)
                self.assert_answers(daemon, phase)
                self.end(daemon)

    def test_a_thread_of_the_module(self):
        daemon = self.start("foreign")
        self.assertEqual(daemon.ctl("run", "a/act").returncode, 0)
        self.assert_answers(daemon, "foreign")
        self.assertEqual(daemon.module("a")["tasks"][0].get("progress", ""), "")
        self.end(daemon)

    def test_a_reload(self):
        daemon = self.start("none")
        daemon.write(section("reload"))
        self.assertEqual(daemon.ctl("reload").returncode, 0, daemon.text())
        self.assert_answers(daemon, "reload")
        self.end(daemon)

    def test_fini(self):
        daemon = self.start("fini")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_answers(daemon, "fini")

    def test_a_check(self):
        """It finds mistakes, one for each call."""
        code, errors = self.run_reeved(section("check"), "--check")
        self.assertEqual(code, 1)
        self.assertIn("check is over", errors)
        self.assertRegex(errors, r"reeve\.ini:\d+: \[module:a\] label: as told")
        found = self.answers(errors, "check")
        self.assertEqual(found, self.expected(found, "check", **READS_ONLY))

    def test_a_description(self):
        """Only constructors run. A search for leaks would have to trace the process, which the sandbox denies."""
        done = subprocess.run([HOST, "--describe", PHASES], capture_output=True, text=True, check=False,
                              env=dict(os.environ, PHASES="constructor", ASAN_OPTIONS="detect_leaks=0"),
                              timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.answers(done.stderr, "constructor")
        self.assertEqual(found, self.expected(found, "constructor", **dict.fromkeys(SUBMITS, "ENOSYS"), **READS_ONLY))

    def test_alone(self):
        for phase in "init", "fini", "health":
            with self.subTest(phase=phase):
                process = subprocess.Popen([HOST, "--run", PHASES, f"phase={phase}"], stderr=subprocess.PIPE, text=True,
                                           cwd=self.daemon(start=False).state)
                self.addCleanup(process.stderr.close)
                self.addCleanup(process.kill)
                text = ""
                for line in process.stderr:
                    text += line
                    if "is over" in line or phase == "fini" and "ready" in line:
                        process.terminate()
                self.assertEqual(process.wait(harness.PATIENCE), 0, text)
                found = self.answers(text, phase)
                self.assertEqual(found, self.expected(found, phase))

    def test_a_forked_child(self):
        daemon = self.start("forked")
        self.assertEqual(daemon.ctl("run", "a/act").returncode, 0)
        daemon.wait_log(r"\bforked is over")
        found = self.answers(daemon.text(), "forked")
        refused = dict.fromkeys(NEED_THREADS + SUBMITS, "EOPNOTSUPP")
        self.assertEqual(found, {**dict.fromkeys(found, "OK"), **refused})
        self.assertEqual(daemon.module("a")["tasks"][0].get("progress", ""), "")
        self.end(daemon)


if __name__ == "__main__":
    harness.main()
