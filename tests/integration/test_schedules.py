#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""When tasks run: over restarts, after failures, without memory, and when a calendar ends."""
import os
import shutil
import signal
import struct
import time

import harness
from puppetry import PUPPET, puppet
from scheduling import Schedules

HOUR = 3600 * 10**9
SCARCE = os.path.join(harness.FIXTURES, "libscarce.so")


class Restarts(Schedules):
    CONFIG = puppet("a", "act.every = 1h", "act.jitter = 1ms")

    def test_a_long_interval_goes_on_where_it_was(self):
        daemon = self.daemon(self.CONFIG, start=False)
        self.script(daemon, "a", "note")
        daemon.start().wait_started()
        self.wait_trace(daemon, "a noted")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertRegex(self.last_runs(daemon), r"\n\d{19} a act\nend\n$")
        # It ran a moment ago: the new life waits for the rest of the hour.
        self.restart(daemon)
        task = self.task(daemon, "a", "act")
        self.assertTrue(3500 < task["next_in"] < 3601, task)
        self.assertEqual(task["schedule"], "every 1h")
        self.assertEqual(len(task["next"]), 5)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("a noted"), 1)
        # It should have run in the meantime: once, soon.
        self.write_last_run(daemon, "a act", 5 * HOUR)
        self.restart(daemon)
        self.wait_trace(daemon, "a noted", 2)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("a noted"), 2)

    def test_a_killed_daemon_has_kept_it(self):
        daemon = self.daemon(self.CONFIG, start=False)
        self.script(daemon, "a", "note")
        daemon.start().wait_started()
        self.wait_trace(daemon, "a noted")
        harness.wait_until(lambda: os.path.exists(self.path(daemon, "last-runs")), "the file")
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        self.restart(daemon)
        self.assertTrue(self.task(daemon, "a", "act")["next_in"] > 3500)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_crashed_module_does_not_run_it_again(self):
        daemon = self.daemon(self.CONFIG, start=False)
        self.script(daemon, "a", "note")
        daemon.start().wait_started()
        self.wait_trace(daemon, "a noted")
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        self.assertTrue(self.task(daemon, "a", "act")["next_in"] > 3500)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_neighbours_schedule_is_not_its_own(self):
        """Between two processes of a host, slots mean nothing: b gets the slot that was a's."""
        copy = os.path.join(self.enterContext(harness.tempfile.TemporaryDirectory()), "copy.so")
        shutil.copyfile(PUPPET, copy)
        os.chmod(os.path.dirname(copy), 0o755)
        daemon = self.daemon(
            puppet("a", "host = h", "act.every = 1h", "tick.every = never") +
            puppet("b", "host = h", "act.every = 30min", "act.jitter = 1ms", "tick.every = never",
                   "restart-limit = 1000/1s", "restart-delay-max = 1ms").replace(PUPPET, copy),
            start=False)
        self.write_last_run(daemon, "a act", 55 * HOUR // 60)
        self.script(daemon, "b", "note")
        daemon.start().wait_started()
        self.wait_trace(daemon, "b noted")
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        for _ in range(20):
            self.wait_restarted(daemon, "b", daemon.kill("b"))
            self.assertGreater(self.task(daemon, "b", "act")["next_in"], 1500)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("b noted"), 1)

    def test_catch_up_of_the_calendar(self):
        yesterday = puppet("late", "act.at = daily", "act.catch-up = yes", "act.jitter = 1ms")
        daemon = self.daemon(yesterday + puppet("not", "act.at = daily"), start=False)
        self.script(daemon, "late", "note")
        self.script(daemon, "not", "note")
        with open(self.path(daemon, "last-runs"), "w", encoding="utf-8") as file:
            ago = time.time_ns() - 30 * HOUR
            file.write(f"reeve last runs 1\n{ago} late act\n{ago} not act\nend\n")
        daemon.start().wait_started()
        self.wait_trace(daemon, "late noted")
        self.assertEqual(self.task(daemon, "not", "act")["schedule"], "at *-*-* 00:00:00")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("late noted"), 1)
        self.assertNotIn("not noted", self.trace(daemon))

    def test_a_damaged_file_stops_nobody(self):
        daemon = self.daemon(self.CONFIG, start=False)
        self.script(daemon, "a", "note")
        with open(self.path(daemon, "last-runs"), "wb") as file:
            file.write(b"\0\xff rubbish")
        daemon.start().wait_started()
        self.wait_trace(daemon, "a noted")
        daemon.wait_log(r"warning .*last-runs, with the times of last runs, is damaged \(kept as "
                        r"last-runs\.damaged\), and last-runs\.old is missing: tasks start as if")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # With a reserve it says which, of when, and what to do.
        os.rename(self.path(daemon, "last-runs"), self.path(daemon, "last-runs.old"))
        with open(self.path(daemon, "last-runs"), "wb"):
            pass
        self.restart(daemon)
        daemon.wait_log(r"warning .*last-runs, with the times of last runs, is damaged \(kept as "
                        r"last-runs\.damaged\): last-runs\.old, written at \S+ \S+ UTC, is used instead\. .*"
                        r"If this happens again, check the disk")
        self.assertTrue(self.task(daemon, "a", "act")["next_in"] > 3500)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_write_that_fails_is_tried_again(self):
        daemon = self.daemon(self.CONFIG, start=False)
        self.script(daemon, "a", "note")
        # A directory is in the way.
        os.mkdir(self.path(daemon, ".last-runs.new"))
        daemon.start().wait_started()
        self.wait_trace(daemon, "a noted")
        daemon.wait_log(r"warning .*cannot keep the times of last runs: cannot create a temporary file "
                        r"beside .*last-runs: Is a directory; after")
        os.rmdir(self.path(daemon, ".last-runs.new"))
        daemon.wait_log(r"notice .*the times of last runs are kept again")
        self.assertIn(" a act\n", self.last_runs(daemon))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_last_write_that_fails_is_told(self):
        """Whatever was said before, of one that is tried again."""
        daemon = self.daemon(self.CONFIG, start=False)
        self.script(daemon, "a", "note")
        os.mkdir(self.path(daemon, ".last-runs.new"))
        daemon.start().wait_started()
        daemon.wait_log("warning .*cannot keep the times of last runs: .*It is tried again")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertRegex(daemon.text(), r"error .*the times of last runs were not written: cannot create a temporary file beside "
                                        r".*last-runs: Is a directory; after the next start tasks may run too soon or too late")
        self.assertEqual(daemon.text().count("tried again"), 1)


