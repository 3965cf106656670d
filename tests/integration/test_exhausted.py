#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A module that uses up memory, threads, processes, descriptors, its queue, and all of them at once, is stopped and reloaded
within its grace: what ends it has what it needs from the start."""
import os
import signal

import harness
from limiting import is_sanitized

EXHAUSTED = os.path.join(harness.FIXTURES, "exhausted.so")
# Each word uses up what it says; "wait" has the job go on until it is cancelled.
LIMITS = {
    "memory": "memory",
    "threads": "threads wait",
    "processes": "processes",
    "descriptors": "descriptors",
    "disk": "disk",
    "queue": "feed wait",
    "everything": "feed threads processes disk descriptors memory wait",
}


def exhausted(*lines):
    return "\n".join(["[module:a]", f"load = {EXHAUSTED}", "restart-delay = 1ms", "nofile = 60", *lines, ""])


class Exhausted(harness.DaemonTest):
    def use_up(self, words, *lines):
        """A daemon whose module has done it."""
        if "memory" in words:
            lines += ("memory-max = 128M",)
        # What is left to wait for is cut at once, and what has ended is not waited for at all.
        self.drain = "drain = 10ms" if "wait" in words or "ignore" in words else "drain = 1h\ndrain-stall = 1h"
        self.lines = (self.drain, *lines)
        daemon = self.daemon(exhausted(*self.lines)).wait_started()
        if "feed" in words:
            self.assertEqual(daemon.ctl("run", "a/feed").returncode, 0)
            harness.wait_until(lambda: self.pool(daemon, "full")["queued"] == 1, "a full queue")
        self.assertEqual(daemon.ctl("submit", "a/act", stdin=words.replace("feed ", "")).returncode, 0)
        if "drain = 10ms" in self.drain:
            daemon.wait_log(r"\[a/act#1\] waits")
        else:
            harness.wait_until(lambda: self.pool(daemon, "act")["finished"] == 1, words)
        return daemon

    @staticmethod
    def pool(daemon, name):
        return next(p for p in daemon.module("a")["pools"] if p["name"] == name)

    def each(self):
        return [(name, words) for name, words in LIMITS.items() if "memory" not in words or not is_sanitized()]

    def assert_orderly(self, daemon):
        self.assertNotRegex(daemon.text(), r"kill|hang|ignores|cut short")

    def test_a_stop(self):
        for name, words in self.each():
            with self.subTest(limit=name):
                daemon = self.use_up(words)
                done = daemon.ctl("stop", "a")
                self.assertEqual(done.returncode, 0, done.stderr + daemon.text())
                self.assertEqual(daemon.module("a")["state"], "stopped")
                self.assertEqual(daemon.stop(), 0, daemon.text())
                self.assert_orderly(daemon)

    def test_the_daemon_s_end(self):
        for name, words in self.each():
            with self.subTest(limit=name):
                daemon = self.use_up(words)
                self.assertEqual(daemon.stop(), 0, daemon.text())
                self.assert_orderly(daemon)

    def test_a_reload(self):
        for name, words in self.each():
            if "wait" in words:
                continue
            with self.subTest(limit=name):
                daemon = self.use_up(words)
                daemon.write(exhausted(*self.lines, "word = new"))
                done = daemon.ctl("reload")
                self.assertEqual(done.returncode, 0, done.stderr + daemon.text())
                self.assertEqual(daemon.module("a")["state"], "ready")
                self.assertEqual(daemon.stop(), 0, daemon.text())
                self.assert_orderly(daemon)

    def test_what_ignores_its_cancel_is_told(self):
        """With its stack."""
        for name, words in self.each():
            with self.subTest(limit=name):
                words = words.replace("wait", "").strip() + " ignore"
                daemon = self.use_up(words, "act.grace = 100ms")
                daemon.ctl("stop", "a")
                daemon.wait_log(r"a/act hangs: it ignored its cancellation for 100ms; hang in act run 1 sleeping")
                daemon.wait_log(r"stack of hang in act run 1: .*ignore_cancel at exhausted\.c")
                self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_health_is_asked(self):
        words = "ill threads processes descriptors wait"
        daemons = [self.use_up(words)]
        if not is_sanitized():
            # Its thread may have memory left.
            daemons.append(self.use_up(words.replace("wait", "memory wait")))
        for daemon in daemons:
            harness.wait_until(lambda d=daemon: d.check("a:state").get("output") in
                               ("as told", "there is no memory to ask health()"), "an answer")
            self.assertEqual(daemon.stop(), 0, daemon.text())
            self.assert_orderly(daemon)

    def test_its_daemon_dies(self):
        """Nothing is left of it, whether it ends by itself or not."""
        for words in "wait", "ignore":
            with self.subTest(words):
                daemon = self.use_up("child threads processes descriptors " + ("" if is_sanitized() else "memory ") + words,
                                     "grace = 200ms")
                daemon.signal(signal.SIGKILL)
                daemon.wait()
                harness.wait_until(lambda d=daemon: not d.processes(), "the end of all")

    def test_a_start_says_what_it_lacks(self):
        daemon = self.daemon(exhausted("word = threads", "essential = no")).wait_started()
        daemon.wait_log(r"\[a\] start failed: pool act with 1 workers: Resource temporarily unavailable")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
