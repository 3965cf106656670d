#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pools of a running module: who may submit to them when, and what a reload does to their jobs."""
import os

import harness

SUBMITTER = os.path.join(harness.BUILD, "tests", "integration", "submitter.so")


def submitter(*lines):
    return "\n".join(["[module:a]", f"load = {SUBMITTER}", "restart-delay = 1ms", *lines, ""])


class SubmitTest(harness.DaemonTest):
    def test_before_the_pools_begin(self):
        daemon = self.daemon(submitter("when = init"))
        daemon.wait_ready("a")
        daemon.wait_log(r"\[a\] in init: -11 the pools of module a take jobs once init or reload has returned")
        self.assertEqual(daemon.module("a")["starts"], 1)
        daemon.write(submitter("when = "))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        daemon.wait_log(r"\[a\] in reload: -11 the pools of module a take jobs once")
        self.assertEqual(daemon.module("a")["starts"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertRegex(daemon.text(), r"\[a\] in fini: -32 the module stops")

    def test_from_a_job_that_a_stop_cancels(self):
        daemon = self.daemon(submitter("drain = 1ms"), environment={"MALLOC_PERTURB_": "165"})
        daemon.wait_ready("a")
        self.assertEqual(daemon.ctl("submit", "a/second", stdin="x").returncode, 0)
        daemon.wait_log(r"\[a/second#1\] waits")
        done = daemon.ctl("stop", "a")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(daemon.text(), r"\[a/second#1\] in a cancelled job: -")
        self.assertRegex(daemon.text(), r"\[a\] in fini: -32 the module stops")
        self.assertNotIn("SIG", daemon.text())
        self.assertEqual(daemon.module("a")["pools"][0]["accepted"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
