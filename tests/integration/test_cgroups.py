#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hosts in control groups."""
import contextlib
import os
import re
import signal
import subprocess
import tempfile

import harness
from limiting import IS_ROOT, LimitsTest, breaker


def find_unified():
    """Where control groups of version 2 are mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return next((line.split()[4] for line in file if " - cgroup2 " in line), None)


class Groups(LimitsTest):
    """A delegated group of the test's own. Where no controller is there (the older hierarchy has
    them), what groups do without one can be tested all the same."""

    def setUp(self):
        mount = find_unified()
        if not mount:
            self.skipTest("no control groups of version 2")
        try:
            # No process id in the name: another test in a namespace of its own may have the same.
            self.group = tempfile.mkdtemp(prefix="reeve-test-", dir=mount)
        except OSError as error:
            self.skipTest(f"no control group can be made: {error}")
        self.addCleanup(self.remove)
        try:
            os.setxattr(self.group, "user.delegate", b"1")
        except OSError as error:
            self.skipTest(f"a control group cannot be marked as delegated: {error}")

    def remove(self):
        with contextlib.suppress(OSError):
            with open(os.path.join(self.group, "cgroup.kill"), "w", encoding="utf-8") as file:
                file.write("1")

        def is_gone():
            for folder, _, _ in os.walk(self.group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            return not os.path.exists(self.group)
        harness.wait_until(is_gone, "the end of the control group")

    def start(self, config):
        """reeved in the group, as if systemd had started it there."""
        daemon = self.daemon(config, start=False)
        procs = os.path.join(self.group, "cgroup.procs")

        def enter():
            with open(procs, "w", encoding="utf-8") as file:
                file.write("0")
        return self.start_as(daemon, enter).wait_started()

    @staticmethod
    def group_of(pid):
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
            return next(line.strip()[3:] for line in file if line.startswith("0::"))

    def groups(self):
        return sorted(entry.name for entry in os.scandir(self.group) if entry.is_dir())

    def has(self, controller):
        with open(os.path.join(self.group, "cgroup.controllers"), encoding="utf-8") as file:
            return controller in file.read().split()

    def test_life(self):
        daemon = self.start(breaker("a") + breaker("b", *(["user = nobody"] if IS_ROOT else [])))
        daemon.wait_log("hosts have control groups in " + re.escape(self.group))
        self.assertTrue(self.group_of(daemon.process.pid).endswith("/supervisor"))
        for name in "ab":
            pid = daemon.module(name)["pid"]
            self.assertRegex(self.group_of(pid), rf"/host-{name}-\d+$")
        self.assertEqual(len(self.groups()), 3)
        # Who dies takes its group along, and what was in it, wherever that hid.
        pid, stray = daemon.module("a")["pid"], int(self.attempt(daemon, "stray"))
        self.assertEqual(self.group_of(stray), self.group_of(pid))
        old = os.path.basename(self.group_of(pid))
        daemon.kill("a")
        harness.wait_until(lambda: not harness.is_alive(stray), "the end of the stray")
        harness.wait_until(lambda: old not in self.groups() and len(self.groups()) == 3,
                           "a new group in place of the old one")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.groups(), ["supervisor"])

    def test_the_next_supervisor_finds_it_as_it_is(self):
        daemon = self.start(breaker("a"))
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        daemon.close()
        self.assertIn("supervisor", self.groups())
        daemon = self.start(breaker("a"))
        harness.wait_until(lambda: len(self.groups()) == 2, "the old group's removal")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_old_group_goes_when_it_is_empty(self):
        """A process that has ended may still be in its group when the next supervisor starts."""
        old = os.path.join(self.group, "host-a-77")
        os.mkdir(old)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as late:
            with open(os.path.join(old, "cgroup.procs"), "w", encoding="utf-8") as file:
                file.write(str(late.pid))
            daemon = self.start(breaker("a"))
            self.assertIn("host-a-77", self.groups())
        harness.wait_until(lambda: "host-a-77" not in self.groups(), "the old group's removal")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_limits(self):
        daemon = self.start(breaker("a", "memory-max = 64M", "cpu-max = 50%"))
        group = os.path.join(self.group, os.path.basename(self.group_of(daemon.module("a")["pid"])))
        if not self.has("cpu"):
            daemon.wait_log(r"\[a\] sandbox: not enforced: cpu-max = 50%: no control group with the cpu")
        else:
            with open(os.path.join(group, "cpu.max"), encoding="utf-8") as file:
                self.assertEqual(file.read(), "50000 100000\n")
        if not self.has("memory"):
            daemon.wait_log(r"\[a\] memory-max = 64M bounds its private data \(RLIMIT_DATA\)")
        else:
            daemon.ask_later("/v1/submit?module=a&pool=try&wait", "POST", b"leak")
            daemon.wait_log(r"\[a\] killed by the kernel: it exceeded memory-max = 64M; restart")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_without_the_mark(self):
        os.removexattr(self.group, "user.delegate")
        daemon = self.start(breaker("a"))
        self.assertEqual(self.group_of(daemon.process.pid), self.group_of(daemon.module("a")["pid"]))
        self.assertEqual(self.groups(), [])
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
