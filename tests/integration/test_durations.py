#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reported duration of a run or job, however it ended: at least the time that the test saw pass, and at
most the time that the request took."""
import os
import time

import harness
import upgrading
from puppetry import PuppetTest, puppet


class Stopwatch:
    """Measures the time since it was made."""

    def __init__(self):
        self.started = time.monotonic()

    def passed(self):
        return time.monotonic() - self.started


class DurationTest(PuppetTest):
    def begin_run(self, daemon, action, trace):
        """Returns the answer to come, and stopwatches from before the request and from after its trace."""
        self.script(daemon, "a", action)
        asked = Stopwatch()
        waiting = daemon.ask_later("/v1/run?module=a&task=act&wait", "POST")
        self.wait_trace(daemon, trace)
        return waiting, asked, Stopwatch()

    def begin_job(self, daemon, data, trace):
        asked = Stopwatch()
        waiting = daemon.ask_later("/v1/submit?module=a&pool=work&wait", "POST", data.encode())
        self.wait_trace(daemon, trace)
        return waiting, asked, Stopwatch()

    def check(self, waiting, asked, least, code):
        status, answer = waiting.answer()
        self.assertEqual((status, answer["name"]), (200, code), answer)
        self.assertGreaterEqual(answer["seconds"], least, answer)
        self.assertLessEqual(answer["seconds"], asked.passed(), answer)
        return answer


class Died(DurationTest):
    def test_with_the_host(self):
        daemon = self.daemon(puppet("a")).wait_started()
        for begin in self.begin_run, self.begin_job:
            pid = daemon.module("a")["pid"]
            waiting, asked, seen = begin(daemon, "wait", "a waits")
            least = seen.passed()
            os.kill(pid, harness.signal.SIGKILL)
            answer = self.check(waiting, asked, least, "EPIPE")
            self.assertIn("the module's host ended: killed by SIGKILL", answer["text"])
            self.wait_restarted(daemon, "a", pid)
            os.unlink(self.path(daemon, "trace"))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_of_a_hang(self):
        daemon = self.daemon(puppet("a", "act.timeout = 30ms", "act.grace = 30ms")).wait_started()
        self.script(daemon, "a", "ignore")
        # People are told so, too.
        done = daemon.ctl("run", "a/act", "--wait")
        self.assertRegex(done.stdout, r"^run 1 failed after (([6-9]\d|\d{3})ms|\d+s.*): "
                                      r"the module's host ended: a/act hangs: ")
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Lost(DurationTest):
    def test_in_the_queue_when_the_module_stops(self):
        daemon = self.daemon(puppet("a", "work.workers = 1", "drain = 10ms", "drain-queue = no")).wait_started()
        running, _, _ = self.begin_job(daemon, "wait", "a waits")
        asked = Stopwatch()
        waiting = daemon.ask_later("/v1/submit?module=a&pool=work&wait", "POST", b"nothing")
        harness.wait_until(lambda: daemon.module("a")["pools"][0]["queued"] == 1, "the queue")
        seen = Stopwatch()
        least = seen.passed()
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.check(waiting, asked, least, "ECANCELED")
        running.answer()
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_after_retries(self):
        daemon = self.daemon(puppet("a", "work.retries = 2", "work.backoff = 40ms")).wait_started()
        asked = Stopwatch()
        waiting = daemon.ask_later("/v1/submit?module=a&pool=work&wait", "POST", b"fail")
        # Two pauses, each of at least three quarters of what is configured.
        self.check(waiting, asked, 0.75 * (0.04 + 0.08), "EIO")
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Upgraded(upgrading.UpgradeTest, DurationTest):
    def test_over_an_upgrade(self):
        daemon = self.installed(puppet("a"))
        waiting, asked, seen = self.begin_run(daemon, "wait", "a waits")
        self.upgrade(daemon, 2)
        least = seen.passed()
        daemon.kill("a")
        self.check(waiting, asked, least, "EPIPE")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
