#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pools of a running module: who may submit to them when, and what a reload does to their jobs."""
import os

import harness
from puppetry import PuppetTest, puppet

SUBMITTER = os.path.join(harness.FIXTURES, "submitter.so")


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

    def test_one_that_waits_for_room_is_not_accepted(self):
        daemon = self.daemon(submitter("second.queue = 1", "drain = 1ms")).wait_ready("a")
        self.assertEqual(daemon.ctl("run", "a/fill").returncode, 0)

        def pool():
            return next(p for p in daemon.module("a")["pools"] if p["name"] == "second")
        harness.wait_until(lambda: pool()["accepted"] == 2, "a full queue")
        daemon.wait_log(r"\[a/fill#1\] submits the third")
        for i in range(1, 20):
            # What finds no room is counted, and the other numbers with it.
            self.assertIn("the queue is full", daemon.ctl("submit", "a/second", stdin="x").stderr)
            now = pool()
            self.assertEqual((now["active"], now["queued"], now["accepted"], now["rejected"]), (1, 1, 2, i))
        # Its end makes the count no smaller.
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.assertRegex(daemon.text(), r"\[a/fill#1\] the third: -125")
        now = pool()
        self.assertEqual((now["accepted"], now["lost"]), (2, 1))
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Chains(harness.DaemonTest):
    def test_a_reload_breaks_no_chain_of_jobs(self):
        """The last jobs, too, hand on to another pool."""
        daemon = self.daemon(submitter("second.retries = 0")).wait_ready("a")
        for fifo in "one", "two":
            os.mkfifo(os.path.join(daemon.state, fifo))
        self.assertEqual(daemon.ctl("submit", "a/second", stdin="hand on one").returncode, 0)
        daemon.wait_log("opens one")
        daemon.write(submitter("second.retries = 0", "when = never"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.ctl("submit", "a/second", stdin="hand on two").returncode, 0)
        for fifo in "one", "two":
            daemon.wait_log(f"opens {fifo}")
            if fifo == "two":
                daemon.wait_log("when the last jobs of its pool (first|second) have ended")
            harness.release(os.path.join(daemon.state, fifo))
        daemon.wait_log(r"\[a\] reloaded")
        pools = {p["name"]: p for p in daemon.module("a")["pools"]}
        self.assertEqual([pools[name]["finished"] for name in ("first", "second")], [2, 2], daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())


class ReloadTest(PuppetTest):
    WAITS = r"takes its new options when (jobs of its pool work have|its run tick#\d+ has) ended"
    LAST = "the last jobs of its pool work have ended: until then it takes no run or job"

    def start(self, *fifos):
        daemon = self.daemon(puppet("a", "words = old", "drain = 1ms")).wait_ready("a")
        for name in fifos:
            os.mkfifo(self.path(daemon, name))
        return daemon

    def reload(self, daemon, words):
        daemon.write(puppet("a", f"words = {words}", "drain = 1ms"))
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def submit(self, daemon, action):
        done = daemon.ctl("submit", "a/work", stdin=action)
        self.assertEqual(done.returncode, 0, done.stderr)

    def release(self, daemon, name):
        with open(self.path(daemon, name), "w", encoding="utf-8"):
            pass

    def test_a_long_job_holds_up_nothing_else(self):
        daemon = self.start("long")
        self.submit(daemon, "fifo long")
        self.wait_trace(daemon, "a reads")
        self.assertRegex(self.reload(daemon, "new"), self.WAITS)
        runs = self.task(daemon, "a", "tick")["runs"]
        harness.wait_until(lambda: self.task(daemon, "a", "tick")["runs"] > runs + 3, "runs of the schedule")
        self.script(daemon, "a", "note")
        done = daemon.ctl("run", "a/act", "--wait")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.submit(daemon, "note")
        self.release(daemon, "long")
        self.wait_trace(daemon, "a reload")
        self.assertEqual(self.trace(daemon), ["a init", "a reads", "a noted", "a has read", "a noted", "a reload"])
        daemon.wait_log(r"\[a\] reloaded")
        self.assertEqual(daemon.module("a")["output"], "")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_later_jobs_do_not_put_it_off_for_ever(self):
        daemon = self.start("one", "two")
        self.submit(daemon, "fifo one")
        self.wait_trace(daemon, "a reads")
        self.reload(daemon, "new")
        self.submit(daemon, "fifo two")
        self.release(daemon, "one")
        daemon.wait_log(r"\[a\] takes its new options when " + self.LAST)
        self.wait_trace(daemon, "a reads", 2)
        self.assertIn(self.LAST, daemon.module("a")["output"])
        for words in ("run", "a/act"), ("submit", "a/work"):
            done = daemon.ctl(*words, stdin="note")
            self.assertEqual(done.returncode, 1)
            self.assertIn("the module takes its new options when " + self.LAST, done.stderr)
        self.assertIn(self.LAST, self.reload(daemon, "newest"))
        self.release(daemon, "two")
        harness.wait_until(lambda: daemon.module("a")["output"] == "", "the newest options")
        self.submit(daemon, "note")
        self.wait_trace(daemon, "a noted")
        self.assertEqual(daemon.module("a")["pools"][0]["accepted"], 3)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_while_it_waits_for_jobs(self):
        daemon = self.start()
        self.submit(daemon, "wait")
        self.wait_trace(daemon, "a waits")
        self.assertRegex(self.reload(daemon, "new"), self.WAITS)
        done = daemon.ctl("restart", "a")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line.split(":")[0] for line in self.trace(daemon)],
                         ["a init", "a waits", "a cancelled", "a fini", "a init"])
        self.assertEqual(daemon.stop(), 0, daemon.text())


