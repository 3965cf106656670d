#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hosts of other users, and a daemon that is not root."""
import os
import pwd
import shutil
import signal
import subprocess
import unittest

import harness
import tools
from limiting import HOSTILE, IS_ROOT, LimitsTest, breaker


@unittest.skipUnless(IS_ROOT, "only root can change users")
class Users(LimitsTest):
    USER = pwd.getpwnam("nobody")

    def start(self, *configs):
        daemon = self.daemon("".join(configs), start=False)
        os.chmod(daemon.folder, 0o711)
        return daemon.start().wait_started()

    def test_who_it_is(self):
        daemon = self.start(breaker("a", "user = nobody", "sandbox = strict"))
        uid, gid = self.USER.pw_uid, self.USER.pw_gid
        groups = len(os.getgrouplist("nobody", gid))
        self.assertEqual(self.attempt(daemon, "whoami"),
                         f"uid {uid} {uid} {uid} gid {gid} {gid} {gid} groups {groups} caps 0 "
                         f"home {self.USER.pw_dir} user nobody")
        self.assert_attempts(daemon, "EPERM", "root")
        # It can look at itself, and a core dump can be taken.
        self.assert_attempts(daemon, "OK", "read /proc/self/maps")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_it_is_contained(self):
        daemon = self.start(breaker("a", "user = nobody"), breaker("b"),
                            breaker("c", "user = daemon"))
        secret = self.make(daemon, "secret", 0o600)
        self.assert_attempts(daemon, "EACCES", f"read {secret}", "write secret", "write new")
        for pid in [daemon.process.pid] + [daemon.module(name)["pid"] for name in "bc"]:
            self.assert_attempts(daemon, "EPERM", f"signal {pid}", f"trace {pid}")
            self.assert_attempts(daemon, "EACCES", f"read /proc/{pid}/mem",
                                 f"read /proc/{pid}/environ")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_it_is_killed_and_comes_back(self):
        daemon = self.start(breaker("a", "user = nobody", "grace = 1000s"))
        pid = daemon.module("a")["pid"]
        stray = int(self.attempt(daemon, "stray"))
        os.kill(pid, signal.SIGSTOP)
        # The supervisor kills it, by the grace that is new.
        daemon.write(breaker("a", "user = nobody", "nice = 1", "drain = 10ms", "grace = 10ms"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        daemon.wait_log(r"\[a\] while stopping: it was stopped for 10ms")
        self.assertNotEqual(daemon.module("a")["pid"], pid)
        harness.wait_until(lambda: not harness.is_alive(stray), "the end of the stray")
        self.assertIn(f"uid {self.USER.pw_uid} ", self.attempt(daemon, "whoami"))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stopped_host_ends_with_its_supervisor(self):
        daemon = self.start(breaker("a", "user = nobody", "grace = 100s"))
        pid = daemon.kill("a", signal.SIGSTOP)
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        harness.wait_until(lambda: not harness.is_alive(pid), "the end of the host")

    @unittest.skipUnless(shutil.which("prlimit"), "prlimit is in util-linux")
    def test_no_thread_is_no_mistake_in_the_configuration(self):
        """A user with as many processes as it may have: its modules are tried again, and the others run."""
        config = breaker("a", "user = nobody", "essential = no") + breaker("b")
        daemon = self.daemon(config, start=False)
        os.chmod(daemon.folder, 0o711)
        daemon.program = os.path.join(daemon.folder, "begin")
        with open(daemon.program, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nexec prlimit --nproc=1 {harness.REEVED} \"$@\"\n")
        os.chmod(daemon.program, 0o755)
        daemon.start().wait_started()
        daemon.wait_log(r"\[a\] could not be checked: its host has no thread for it: .*; it is when it starts")
        daemon.wait_log(r"\[a\] load failed: its host has no thread for it: .*; restart 1")
        self.assertEqual(daemon.module("b")["state"], "ready")
        daemon.write(config.replace("nobody", "nobody\ndrain = 2ms"))
        done = daemon.ctl("check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("[module:a] could not be checked, nothing is known to be wrong with it: its host has no thread", done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_no_such_user(self):
        config = breaker("a", "user = no-such-user", "essential = no")
        daemon = self.daemon(config, start=False)
        with open(daemon.config_path, encoding="utf-8") as file:
            line = file.read().splitlines().index("user = no-such-user") + 1
        code, errors = self.run_reeved(config, "--check")
        self.assertEqual(code, 1)
        self.assertRegex(errors, rf"reeve\.ini:{line}: \[module:a\] user = no-such-user: there is no such user")
        daemon.start().wait_started()
        self.assertIn("there is no such user", daemon.module("a")["output"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Unprivileged(LimitsTest):
    """reeved that is not root; root drops to another user for it."""

    def start_as_nobody(self, daemon, *options):
        """Whose files are then that user's; skipped where setpriv may not do it."""
        for path in (daemon.folder, daemon.state, daemon.config_path):
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        self.start_as(daemon, prefix=("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *options))
        try:
            daemon.wait_started()
        except harness.Waiting:
            if "setpriv" in daemon.text():
                self.skipTest(daemon.text())
            raise

    def run_as_nobody(self, config, *arguments):
        instance = harness.Daemon(config)
        self.addCleanup(instance.close)
        environment = dict(os.environ, RUNTIME_DIRECTORY=instance.folder,
                           STATE_DIRECTORY=instance.state)
        user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if IS_ROOT else {}
        if IS_ROOT:
            for path in (instance.folder, instance.state, instance.config_path):
                os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        done = subprocess.run([harness.REEVED, "-c", instance.config_path, *arguments], text=True, capture_output=True,
                              env=environment, check=False, timeout=harness.PATIENCE, **user)
        return done.returncode, done.stderr

    def test_it_cannot_change_users(self):
        code, errors = self.run_as_nobody(breaker("a", "user = daemon"))
        self.assertEqual(code, 1)
        self.assertRegex(errors, r"\[module:a\] user = daemon: Operation not permitted; it takes root "
                                 r"or CAP_SETUID and CAP_SETGID")

    def test_capabilities_for_changing_users_reach_no_module(self):
        """As the systemd drop-in has it: a user of its own, with what it takes to start others."""
        if not IS_ROOT:
            self.skipTest("takes root")
        tools.need("setpriv")
        daemon = self.daemon(breaker("a") + breaker("b", "user = daemon", "grace = 10ms",
                                                    "drain = 10ms"), start=False)
        # The state directory of another user's host must be in reach.
        os.chmod(daemon.folder, 0o711)
        names = "+setuid,+setgid,+kill,+net_bind_service"
        self.start_as_nobody(daemon, f"--inh-caps={names}", f"--ambient-caps={names}")
        nobody, other = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("daemon").pw_uid
        # What is for modules stays (CAP_NET_BIND_SERVICE), the rest is gone.
        self.assertRegex(self.attempt(daemon, "whoami"), rf"^uid {nobody} .* caps 400 ")
        self.assertRegex(self.attempt(daemon, "whoami", "b"), rf"^uid {other} .* caps 0 ")
        for name in "ab":
            self.assertEqual(self.attempt(daemon, "root", name), "EPERM")
        daemon.kill("b", signal.SIGSTOP)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # For either reason it was killed, by who is not root.
        self.assertRegex(daemon.text(), r"\[b\] .*(did not stop within|it was stopped for)")

    def test_a_host_of_the_same_user_does_not_reach_it(self):
        """Where the kernel alone would let it: only the filter is in the way."""
        if not IS_ROOT:
            self.skipTest("takes root")
        tools.need("setpriv")
        daemon = self.daemon(f"[module:evil]\nload = {HOSTILE}\n", start=False)
        self.start_as_nobody(daemon)
        done = daemon.ctl("submit", "evil/act", "--wait", stdin="signal")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_it_can_check(self):
        code, errors = self.run_as_nobody(breaker("a", "user = daemon"), "--check")
        self.assertEqual(code, 0, errors)
        self.assertNotIn("module:a", errors)


if __name__ == "__main__":
    harness.main()