class Failures(Schedules):
    def test_backoff(self):
        daemon = self.daemon(puppet("a", "act.every = 10ms", "act.backoff = 1h",
                                    "act.backoff-max = 2h"), start=False)
        self.script(daemon, "a", "fail")
        daemon.start().wait_started()
        task = harness.wait_until(
            lambda: (t := self.task(daemon, "a", "act"))["runs"] and t["next_in"] and t, "a run")
        self.assertTrue(3500 < task["next_in"] < 3601, task)
        # A run on request does not wait, and one that fails doubles it.
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 1)
        self.assertTrue(7000 < self.task(daemon, "a", "act")["next_in"] < 7201)
        # One that goes well ends it.
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        harness.wait_until(lambda: self.task(daemon, "a", "act")["runs"] > 5, "planned runs")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_run_on_request_pauses(self):
        daemon = self.daemon(
            puppet("a", "act.every = 1h", "act.offset = 1h", "act.backoff = 100min",
                   "act.backoff-max = 100min"), start=False)
        self.script(daemon, "a", "fail")
        daemon.start().wait_started()
        before = self.task(daemon, "a", "act")["next"][0]
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 1)
        paused = self.task(daemon, "a", "act")
        self.assertTrue(6000 < paused["next_in"] < 2 * 3600, paused)
        # On the grid that it had, also when the pause ends early.
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        after = self.task(daemon, "a", "act")
        self.assertLess(after["next_in"], 3600)
        self.assertEqual(after["next"][0], before)
        self.assertEqual((after["runs"], after["skipped"]), (2, 0))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_no_point_of_a_calendar_is_left_out_in_silence(self):
        daemon = self.daemon(puppet("a", "act.at = *-*-* *:00:00 UTC", "act.backoff = 100min",
                                    "act.backoff-max = 100min"), start=False)
        self.script(daemon, "a", "fail")
        daemon.start().wait_started()
        before = self.task(daemon, "a", "act")["next"]
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 1)
        self.assertIn(self.task(daemon, "a", "act")["next"][0], before[1:3])
        daemon.wait_log(r"leaves out ")
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("run", "a/act", "--wait").returncode, 0)
        self.assertEqual(self.task(daemon, "a", "act")["next"], before)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_errors_name_the_line(self):
        code, errors = self.run_reeved(puppet("a", "act.at = Mon..Xyz", "tick.jitter = 1h"))
        self.assertEqual(code, 1)
        self.assertRegex(errors, r"reeve\.ini:\d+: \[module:a\] act\.at = Mon\.\.Xyz: expected "
                                 "weekdays such as Mon..Fri")
        self.assertIn("task tick: jitter must be shorter than every, which is 20ms", errors)


