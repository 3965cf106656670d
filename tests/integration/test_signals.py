#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Signals that nobody means: what libraries cause, and what a parent has left set."""
import os
import re
import shlex
import signal
import subprocess
import sys

import harness
from puppetry import HEARTBEAT, PUPPET, PuppetTest, puppet

HOST = harness.REEVE_HOST
MODULES = os.path.join(harness.BUILD, "modules")
SIDE_EFFECTS = (signal.SIGPIPE, signal.SIGIO, signal.SIGXFSZ)

# Runs the program that its arguments name, as a careless parent would.
PARENT = """
import os, signal, sys
signals = set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}
for number in signals:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
os.execv(sys.argv[1], sys.argv[1:])
"""


# glibc's own, which posix_spawn() leaves ignored. No program means them.
INTERNAL = {32, 33}


def signals_in(name, text):
    """The signals in a mask of a /proc/PID/status."""
    mask = int(re.search(rf"{name}:\s*(\w+)", text)[1], 16)
    return {number + 1 for number in range(64) if mask >> number & 1} - INTERNAL


class SideEffects(harness.DaemonTest):
    def test_they_end_nobody(self):
        daemon = self.daemon(HEARTBEAT + "[module:x]\nload = exec\ncommand = true\nrun.every = 1h\n")
        daemon.wait_started()
        pids = {name: daemon.module(name)["pid"] for name in ("heart", "x")}
        for number in SIDE_EFFECTS:
            daemon.signal(number)
            for name in pids:
                daemon.kill(name, number)
        # What is sent to a process afterwards arrives after them.
        for pid in pids.values():
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                text = file.read()
            self.assertEqual(signals_in("SigIgn", text), set(SIDE_EFFECTS))
        # The first run, at the start, may still be under way.
        harness.wait_until(lambda: daemon.ctl("run", "x/run", "--wait").returncode == 0, "a run")
        for name, pid in pids.items():
            module = daemon.module(name)
            self.assertEqual((module["pid"], module["restarts"]), (pid, 0), daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_module_that_runs_alone(self):
        process = subprocess.Popen([HOST, "--run", os.path.join(MODULES, "exec.so"), "command=true"],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        for line in process.stderr:
            if "ready" in line:
                break
        for number in SIDE_EFFECTS:
            process.send_signal(number)
        process.terminate()
        self.assertIn("stopping: SIGTERM", process.stderr.read())
        self.assertEqual(process.wait(harness.PATIENCE), 0)


class Programs(PuppetTest):
    """Processes that a module starts by calls that know nothing of signals, from a run and from another thread of the runtime."""
    COMMAND = "shell grep SigBlk /proc/self/status"

    def assert_none_is_blocked(self, text):
        masks = re.findall(r"SigBlk:\s*\w+", text)
        self.assertEqual(len(masks), 2, text)
        for mask in masks:
            self.assertEqual(signals_in("SigBlk", mask), set())

    def test_they_begin_without_blocked_signals(self):
        daemon = self.daemon(puppet("a")).wait_started()
        self.script(daemon, "a", self.COMMAND)
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0, daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_none_is_blocked(daemon.text())

    def test_of_a_module_that_runs_alone(self):
        daemon = self.daemon(start=False)
        self.script(daemon, "a", self.COMMAND)
        process = subprocess.Popen([HOST, "--run", PUPPET, "script=a.script", "act.every=1h"], cwd=daemon.state,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        text = process.stdout.readline() + process.stdout.readline()
        process.terminate()
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        self.assert_none_is_blocked(text)


class Parents(harness.DaemonTest):
    """A parent that ignores and blocks all that can be."""
    COMMAND = "command = grep -E 'Sig(Blk|Ign)' /proc/self/status; exit 7"

    def under_parent(self, config):
        daemon = self.daemon(config, start=False)
        daemon.program = os.path.join(daemon.folder, "start")
        with open(daemon.program, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nexec {sys.executable} -c {shlex.quote(PARENT)} {harness.REEVED} \"$@\"\n")
        os.chmod(daemon.program, 0o755)
        return daemon.start().wait_started()

    def test_the_daemon(self):
        daemon = self.under_parent(
            HEARTBEAT + f"restart-delay = 1ms\n[module:x]\nload = exec\nrun.every = 1h\n{self.COMMAND}\n")
        # The command begins with everything at its default, and its status is known.
        daemon.wait_log(r"\[x/run#1\] failed: exit code 7")
        for name in ("SigBlk", "SigIgn"):
            self.assertEqual(signals_in(name, daemon.text()), set())
        # So is how a host ends.
        daemon.kill("heart")
        daemon.wait_log(r"\[heart\] killed by SIGKILL; restart 1")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_module_that_runs_alone(self):
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT, HOST, "--run", os.path.join(MODULES, "exec.so"),
             self.COMMAND.replace(" = ", "=", 1), "run.every=1h"], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "failed" in line:
                break
        self.assertRegex(lines[-1], "failed: exit code 7")
        for name in ("SigBlk", "SigIgn"):
            self.assertEqual(signals_in(name, "".join(lines)), set())
        process.terminate()
        process.stderr.read()
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_reevectl(self):
        done = subprocess.run(
            [sys.executable, "-c", PARENT, harness.REEVECTL, "describe", os.path.join(MODULES, "exec.so")],
            capture_output=True, text=True, timeout=harness.PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("command", done.stdout)


if __name__ == "__main__":
    harness.main()
