#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Limits of a host: for each key a module that tries to break it."""
import os
import re
import resource
import subprocess
import unittest

import harness
from limiting import LimitsTest, breaker, is_sanitized

EXHAUSTED = os.path.join(harness.FIXTURES, "exhausted.so")
OTHER = os.path.join(harness.FIXTURES, "puppet.so")


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
        # It is looked at once a second, also while the module still maps.
        reason = r"memory-max = 64M exceeded: (6[4-9]|[7-9]\d|10\d)(\.\d)?M resident"
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


if __name__ == "__main__":
    harness.main()
