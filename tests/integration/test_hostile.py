#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One module does everything wrong; what becomes of it, of its neighbours, and of the truth.

Each attack has a daemon of its own with two neighbours that tick every 20 ms. Beside its checks it
prints how the neighbours fared, how long the module was away, and when /health told: figures for
people, since no test asserts a time.
"""
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import harness

HOSTILE = os.path.join(harness.FIXTURES, "hostile.so")
NEIGHBOURS = "".join(f"[module:{name}]\nload = heartbeat\nfile = {name}\nbeat.every = 20ms\n"
                     for name in ("left", "right"))


class HealthWatch:
    """Asks /health all the time, and notes each change of what it says of a module."""

    def __init__(self, port, module):
        self.port, self.module = port, module
        self.answers = []
        self.failures = []
        self.count = 0
        self.slowest = 0
        self.done = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=harness.PATIENCE)
        pause = threading.Event()
        while not self.done:
            begun = time.monotonic()
            try:
                connection.request("GET", "/health")
                document = json.loads(connection.getresponse().read())
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            now = time.monotonic()
            self.count += 1
            self.slowest = max(self.slowest, now - begun)
            state = document["checks"][f"{self.module}:state"][0]
            seen = (document["status"], state["observedValue"], state["status"])
            if not self.answers or self.answers[-1][1] != seen:
                self.answers.append((now, seen, state.get("output", "")))
            pause.wait(0.005)
        connection.close()

    def close(self):
        self.done = True
        self.thread.join(harness.PATIENCE)


def metric(text, name, **labels):
    for line in text.splitlines():
        if line.startswith(name + "{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no {name} {labels} in:\n{text}")


class Hostile(harness.DaemonTest):
    def start(self, *lines):
        return self.daemon(NEIGHBOURS + "\n".join(
            ["[module:evil]", f"load = {HOSTILE}", "restart-delay = 1ms", "grace = 200ms",
             "act.grace = 200ms", "tick.timeout = 1h", *lines, ""])).wait_started()

    def attack(self, action, expected, *lines, restarts=True):
        """Performs an action; returns the daemon when the module is well again."""
        daemon = self.start(*lines)
        before = {m["name"]: m["pid"] for m in daemon.status()["modules"]}
        watch = HealthWatch(daemon.port, "evil")
        self.addCleanup(watch.close)
        harness.wait_until(lambda: watch.answers, "a first answer")
        mark, begun = daemon.mark(), time.monotonic()
        # It may be over before the host has said that it took the job.
        daemon.ctl("submit", "evil/act", stdin=action)
        if expected:
            daemon.wait_log(expected, mark)
        if restarts:
            harness.wait_until(lambda: (m := daemon.module("evil"))["state"] == "ready" and
                               m["pid"] not in (0, before["evil"]), "a restart")
            harness.wait_until(lambda: daemon.module("evil")["tasks"][0]["succeeded"] is not None and
                               daemon.module("evil")["pools"][0]["active"] == 0, "its ticks")
        self.neighbours_live(daemon, before)
        watch.close()
        self.report(daemon, watch, action, begun)
        self.assertEqual(watch.failures, [])
        return daemon

    def neighbours_live(self, daemon, before):
        for name in ("left", "right"):
            module = daemon.module(name)
            runs = module["tasks"][0]["runs"]
            harness.wait_until(lambda n=name, r=runs: daemon.module(n)["tasks"][0]["runs"] > r + 5,
                               f"{name}'s ticks")
            self.assertEqual((module["pid"], module["restarts"]), (before[name], 0))

    def report(self, daemon, watch, action, begun):
        metrics = daemon.request("/metrics")[2]
        lateness = max(metric(metrics, "reeve_task_worst_lateness_seconds", module=name, task="beat")
                       for name in ("left", "right"))
        told = [f"{now - begun:.3f} s {seen[1]}/{seen[0]}" for now, seen, _ in watch.answers[1:]]
        print(f"{action:17} neighbours' worst tick gap {20 + lateness * 1000:5.1f} ms; /health "
              f"answered {watch.count} times, at worst in {watch.slowest * 1000:.1f} ms, and said: "
              f"{'; '.join(told) or 'pass throughout'}", file=sys.stderr)

    def finish(self, daemon):
        """Everything of it is gone, and jobs balance."""
        pool = daemon.module("evil")["pools"][0]
        self.assertEqual(pool["accepted"], pool["finished"] + pool["failed"] + pool["lost"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def told(self, daemon):
        """The text of /health about the crash until the task has done well again."""
        return daemon.check("evil:crash")["output"]


class Crashes(Hostile):
    def crash(self, action, signal, where=r" at hostile\.c:\d+", called=None):
        daemon = self.attack(action, rf"\[evil\] killed by SIG{signal}.*restart 1 ")
        called = called or f"SIG{signal}"
        if where:
            daemon.wait_log(rf"\[evil\] stack of {called} in act run 1: .*{where}")
        self.assertRegex(self.told(daemon), f"^{called} in act run 1$")
        self.assertEqual(daemon.health()["status"], "warn")
        self.finish(daemon)
        return daemon

    @harness.unittest.skipIf(harness.SANITIZED, "ASan takes the signal")
    def test_null(self):
        self.crash("null", "SEGV")

    @harness.unittest.skipIf(harness.SANITIZED, "ASan takes the signal")
    def test_a_function_of_a_group(self):
        daemon = self.attack("group", r"\[evil\] killed by SIGSEGV.*restart 1 ")
        daemon.wait_log(r"\[evil\] stack of SIGSEGV: crash_in_a_group at hostile\.c:\d+")
        self.finish(daemon)

    @harness.unittest.skipIf(harness.SANITIZED, "ASan takes the signal")
    def test_beside_another_runtime(self):
        self.crash("forward", "SEGV", where=r"crash_beside_another_runtime at hostile\.c:\d+, job_run")

    @harness.unittest.skipIf(harness.SANITIZED, "ASan takes the signal")
    def test_stack(self):
        daemon = self.crash("stack", "SEGV", called="stack overflow")
        self.assertRegex(daemon.text(), r"stack overflow in act run 1 with a stack of 256K: see rv_runtime_configure\(3\), frames: ")

    @harness.unittest.skipIf(harness.SANITIZED, "ASan sees it first")
    def test_heap(self):
        # The allocator notices, or runs into it.
        self.crash("heap", "(ABRT|SEGV)")

    @harness.unittest.skipIf(harness.SANITIZED, "ASan takes the signal")
    def test_together(self):
        # The threads that come second must not end the process while the first notes its stack.
        daemon = self.start("restart-limit = 1000/1s", "restart-delay-max = 1ms")
        for _ in range(25):
            pid, mark = daemon.module("evil")["pid"], daemon.mark()
            daemon.ctl("submit", "evil/act", stdin="together")
            end = daemon.wait_log(r"\[evil\] (killed by SIGSEGV.*)", mark).group(1)
            self.assertRegex(end, r"frames: .*hostile\.(so\+0x|c:)")
            harness.wait_until(lambda p=pid: (m := daemon.module("evil"))["state"] == "ready" and
                               m["pid"] not in (0, p), "a restart")
        self.finish(daemon)

    def test_abort(self):
        self.crash("abort", "ABRT")

    @harness.unittest.skipIf(harness.SANITIZED, "LeakSanitizer exits in a way of its own")
    def test_exit(self):
        # Whatever the code, nobody had asked for an end.
        daemon = self.attack("exit", r"\[evil\] exit code 0: something in it has called exit\(\); restart 1 ")
        self.finish(daemon)


GO_MODULE = r"""
#include <reeve/module.h>

