#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Limits and sandboxes: for each key a module that tries to break it."""
import contextlib
import ctypes
import errno
import os
import pwd
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest
import unittest.mock

import harness
import tools

BREAKER = os.path.join(harness.FIXTURES, "breaker.so")
EXHAUSTED = os.path.join(harness.FIXTURES, "exhausted.so")
HOSTILE = os.path.join(harness.FIXTURES, "hostile.so")
OTHER = os.path.join(harness.FIXTURES, "puppet.so")
IS_ROOT = os.getuid() == 0
# The name of an answer, as the breaker gives one.
ANSWER = "EREMOTEIO"


def is_sanitized():
    with open(harness.REEVED, "rb") as file:
        return b"__asan_init" in file.read()


def breaker(name, *lines):
    return "\n".join([f"[module:{name}]", f"load = {BREAKER}", "restart-delay = 1ms", *lines, ""])


LANDLOCK_CREATE_RULESET = 444


def landlock_abi():
    """0 where the kernel has none."""
    return max(0, ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, 1))


def hide_landlock():
    """For this process and what it starts, as with a kernel that lacks it."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(library.seccomp_init(0x7fff0000))
    if library.seccomp_rule_add(filter_, 0x00050000 | errno.ENOSYS, LANDLOCK_CREATE_RULESET, 0) or \
            library.seccomp_load(filter_):
        raise OSError("no filter")


class LimitsTest(harness.DaemonTest):
    def attempt(self, daemon, action, name="a"):
        """Lets the module try it; returns the errno's name, or what it answered."""
        status, answer = daemon.ask(f"/v1/submit?module={name}&pool=try&wait", "POST",
                                    action.encode())
        self.assertEqual(status, 200, answer)
        return answer["text"] if answer["name"] == ANSWER else answer["name"]

    def assert_attempts(self, daemon, expected, *actions):
        for action in actions:
            self.assertEqual(self.attempt(daemon, action), expected, action)

    def start_as(self, daemon, before=None, prefix=()):
        """Starts reeved by another program, or with a call before it is executed."""
        popen = subprocess.Popen

        def start(arguments, **keywords):
            return popen([*prefix, *arguments], preexec_fn=before, **keywords)
        with unittest.mock.patch.object(subprocess, "Popen", start):
            return daemon.start()

    def make(self, daemon, name, mode=0o644):
        path = os.path.join(daemon.state, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("text")
        os.chmod(path, mode)
        return path

    def folder(self, daemon, name, mode=0o755):
        path = os.path.join(daemon.state, name)
        os.mkdir(path)
        os.chmod(path, mode)
        return path


class Limits(LimitsTest):
    @unittest.skipIf(is_sanitized(), "a sanitizer's memory cannot be bounded")
    def test_memory(self):
        daemon = self.daemon(breaker("a", "memory-max = 64M") + breaker("b")).wait_started()
        daemon.wait_log(r"\[a\] memory-max = 64M bounds its private data \(RLIMIT_DATA\)")
        self.assertEqual(self.attempt(daemon, "leak"), "ENOMEM")
        self.assertEqual(self.attempt(daemon, "leak", "b"), "OK")
        # It lives on, and was told once.
        pid = daemon.kill("a")
        harness.wait_until(lambda: daemon.module("a")["pid"] not in (0, pid) and
                           daemon.module("a")["state"] == "ready", "a restart")
        self.assertEqual(self.attempt(daemon, "leak"), "ENOMEM")
        self.assertEqual(daemon.text().count("RLIMIT_DATA"), 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @unittest.skipIf(is_sanitized(), "a sanitizer's memory cannot be bounded")
    def test_little_memory(self):
        """Enough for a module, whatever stack the main thread may have; not for the stacks of many workers."""
        daemon = self.daemon(breaker("a", "memory-max = 4M") +
                             breaker("b", "memory-max = 4M", "try.workers = 100", "essential = no"), start=False)
        _, hard = resource.getrlimit(resource.RLIMIT_STACK)
        self.start_as(daemon, lambda: resource.setrlimit(resource.RLIMIT_STACK, (256 << 20, hard)))
        daemon.wait_log(r"\[b\] start failed: pool try with 100 workers: Resource temporarily unavailable; "
                        r"memory-max = 4M may leave no room for it; restart 1 ")
        self.assertEqual(daemon.wait_started().module("a")["state"], "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @unittest.skipIf(is_sanitized(), "a sanitizer's memory cannot be bounded")
    def test_memory_that_no_limit_counts(self):
        """Mapped without access, and then mapped over, as Go's runtime does."""
        daemon = self.daemon(f"[module:a]\nload = {EXHAUSTED}\nmemory-max = 64M\nrestart-delay = 1ms\n").wait_started()
        pid = daemon.module("a")["pid"]
        self.assertEqual(daemon.ctl("submit", "a/act", stdin="mapped wait").returncode, 0)
        reason = r"memory-max = 64M exceeded: (9|10)\d(\.\d)?M resident"
        daemon.wait_log(rf"\[a\] {reason}; restart 1 ")
        harness.wait_until(lambda: daemon.module("a")["pid"] not in (0, pid) and
                           daemon.module("a")["state"] == "ready", "a restart")
        restart = daemon.module("a")["last_restart"]
        self.assertEqual(restart["kind"], "limit")
        self.assertRegex(restart["reason"], reason)
        # Over an upgrade the new program watches it.
        mark = daemon.mark()
        self.assertEqual(daemon.ctl("upgrade").returncode, 0, daemon.text())
        self.assertEqual(daemon.ctl("submit", "a/act", stdin="mapped wait").returncode, 0)
        daemon.wait_log(rf"\[a\] {reason}; restart 2 ", mark)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_descriptors(self):
        daemon = self.daemon(breaker("a", "nofile = 40")).wait_started()
        self.assertEqual(self.attempt(daemon, "fds"), "EMFILE")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_more_descriptors_than_there_are(self):
        if self.can_raise():
            self.skipTest("may raise the hard limit")
        config = breaker("a", "nofile = 999999999", "essential = no", "sandbox = {}")
        daemon = self.daemon(config.format("warn")).wait_started()
        daemon.wait_log(r"\[a\] sandbox: not enforced: nofile = 999999999: ")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_refused(config.format("strict"), "sandbox = strict: nofile = 999999999: ")

    @staticmethod
    def can_raise():
        code = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (999999999, 999999999))"
        return subprocess.run(["python3", "-c", code], stderr=subprocess.DEVNULL,
                              check=False).returncode == 0

    def test_nice(self):
        daemon = self.daemon(breaker("a", "nice = 7") + breaker("b", "nice = 0")).wait_started()
        self.assertEqual(self.attempt(daemon, "nice"), "7")
        if os.getpriority(os.PRIO_PROCESS, 0) == 0:
            self.assertEqual(self.attempt(daemon, "nice", "b"), "0")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def assert_refused(self, config, reason):
        """A module that is not essential fails for good; the daemon and its neighbour live."""
        daemon = self.daemon(config + breaker("b")).wait_started()
        harness.wait_until(lambda: daemon.module("a")["state"] == "failed", "failed")
        self.assertIn(reason, daemon.health()["checks"]["a:state"][0]["output"])
        self.assertEqual(daemon.health()["status"], "warn")
        self.assertEqual(daemon.module("a")["pid"], 0)
        self.assertRegex(daemon.text(), rf"\[a\] {re.escape(reason)}.*; not started: trying again "
                                        r"cannot help")
        # Whoever asks again is told again.
        done = daemon.ctl("start", "a")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(reason, done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_cpu_without_a_control_group(self):
        daemon = self.daemon(breaker("a", "cpu-max = 50%")).wait_started()
        daemon.wait_log(r"\[a\] sandbox: not enforced: cpu-max = 50%: no control group with the cpu "
                        r"controller is delegated to reeved")
        self.assertEqual(self.attempt(daemon, "spin 10"), "OK")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assert_refused(breaker("a", "cpu-max = 50%", "sandbox = strict", "essential = no"),
                            "sandbox = strict: cpu-max = 50%: no control group")

    def test_an_essential_module_that_is_refused_ends_the_start(self):
        code, errors = self.run_reeved(breaker("a", "cpu-max = 50%", "sandbox = strict"))
        self.assertEqual(code, 1)
        self.assertRegex(errors, r"reeve\.ini:\d+: \[module:a\] sandbox = strict: cpu-max = 50%: ")

    def test_a_reload_restarts_with_the_new_limits(self):
        daemon = self.daemon(breaker("a", "nice = 3") + breaker("b")).wait_started()
        before = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        daemon.write(breaker("a", "nice = 4") + breaker("b"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(self.attempt(daemon, "nice"), "4")
        self.assertNotEqual(daemon.module("a")["pid"], before["a"])
        self.assertEqual(daemon.module("b")["pid"], before["b"])
        # Both ways between refused and not.
        daemon.write(breaker("a", "cpu-max = 5%", "sandbox = strict", "essential = no") + breaker("b"))
        done = daemon.ctl("reload")
        self.assertIn("sandbox = strict: cpu-max = 5%", done.stderr)
        self.assertEqual(daemon.module("a")["state"], "failed")
        daemon.write(breaker("a", "cpu-max = 5%") + breaker("b"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(self.attempt(daemon, "nice"), str(max(os.getpriority(os.PRIO_PROCESS, 0), 0)))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @staticmethod
    def is_normal():
        return os.getpriority(os.PRIO_PROCESS, 0) <= 0

    def test_tenants_of_a_host(self):
        shared = breaker("a", "host = both", "nice = 3") + \
            f"[module:b]\nload = {OTHER}\nhost = both\n"
        code, errors = self.run_reeved(shared)
        self.assertEqual(code, 1)
        self.assertRegex(errors, r"\[module:b\] and \[module:a\] share the host \"both\" and differ "
                                 r"in \"nice\"")
        daemon = self.daemon(shared + "nice = 3\n").wait_started()
        pid = daemon.module("a")["pid"]
        daemon.write(shared.replace("nice = 3", "nice = 5") + "nice = 5\n")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(self.attempt(daemon, "nice"), "5")
        self.assertEqual(daemon.module("b")["pid"], daemon.module("a")["pid"])
        self.assertNotEqual(daemon.module("a")["pid"], pid)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_tenant_at_rest_does_not_come_back_with_the_old_limits(self):
        shared = breaker("a", "host = both", "nice = {0}", "drain = 1000s") + \
            f"[module:b]\nload = {OTHER}\nhost = both\nnice = {{0}}\nessential = no\n"
        daemon = self.daemon(shared.format(3) + "restart = never\non-init = fail\n").wait_started()
        harness.wait_until(lambda: daemon.module("b")["state"] == "failed", "failed")
        daemon.write(shared.format(5))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(self.attempt(daemon, "nice"), "5")
        self.assertEqual(daemon.module("b")["state"], "ready")
        self.assertEqual(daemon.module("b")["pid"], daemon.module("a")["pid"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Calls(LimitsTest):
    def test_every_host_is_denied_what_no_module_needs(self):
        daemon = self.daemon(breaker("a")).wait_started()
        names = self.attempt(daemon, "call").split()
        self.assertGreater(len(names), 30)
        for name in names:
            self.assertEqual(self.attempt(daemon, f"call {name}"),
                             "ENOSYS" if name == "clone3" else "EPERM", name)
        # Threads and processes are made as ever.
        self.assert_attempts(daemon, "OK", "exec /bin/true", "socket inet", "socket unix",
                             "socket netlink", "socket pair", "ordinary", "resolve localhost")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_no_network(self):
        daemon = self.daemon(breaker("a", "network = no", "sandbox = strict")).wait_started()
        self.assert_attempts(daemon, "EACCES", "socket inet", "socket inet6", "socket netlink")
        self.assert_attempts(daemon, "OK", "socket unix", "socket pair")
        self.assertEqual(daemon.stop(), 0, daemon.text())


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


class Bill(LimitsTest):
    def metrics(self, daemon):
        """Samples by name and labels, after looking at the form of the whole."""
        samples, families = {}, set()
        for line in daemon.request("/metrics")[2].splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                self.assertNotIn(name, families)
                self.assertEqual(kind == "counter", name.endswith("_total"), line)
                families.add(name)
                if kind == "histogram":
                    families.update(name + part for part in ("_bucket", "_sum", "_count"))
            elif not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                self.assertIn(name.split("{")[0], families, line)
                self.assertNotIn(name, samples)
                samples[name] = float(value)
        return samples

    def test_hosts(self):
        daemon = self.daemon(breaker("a") + breaker("b", "host = both") +
                             f"[module:c]\nload = {OTHER}\nhost = both\n").wait_started()
        a, both = '{host="a",module="a"}', '{host="both"}'
        before = self.metrics(daemon)
        self.assertEqual(self.attempt(daemon, "spin 300"), "OK")
        samples = harness.wait_until(
            lambda: (s := self.metrics(daemon))[f"reeve_host_cpu_seconds_total{a}"] >= 0.25 and s,
            "the processor time")
        self.assertLess(before[f"reeve_host_cpu_seconds_total{a}"], 0.25)
        for labels in (a, both):
            self.assertGreater(samples[f"reeve_host_resident_bytes{labels}"], 1 << 20)
            self.assertGreater(samples[f"reeve_host_private_bytes{labels}"], 1 << 14)
            self.assertGreaterEqual(samples[f"reeve_host_open_fds{labels}"], 5)
            self.assertGreaterEqual(samples[f"reeve_host_threads{labels}"], 2)
        # What a dead process took stays counted.
        pid = daemon.kill("a")
        harness.wait_until(lambda: daemon.module("a")["pid"] not in (0, pid), "a restart")
        after = self.metrics(daemon)[f"reeve_host_cpu_seconds_total{a}"]
        self.assertGreaterEqual(after, samples[f"reeve_host_cpu_seconds_total{a}"])
        self.assertGreaterEqual(daemon.module("a")["usage"]["cpu_seconds"], after)
        # A new process has hardly any memory, and the daemon reads its usage once a second.
        harness.wait_until(
            lambda: (u := daemon.module("a")["usage"])["resident_bytes"] and
            u["resident_bytes"] > u["private_bytes"], "its memory")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_without_a_process(self):
        daemon = self.daemon(breaker("a", "restart = never", "essential = no")).wait_ready("a")
        daemon.kill("a")
        harness.wait_until(lambda: daemon.module("a")["state"] == "failed", "failed")
        names = [name for name in self.metrics(daemon) if name.startswith("reeve_host_")]
        self.assertEqual(names, ['reeve_host_cpu_seconds_total{host="a",module="a"}'])
        self.assertIsNone(daemon.module("a")["usage"]["threads"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_the_supervisor(self):
        daemon = self.daemon(breaker("a")).wait_started()
        samples = self.metrics(daemon)
        for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds",
                     "start_time_seconds"):
            self.assertIn(f"process_{name}", samples)
        self.assertLess(samples["process_open_fds"], samples["process_max_fds"])
        self.assertLess(abs(samples["process_start_time_seconds"] - os.stat(daemon.folder).st_mtime),
                        harness.PATIENCE)
        self.assertEqual(self.metrics(daemon)["process_start_time_seconds"],
                         samples["process_start_time_seconds"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Unprivileged(LimitsTest):
    """reeved that is not root; root drops to another user for it."""

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
        for path in (daemon.folder, daemon.state, daemon.config_path):
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        # The state directory of another user's host must be in reach.
        os.chmod(daemon.folder, 0o711)
        names = "+setuid,+setgid,+kill,+net_bind_service"
        self.start_as(daemon, prefix=("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                                      f"--inh-caps={names}", f"--ambient-caps={names}"))
        try:
            daemon.wait_started()
        except harness.Waiting:
            if "setpriv" in daemon.text():
                self.skipTest(daemon.text())
            raise
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
        for path in (daemon.folder, daemon.state, daemon.config_path):
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        self.start_as(daemon, prefix=("setpriv", "--reuid=nobody", "--regid=nogroup",
                                      "--clear-groups"))
        try:
            daemon.wait_started()
        except harness.Waiting:
            if "setpriv" in daemon.text():
                self.skipTest(daemon.text())
            raise
        done = daemon.ctl("submit", "evil/act", "--wait", stdin="signal")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_it_can_check(self):
        code, errors = self.run_as_nobody(breaker("a", "user = daemon"), "--check")
        self.assertEqual(code, 0, errors)
        self.assertNotIn("module:a", errors)


if __name__ == "__main__":
    harness.main()
