#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which files a host may reach, by Landlock and on kernels without it."""
import os
import signal
import unittest

import harness
from limiting import BREAKER, LimitsTest, breaker, hide_landlock, landlock_abi


@unittest.skipIf(landlock_abi() == 0, "this kernel has no Landlock")
class Files(LimitsTest):
    def prepare(self, *lines):
        daemon = self.daemon(breaker("a", *lines, "sandbox = strict"), start=False)
        for name in ("mine", "other"):
            self.folder(daemon, name)
            self.make(daemon, f"{name}/file")
        return daemon.start().wait_started()

    def test_read_write_alone(self):
        daemon = self.prepare("read-write = mine")
        self.assert_attempts(daemon, "OK", "read mine/file", "read other/file", "read /etc/passwd",
                             "write mine/file", "write mine/new", "mkdir mine/folder",
                             "rename mine/new mine/folder/new", "truncate mine/file",
                             "unlink mine/file", "write /dev/null", "exec /bin/true")
        self.assert_attempts(daemon, "EACCES", "write other/file", "write other/new",
                             "mkdir other/folder", "truncate other/file", "unlink other/file",
                             f"write {daemon.folder}/outside", "cut other/file")
        self.assertIn(self.attempt(daemon, "rename other/file mine/stolen"), ("EACCES", "EXDEV"))
        self.assertIn(self.attempt(daemon, "rename mine/folder/new other/new"), ("EACCES", "EXDEV"))
        with open(os.path.join(daemon.state, "other/file"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "text")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_read_only(self):
        daemon = self.prepare("read-only = mine /usr/bin", "read-write = other/file")
        self.assert_attempts(daemon, "OK", "read mine/file", "read other/file", "write other/file",
                             "read /dev/urandom", "write /dev/null", "read /proc/self/status",
                             f"read {BREAKER}", "exec /usr/bin/true")
        for path in ("/etc/localtime", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts"):
            if os.path.exists(path):
                self.assert_attempts(daemon, "OK", f"read {path}")
        self.assert_attempts(daemon, "EACCES", "read /etc/passwd", "write mine/file", "read other",
                             "write mine/new", "unlink other/file", "write other/new", "read .",
                             f"read {daemon.config_path}", "read /proc/1/status",
                             f"exec {harness.REEVECTL}")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_a_host_started_ends_with_it(self):
        # Also when the host may not look into /proc, and nobody is left to sweep for it.
        daemon = self.daemon(
            "[module:a]\nload = exec\ngrace = 50ms\nrun.grace = 1000s\nread-write = .\n"
            "read-only = /bin /usr/bin\ncommand = trap '' TERM; sleep 1000 & echo $$ $! > family.new; "
            "mv family.new family; while :; do wait; done\n").wait_started()
        path = os.path.join(daemon.state, "family")
        harness.wait_until(lambda: os.path.exists(path), "the family")
        with open(path, encoding="utf-8") as file:
            family = [int(pid) for pid in file.read().split()]
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        for pid in family:
            harness.wait_until(lambda: not harness.is_alive(pid), f"the end of {pid}")

    def test_a_path_that_is_not_there(self):
        for arguments in ((), ("--check",)):
            code, errors = self.run_reeved(breaker("a", "read-only = /usr", "read-only = nowhere"),
                                           *arguments)
            self.assertEqual(code, 1)
            self.assertRegex(errors, r"reeve\.ini:8: \[module:a\] read-only = nowhere: No such file or "
                                     r"directory \(in the state directory\)")

    def test_a_new_tenant_from_another_folder(self):
        tenant = breaker("a", "host = both", "read-only = .")
        daemon = self.daemon(tenant).wait_started()
        pid = daemon.module("a")["pid"]
        daemon.write(tenant + "[module:heart]\nload = heartbeat\nhost = both\nread-only = .\n")
        self.assertEqual(daemon.ctl("reload").returncode, 0, daemon.text())
        self.assertEqual(daemon.module("heart")["state"], "ready")
        self.assertNotEqual(daemon.module("a")["pid"], pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())


class OlderKernels(LimitsTest):
    def test_without_landlock(self):
        config = breaker("a", "read-write = .", "essential = no", "sandbox = {}")
        for sandbox in ("warn", "strict"):
            daemon = self.daemon(config.format(sandbox), start=False)
            self.start_as(daemon, hide_landlock).wait_started()
            text = "read-only and read-write: this kernel has no Landlock: Function not implemented"
            if sandbox == "warn":
                daemon.wait_log(rf"\[a\] sandbox: not enforced: {text}")
                daemon.wait_log(r"\[a\] ready")
                self.assert_attempts(daemon, "OK", f"write {daemon.folder}/outside")
            else:
                harness.wait_until(lambda: daemon.module("a")["state"] == "failed", "failed")
                self.assertIn(f"sandbox = strict: {text}",
                              daemon.health()["checks"]["a:state"][0]["output"])
            self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