static int *volatile nowhere = (int *)0x10;

static int fall_over(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)ctx;
    (void)job;
    (void)state;
    *nowhere = 1;
    return 0;
}

RV_MODULE(.name = "withgo", .pools = RV_POOLS({.name = "act", .run = fall_over, .workers = 1}));
"""


class OtherRuntimes(harness.DaemonTest):
    def build_with_go(self):
        if not shutil.which("go"):
            self.skipTest("go is not installed")
        folder = tempfile.mkdtemp(prefix="reeve-go-")
        self.addCleanup(shutil.rmtree, folder, True)
        include = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "include")
        for name, text in (("go.mod", "module withgo\n"), ("module.c", GO_MODULE),
                           ("main.go", 'package main\n\nimport "C"\n\nfunc main() {}\n')):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        environment = dict(os.environ, GOCACHE=os.path.join(folder, "cache"), GOFLAGS="-mod=mod",
                           CGO_CFLAGS=f"-g -O1 -fno-inline -I{include} -I{harness.BUILD}/include",
                           CGO_LDFLAGS=f"-L{harness.BUILD}/lib -lreeve")
        done = subprocess.run(["go", "build", "-buildmode=c-shared", "-o", "withgo.so", "."], cwd=folder, env=environment,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return os.path.join(folder, "withgo.so")

    @harness.unittest.skipIf(harness.SANITIZED, "ASan takes the signal")
    def test_a_crash_beside_go(self):
        """Go's runtime takes the signal, and hands it on."""
        path = self.build_with_go()
        daemon = self.daemon(f"[module:a]\nload = {path}\nrestart-delay = 1ms\n").wait_started()
        daemon.ctl("submit", "a/act")
        daemon.wait_log(r"\[a\] stack of SIGSEGV in act run 1: fall_over at module\.c:\d+, job_run")
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Hangs(Hostile):
    def hang(self, action, facts):
        daemon = self.attack(action, r"\[evil\] evil/act hangs: it ignored its cancellation for "
                             r"200ms; restart 1 .*; hang in act run 1 " + facts, "act.timeout = 100ms")
        self.assertEqual(self.told(daemon), "hang in act run 1")
        self.finish(daemon)
        return daemon

    def test_spin(self):
        self.hang("spin", "running")

    def test_ignore(self):
        self.hang("ignore", r"sleeping.*, frames: .*hostile\.so")

    def test_deaf(self):
        self.hang("deaf", r"sleeping( in \w+)?$")

    def test_lock(self):
        # The honest task waits for the lock, so its ticks are missed, and that is told too.
        self.hang("lock", r"sleeping.*, frames: .*hostile\.so")

    def test_stop_while_it_hangs(self):
        daemon = self.start("drain = 50ms")
        self.assertEqual(daemon.ctl("submit", "evil/act", stdin="deaf").returncode, 0)
        harness.wait_until(lambda: daemon.module("evil")["pools"][0]["active"] == 1, "the job")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertRegex(daemon.text(), r"evil/act hangs|did not stop within its drain and grace")
        self.assertIn("[evil] 1 job was lost with its host", daemon.text())