class WithoutMemory(Schedules):
    def set_scarce(self, daemon, runs=0, waits=0, periodic=0):
        """So many of each that are to come find no memory."""
        with open(os.path.join(daemon.folder, "scarce"), "r+b") as file:
            file.write(struct.pack("=iii", runs, waits, periodic))

    def is_plenty(self, daemon):
        with open(os.path.join(daemon.folder, "scarce"), "rb") as file:
            return struct.unpack("=iii", file.read()) == (0, 0, 0)

    def start_scarce(self, *lines):
        daemon = self.daemon(puppet("a", *lines), start=False)
        self.script(daemon, "a", "note")
        path = os.path.join(daemon.folder, "scarce")
        with open(path, "wb") as file:
            file.write(bytes(12))
        daemon.environment.update(LD_PRELOAD=SCARCE, SCARCE_FILE=path,
                                  ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") +
                                  ":verify_asan_link_order=0")
        return daemon.start().wait_started()

    def test_a_run_fails_aloud_and_the_next_one_comes(self):
        daemon = self.start_scarce("act.every = 100ms")
        self.wait_trace(daemon, "a noted")
        self.set_scarce(daemon, 1)
        daemon.wait_log(r"\[a/act\] failed: no memory for the run")
        daemon.wait_log(r"\[a/act#\d+\] succeeded again after 1 failure")
        self.assertEqual(self.task(daemon, "a", "act")["failures"], 1)
        self.assertEqual(daemon.module("a")["restarts"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_run_on_request_is_answered(self):
        daemon = self.start_scarce()
        self.set_scarce(daemon, 1)
        done = daemon.ctl("run", "--wait", "a/act")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no memory for the run", done.stdout + done.stderr)
        done = daemon.ctl("run", "--wait", "a/act")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_job_ends_without_having_begun(self):
        """Its module is told of that, as what it has noted of the job would stay for good."""
        daemon = self.start_scarce("work.retries = 1", "work.backoff = 1ms", "tick.every = never")
        self.set_scarce(daemon, 2)
        done = daemon.ctl("submit", "--wait", "a/work", stdin="tell note")
        self.assertIn("no memory for the job's context", done.stdout)
        daemon.wait_log(r"warning +\[a\] work: job 1 failed before it began: no memory for the job's context")
        self.assertIn("a ended 0 of 2: ENOMEM", self.trace(daemon))
        self.assertEqual(daemon.ctl("submit", "--wait", "a/work", stdin="tell note").returncode, 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_reload_restarts_its_module(self):
        daemon = self.start_scarce("tick.every = never")
        before = daemon.module("a")["pid"]
        daemon.write(puppet("a", "tick.every = never", "words = x"))
        self.set_scarce(daemon, waits=1)
        done = daemon.ctl("reload")
        self.assertEqual((done.returncode, done.stdout), (0, "reloaded\n"), done.stderr + daemon.text())
        daemon.wait_log(r"\[a\] restarts: there was no memory to give it its new options")
        self.assertTrue(self.is_plenty(daemon))
        self.assertNotEqual(daemon.module("a")["pid"], before)
        self.assertEqual(daemon.module("a")["state"], "ready")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_start_that_cannot_plan_a_task_is_tried_again(self):
        daemon = self.start_scarce("act.every = 1h")
        self.set_scarce(daemon, periodic=1)
        daemon.ctl("restart", "a")
        harness.wait_until(lambda: daemon.module("a")["state"] == "ready", "a to be back")
        self.assertTrue(self.is_plenty(daemon))
        daemon.wait_log(r"\[a\] .*failed: .*emory")
        self.assertEqual(daemon.module("a")["restarts"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Ends(Schedules):
    """Calendars without a point to come."""
    PAST = puppet("a", "act.at = 2020-01-01 03:00 UTC")

    def test_a_day_that_there_is_not(self):
        never = puppet("a", "act.at = *-02-30 03:00")
        wrong = (r"reeve\.ini:\d+: \[module:a\] act\.at = \*-02-30 03:00: expected a date that comes, which this one "
                 "never does")
        for arguments in ([], ["--check"]):
            code, errors = self.run_reeved(never, *arguments)
            self.assertEqual(code, 1, errors)
            self.assertRegex(errors, wrong)
        daemon = self.daemon(puppet("a")).wait_started()
        daemon.write(never)
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, wrong)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_check_finds_a_day_that_has_passed(self):
        code, errors = self.run_reeved(self.PAST, "--check")
        self.assertEqual(code, 1, errors)
        self.assertRegex(errors, r"reeve\.ini:\d+: \[module:a\] act\.at = 2020-01-01 03:00 UTC has passed, and does not "
                                 "come again")
        code, errors = self.run_reeved(puppet("a", "act.at = 2199-01-01 03:00 UTC"), "--check")
        self.assertEqual(code, 0, errors)

    def test_a_day_that_has_passed_keeps_nobody_down(self):
        daemon = self.daemon(self.PAST + puppet("b", "act.at = daily")).wait_started()
        daemon.wait_log(r"warning .*\[a\] .*reeve\.ini:\d+: act\.at = 2020-01-01 03:00 UTC has passed, and does not come "
                        r"again")
        self.assertRegex(daemon.ctl("list").stdout, r"(?m)^a/act +at 2020-01-01 03:00:00 UTC +never$")
        self.assertTrue(self.task(daemon, "a", "act")["never"])
        self.assertFalse(self.task(daemon, "b", "act")["never"])
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        # A plan and a reload say the same, and of what is in force already both say nothing. For a check all are errors.
        passed = r"\[module:b\] act\.at = 2020-02-02 has passed, and does not come again"
        daemon.write(self.PAST + puppet("b", "act.at = 2020-02-02"))
        done = daemon.ctl("reload", "--plan")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?ms)^b +reload.*" + passed)
        self.assertNotIn("[module:a]", done.stdout)
        self.assertEqual(len(daemon.ask("/v1/plan")[1]["warnings"]), 1)
        done = daemon.ctl("check")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, passed)
        self.assertRegex(done.stderr, passed.replace("module:b", "module:a").replace("02-02", "01-01 03:00 UTC"))
        self.assertNotIn("reload would", done.stderr)
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout + done.stderr, r"\[module:b\] act\.at = 2020-02-02 has passed, and does not come again")
        self.assertTrue(self.task(daemon, "b", "act")["never"])
        # Whoever asks is told.
        done = daemon.ctl("check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("has passed, and does not come again", done.stdout + done.stderr)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_offset_counts(self):
        ago = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time.time() - 3600))
        code, errors = self.run_reeved(puppet("a", f"act.at = {ago}", "act.offset = 5h"), "--check")
        self.assertEqual(code, 0, errors)
        code, errors = self.run_reeved(puppet("a", "act.offset = 10min", f"act.at = {ago}"), "--check")
        self.assertEqual(code, 1, errors)


if __name__ == "__main__":
    harness.main()
