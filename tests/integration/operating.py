# SPDX-License-Identifier: MIT
"""Helpers of tests in which operations and reloads meet each other."""
import os

import harness
from puppetry import PuppetTest

# A drain that only the end of a job ends.
SLOW = ("drain = 1000s", "drain-stall = 1000s", "grace = 1000s")


class GoalTest(PuppetTest):
    def state(self, daemon, name):
        return daemon.module(name)["state"]

    def words(self, daemon, name):
        return daemon.check(f"{name}:state").get("output", "")

    def states(self, daemon, names):
        return [self.state(daemon, name) for name in names]

    def wait_state(self, daemon, name, state):
        harness.wait_until(lambda: self.state(daemon, name) == state, f"{name} to be {state}")

    def later(self, daemon, what, name):
        return daemon.ask_later(f"/v1/{what}?module={name}&wait", "POST")

    def operate(self, daemon, what, name, status=200):
        answer = daemon.ask(f"/v1/{what}?module={name}&wait", "POST")
        self.assertEqual(answer[0], status, answer)
        return answer[1]

    def hold(self, daemon, name):
        """A job of the module that its drain waits for; returns what ends it."""
        fifo = f"{name}.fifo{len(self.trace(daemon))}"
        os.mkfifo(self.path(daemon, fifo))
        reads = self.trace(daemon).count(f"{name} reads")
        self.assertEqual(daemon.ctl("submit", f"{name}/work", stdin=f"fifo {fifo}").returncode, 0)
        self.wait_trace(daemon, f"{name} reads", reads + 1)

        def release():
            harness.release(self.path(daemon, fifo))
        return release

    def assert_overtaken(self, later, by):
        status, answer = later.answer()
        self.assertEqual((status, answer["code"]), (409, "ECANCELED"), answer)
        self.assertIn(f"is overtaken by {by}", answer["error"])

    def assert_nothing_to_do(self, daemon):
        steps = {s["module"]: s["step"] for s in daemon.ask("/v1/plan")[1]["steps"]}
        self.assertEqual(set(steps.values()) - {"keep"}, set(), steps)

    def assert_stops(self, daemon, code=0):
        self.assertEqual(daemon.stop(), code, daemon.text())