class Resources(Hostile):
    @harness.unittest.skipIf(harness.SANITIZED, "ASan's memory cannot be limited")
    def test_memory(self):
        daemon = self.attack("memory", r"\[evil\] killed by (SIGABRT|the kernel: it exceeded "
                             r"memory-max).*; restart 1 ", "memory-max = 64M")
        self.finish(daemon)

    def test_fds(self):
        daemon = self.attack("fds", r"\[evil/act#1\] failed: open: Too many open files",
                             restarts=False)
        # It is still there, tells what it can, and can be stopped.
        self.assertEqual(daemon.module("evil")["state"], "ready")
        self.finish(daemon)

    def test_threads(self):
        daemon = self.attack("threads", None, restarts=False)
        harness.wait_until(lambda: daemon.module("evil")["pools"][0]["finished"] == 1, "the job")
        self.finish(daemon)


class Interfaces(Hostile):
    def test_close(self):
        # It cannot say any more that its job is done; saying so is what fails, and ends it.
        daemon = self.attack("close", r"\[evil\] (it closed its control socket|exit code \d+).*; restart 1 ")
        self.finish(daemon)

    def test_smear_scoreboard(self):
        daemon = self.attack("smear-scoreboard",
                             r"\[evil\] it has damaged its scoreboard; restart 1 ")
        daemon.stop()

    def test_half_written_records(self):
        """One that changes all the time does not hide one that stays."""
        daemon = self.attack("half-written",
                             r"\[evil\] it has damaged its scoreboard: a record stays half-written; restart 1 ")
        self.finish(daemon)

    def test_smear_socket(self):
        daemon = self.attack("smear-socket", r"\[evil\] it sent what is no message; restart 1 ")
        self.finish(daemon)

    def test_flood_socket(self):
        daemon = self.attack("flood-socket", r"\[evil\] it sent what is no message; restart 1 ")
        self.finish(daemon)

    def test_children(self):
        daemon = self.attack("children", r"\[evil\] killing process \d+ \(.*\), left behind by its host")
        self.finish(daemon)
        self.assertEqual(daemon.processes(), [])

    def test_flood_log(self):
        daemon = self.attack("flood-log", r"\[evil\] \d+ lines were dropped: it logs more than",
                             restarts=False)
        harness.wait_until(lambda: daemon.module("evil")["pools"][0]["active"] == 0, "its end")
        self.assertIsNone(re.search(r"^(\S+ \w+ +)?ERROR forged", daemon.text(), re.M))
        self.assertNotIn("\x1b", daemon.text())
        self.finish(daemon)

    def test_signal(self):
        daemon = self.attack("signal", None, restarts=False)
        done = daemon.ctl("submit", "evil/act", "--wait", stdin="signal")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.finish(daemon)


if __name__ == "__main__":
    harness.main()