class DeadlineTest(PuppetTest):
    def pool(self, daemon):
        return daemon.module("a")["pools"][0]

    def test_in_the_queue(self):
        daemon = self.daemon(puppet("a", "drain = 1ms", "tick.every = never")).wait_ready("a")
        os.mkfifo(self.path(daemon, "long"))
        self.assertEqual(daemon.ctl("submit", "a/work", stdin="fifo long").returncode, 0)
        self.wait_trace(daemon, "a reads")
        # Answered when its time is over, and not when its turn comes.
        done = daemon.ctl("submit", "a/work", "--wait", "--timeout", "50ms", stdin="note")
        self.assertEqual(done.returncode, 1)
        self.assertIn("its time of 50ms was over before it could begin", done.stdout)
        self.assertEqual(self.pool(daemon)["active"], 1)
        with open(self.path(daemon, "long"), "w", encoding="utf-8"):
            pass
        daemon.wait_log(r"warning +\[a/work#2\] does not run: its time of 50ms was over before it could begin")
        done = daemon.ctl("submit", "a/work", "--wait", "--timeout", "1h", stdin="reveal")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("a noted", self.trace(daemon))
        pool = self.pool(daemon)
        self.assertEqual((pool["accepted"], pool["finished"], pool["failed"], pool["lost"]), (3, 2, 1, 0))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_over_all_attempts(self):
        daemon = self.daemon(puppet("a", "drain = 1ms", "tick.every = never", "work.retries = 5",
                                    "work.backoff = 1h", "work.backoff-max = 1h")).wait_ready("a")
        # No time is left after the pause: it has failed.
        done = daemon.ctl("submit", "a/work", "--wait", "--timeout", "1min", stdin="fail")
        self.assertEqual(done.returncode, 1)
        self.assertIn("as told", done.stdout)
        done = daemon.ctl("submit", "a/work", "--wait", "--timeout", "50ms", stdin="wait")
        self.assertEqual(done.returncode, 1)
        pool = self.pool(daemon)
        self.assertEqual((pool["accepted"], pool["failed"], pool["queued"], pool["retried"]), (2, 2, 0, 0))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_while_it_waits_for_its_next_attempt(self):
        daemon = self.daemon(puppet("a", "drain = 1ms", "tick.every = never", "work.retries = 1000",
                                    "work.backoff = 1ms", "work.backoff-max = 1ms")).wait_ready("a")
        done = daemon.ctl("submit", "a/work", "--wait", "--timeout", "100ms", stdin="fail")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "as told|its time of 100ms was over before attempt")
        harness.wait_until(lambda: self.pool(daemon)["failed"] == 1, "its end")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_many_at_once(self):
        """Times that are over while jobs begin and end, and the module with them."""
        daemon = self.daemon(puppet("a", "drain = 1ms", "tick.every = never", "work.retries = 1",
                                    "work.backoff = 1ms")).wait_ready("a")
        later = [daemon.ask_later(f"/v1/submit?module=a&pool=work&wait=&timeout={i % 7 + 1}ms", "POST",
                                  body=b"fail" if i % 3 else b"note") for i in range(60)]
        for one in later:
            status, answer = one.answer()
            self.assertIn(status, (200, 500), answer)
        harness.wait_until(lambda: (p := self.pool(daemon))["finished"] + p["failed"] == 60, "all ends")
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Ends(PuppetTest):
    def test_a_module_is_told_of_each(self):
        """However it comes, once, and before who has submitted it, also of what never began."""
        def told():
            return [line for line in self.trace(daemon) if line.startswith("a ended")]
        daemon = self.daemon(puppet("a", "drain = 1ms", "drain-queue = no", "tick.every = never", "work.retries = 1",
                                    "work.backoff = 1ms")).wait_ready("a")
        for action, end in ("note", "1 of 2: good"), ("fail", "2 of 2: EIO"), ("fail for ever", "1 of 2: EBADMSG"):
            daemon.ctl("submit", "a/work", "--wait", stdin=f"tell {action}")
            self.assertEqual(told(), [f"a ended {end}"])
            os.unlink(self.path(daemon, "trace"))
        daemon.write(puppet("a", "drain = 1ms", "drain-queue = no", "tick.every = never", "work.retries = 1",
                            "work.backoff = 1h", "work.backoff-max = 1h"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        # No time for the second attempt; a stop before it; and one that was never begun.
        daemon.ctl("submit", "a/work", "--wait", "--timeout", "1min", stdin="tell fail")
        self.assertEqual(told(), ["a ended 1 of 2: EIO"])
        daemon.ctl("submit", "a/work", stdin="tell fail")
        daemon.wait_log("#2] attempt 1 of 2 failed")
        daemon.ctl("submit", "a/work", stdin="tell wait")
        self.wait_trace(daemon, "a waits")
        daemon.ctl("submit", "a/work", stdin="tell note")
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.assertEqual(sorted(told()), ["a ended 0 of 2: ECANCELED", *["a ended 1 of 2: ECANCELED"] * 2, "a ended 1 of 2: EIO"])
        self.assertEqual(self.trace(daemon)[-1], "a fini")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
