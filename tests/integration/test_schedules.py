#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""When tasks run: over restarts, after failures, and when the time of day is set."""
import calendar
import os
import shutil
import signal
import struct
import time

import harness
from puppetry import PUPPET, PuppetTest, puppet

HOUR = 3600 * 10**9
SCARCE = os.path.join(harness.FIXTURES, "libscarce.so")
STEPCLOCK = os.path.join(harness.FIXTURES, "libstepclock.so")


class Schedules(PuppetTest):
    def last_runs(self, daemon):
        with open(self.path(daemon, "last-runs"), encoding="utf-8") as file:
            return file.read()

    def write_last_run(self, daemon, name, ago):
        with open(self.path(daemon, "last-runs"), "w", encoding="utf-8") as file:
            file.write(f"reeve last runs 1\n{time.time_ns() - ago} {name}\nend\n")

    def restart(self, daemon):
        """The same directory, another life."""
        daemon.log.clear()
        return daemon.start().wait_started()


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


class SteppedTest(Schedules):
    """Ten past twelve on a summer's day, with the clock in our hands."""

    def setUp(self):
        self.now = calendar.timegm((2026, 6, 15, 12, 10, 0))

    def start_shifted(self, config):
        daemon = self.daemon(config, start=False)
        self.shift_clock(daemon)
        return daemon.start().wait_started()

    def shift_clock(self, daemon):
        self.shift = os.path.join(daemon.folder, "shift")
        self.fifo = os.path.join(daemon.folder, "fifo")
        os.mkfifo(self.fifo)
        with open(self.shift, "wb") as file:
            file.write(struct.pack("=q", 0))
        daemon.environment.update(LD_PRELOAD=STEPCLOCK, STEPCLOCK_FILE=self.shift,
                                  STEPCLOCK_FIFO=self.fifo,
                                  ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") +
                                  ":verify_asan_link_order=0")
        self.set_clock(self.now)
        self.script(daemon, "a", "note")

    def set_clock(self, seconds):
        with open(self.shift, "r+b") as file:
            file.write(struct.pack("=q", (seconds - int(time.time())) * 10**9))

    def step(self, seconds):
        self.set_clock(seconds)
        fifo = os.open(self.fifo, os.O_RDWR)
        os.write(fifo, b"!")
        os.close(fifo)

    def wait_next(self, daemon, seconds):
        harness.wait_until(
            lambda: (t := self.task(daemon, "a", "act"))["next_in"] and
            abs(t["next_in"] - seconds) < 60, f"a run in {seconds} s")

    def wait_kept(self, daemon):
        harness.wait_until(lambda: os.path.exists(self.path(daemon, "last-runs")) and
                           " a act\n" in self.last_runs(daemon), "the file")


class ClockSteps(SteppedTest):
    """Half past of every hour."""

    def test_the_calendar_follows_and_intervals_do_not(self):
        daemon = self.start_shifted(puppet("a", "act.at = *:30 UTC"))
        self.wait_next(daemon, 1200)
        self.assertEqual(self.task(daemon, "a", "act")["next"],
                         [f"2026-06-15T{hour}:30:00.000Z" for hour in range(12, 17)])
        # An hour forward: half past twelve has passed and runs, once; half past one is next.
        self.step(self.now + 3600)
        self.wait_trace(daemon, "a noted", 1)
        self.wait_next(daemon, 1200)
        # And back: half past twelve comes again.
        self.step(self.now)
        self.wait_next(daemon, 1200)
        self.step(self.now + 300)
        self.wait_next(daemon, 900)
        self.step(self.now + 1500)
        self.wait_trace(daemon, "a noted", 2)
        self.wait_next(daemon, 3300)
        tick = self.task(daemon, "a", "tick")
        self.assertTrue(tick["runs"] > 0)
        # An hour has 180,000 ticks of 20 ms.
        self.assertTrue(tick["skipped"] < 10000, tick)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("a noted"), 2)

    def test_what_begins_anew_while_the_clock_is_wrong_repeats_nothing(self):
        """A day back, or in the January in which a machine without a clock of its own begins."""
        config = puppet("a", "act.at = 12:30 UTC", "{}")
        for wrong in self.now - 86400 + 1500, calendar.timegm((2026, 1, 1, 0, 0, 0)):
            for way in "crash", "restart", "move", "reload", "all":
                with self.subTest(wrong=wrong, way=way):
                    daemon = self.start_shifted(config.format(""))
                    self.wait_next(daemon, 1200)
                    self.step(self.now + 1201)
                    self.wait_trace(daemon, "a noted")
                    self.wait_next(daemon, 86400)
                    self.step(wrong)
                    harness.wait_until(lambda: (n := self.task(daemon, "a", "act")["next"]) and n[0] < "2026-06-16", "a wrong point")
                    if way == "crash":
                        self.wait_restarted(daemon, "a", daemon.kill("a"))
                    elif way == "restart":
                        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
                    elif way == "all":
                        self.assertEqual(daemon.stop(), 0, daemon.text())
                        self.restart(daemon)
                    else:
                        daemon.write(config.format("words = x" if way == "reload" else "host = h"))
                        self.assertEqual(daemon.ctl("reload").returncode, 0)
                    self.step(self.now + 1800)
                    self.wait_next(daemon, 86400 - 600)
                    self.assertEqual(self.task(daemon, "a", "act")["skipped"], 0)
                    self.assertEqual(self.trace(daemon).count("a noted"), 1)
                    self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_clock_that_is_wrong_for_a_moment_repeats_nothing(self):
        daemon = self.start_shifted(puppet("a", "act.at = *:30 UTC"))
        self.wait_next(daemon, 1200)
        self.step(self.now + 1201)
        self.wait_trace(daemon, "a noted", 1)
        self.wait_next(daemon, 3600)
        # A day back, and right again: half past twelve has been.
        self.step(self.now + 1100 - 86400)
        harness.wait_until(lambda: self.task(daemon, "a", "act")["next"][0].startswith("2026-06-14T12:30"), "yesterday")
        self.step(self.now + 1300)
        self.wait_next(daemon, 3500)
        self.assertEqual(self.task(daemon, "a", "act")["skipped"], 0)
        self.wait_kept(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # A machine without a clock of its own begins in January. Half past one passed while it was off.
        self.set_clock(calendar.timegm((2026, 1, 1, 0, 0, 0)))
        self.restart(daemon)
        self.wait_next(daemon, 1800)
        self.step(self.now + 5000)
        daemon.wait_log(r"notice +\[a/act\] skipped the run of 2026-06-15T13:30:00\.000Z: nothing ran then, and "
                        "catch-up = no")
        self.wait_next(daemon, 3400)
        self.assertEqual(self.task(daemon, "a", "act")["skipped"], 1)
        # Several that a step passes over are one run, and told.
        self.step(self.now + 5000 + 2 * 3600)
        daemon.wait_log(r"notice +\[a/act\] makes up for 2 runs, from 2026-06-15T14:30:00\.000Z to "
                        r"2026-06-15T15:30:00\.000Z: the clock was set")
        self.wait_trace(daemon, "a noted", 2)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("a noted"), 2)

    def run_over_two_points(self, overlap):
        """From 12:30 on a run is under way; when it ends it is 14:40."""
        daemon = self.start_shifted(puppet("a", "act.at = *:30 UTC", f"act.overlap = {overlap}"))
        os.mkfifo(self.path(daemon, "long"))
        self.script(daemon, "a", "fifo long")
        self.wait_next(daemon, 1200)
        self.step(self.now + 1200)
        self.wait_trace(daemon, "a reads")
        self.script(daemon, "a", "note")
        self.set_clock(self.now + 9000)
        with open(self.path(daemon, "long"), "w", encoding="utf-8"):
            pass
        self.wait_next(daemon, 3000)
        task = self.task(daemon, "a", "act")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        return self.trace(daemon).count("a noted"), task["skipped"]

    def test_overlap_of_a_schedule(self):
        self.assertEqual(self.run_over_two_points("skip"), (0, 2))
        self.assertEqual(self.run_over_two_points("queue"), (1, 1))


class Owed(SteppedTest):
    """A point that was due is owed until it was run or skipped aloud."""
    # So long that no start comes by chance, and none that was put off comes soon.
    LONG = 100 * 3600
    ONCE = puppet("a", "act.at = 2026-06-15 12:30 UTC", "act.jitter = 100h")

    def planned(self, daemon):
        return self.task(daemon, "a", "act")["next_in"]

    def wait_owed(self, daemon):
        """Until its start is planned, though its point has passed."""
        harness.wait_until(lambda: (p := self.planned(daemon)) is not None and p < self.LONG, "the owed run")

    def over_restarts(self, daemon):
        """Yields after each way in which a task gets another runner."""
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        yield "a crash"
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        yield "a restart"
        daemon.write(self.config + "on-init =\n")
        done = daemon.ctl("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        yield "a reload"
        self.wait_kept(daemon)
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        self.restart(daemon)
        yield "a crash of reeved"
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.restart(daemon)
        yield "another life"

    def test_between_a_point_and_its_start(self):
        self.config = self.ONCE
        daemon = self.start_shifted(self.config)
        self.step(self.now + 1201)
        self.wait_owed(daemon)
        for _ in self.over_restarts(daemon):
            self.wait_owed(daemon)
        self.assertNotIn("a noted", self.trace(daemon))
        # Its time comes, once.
        self.step(self.now + 1200 + self.LONG + 1)
        self.wait_trace(daemon, "a noted")
        for how in self.over_restarts(daemon):
            harness.wait_until(lambda: self.task(daemon, "a", "act")["never"], "the end of its schedule")
            self.assertEqual(self.trace(daemon).count("a noted"), 1, how)
        self.assertNotIn("skipped the run", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_before_a_stamp_that_is_ahead(self):
        """As of a pause after failures that went on when reeved ended, or of a clock that was wrong."""
        config = puppet("a", "act.at = 12:30 UTC", "act.jitter = 20h")
        daemon = self.daemon(config, start=False)
        with open(self.path(daemon, "last-runs"), "w", encoding="utf-8") as file:
            file.write(f"reeve last runs 1\n{(self.now + 2 * 86400) * 10**9} a act\nend\n")
        self.shift_clock(daemon)
        daemon.start().wait_started()
        self.step(self.now + 1201)
        for number in range(2):
            daemon.write(config + f"words = {number}\n")
            done = daemon.ctl("reload")
            self.assertEqual(done.returncode, 0, done.stderr)
            # The next point is a day after this one.
            harness.wait_until(lambda: (p := self.planned(daemon)) is not None and p <= 20 * 3600, "the owed run")
        self.step(self.now + 1200 + 20 * 3600 + 1)
        self.wait_trace(daemon, "a noted")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_who_was_stopped_owes_nothing_over_an_upgrade(self):
        """It was started, and waits for another when reeved is replaced."""
        user = puppet("a", "requires = b", "act.at = *:30 UTC")
        daemon = self.start_shifted(puppet("b") + user)
        self.assertEqual(daemon.ctl("stop", "b").returncode, 0)
        self.step(self.now + 1201)
        daemon.write(puppet("b", "on-init = fail", "essential = no", "restart = never") + user)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.assertEqual(daemon.ctl("start", "a").returncode, 1)
        self.assertEqual(daemon.module("a")["state"], "waiting")
        self.assertEqual(daemon.ctl("upgrade").returncode, 0, daemon.text())
        daemon.write(puppet("b") + user)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        harness.wait_until(lambda: (p := self.planned(daemon)) is not None and p > 3000, "the next point")
        self.assertNotRegex(daemon.text(), r"\[a/act\] makes up for")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_catch_up_that_was_put_off(self):
        """And of a task that has never run."""
        self.config = puppet("a", "act.at = 2026-06-15 12:30 UTC", "act.catch-up = yes", "act.jitter = 100h")
        daemon = self.start_shifted(self.config)
        self.wait_kept(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        # So late that only the catch-up is left.
        self.set_clock(self.now + 1200 + 2 * self.LONG)
        self.restart(daemon)
        self.wait_owed(daemon)
        for _ in self.over_restarts(daemon):
            self.wait_owed(daemon)
        # As it is asked for it comes.
        daemon.write(self.config.replace("100h", "1ms"))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.restart(daemon)
        self.wait_trace(daemon, "a noted")
        for how in self.over_restarts(daemon):
            self.assertEqual(self.trace(daemon).count("a noted"), 1, how)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def begin_to_hold(self, *lines):
        """From 12:30 on a run is under way; half past one has come since."""
        daemon = self.start_shifted(puppet("a", "act.at = *:30 UTC", "act.overlap = queue", *lines))
        self.script(daemon, "a", "wait")
        self.wait_next(daemon, 1200)
        self.step(self.now + 1200)
        self.wait_trace(daemon, "a waits")
        self.script(daemon, "a", "note")
        self.set_clock(self.now + 5000)
        return daemon

    def test_a_queued_run_after_a_crash(self):
        daemon = self.begin_to_hold()
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        self.wait_trace(daemon, "a noted")
        self.wait_next(daemon, 3400)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("a noted"), 1)

    def test_a_queued_run_after_a_restart(self):
        daemon = self.begin_to_hold()
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.wait_trace(daemon, "a noted")
        self.wait_next(daemon, 3400)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("a noted"), 1)

    def test_a_run_that_was_held_for_one_on_request(self):
        daemon = self.start_shifted(puppet("a", "act.at = *:30 UTC", "act.overlap = queue"))
        self.act(daemon, "a", "wait")
        self.wait_trace(daemon, "a waits")
        self.script(daemon, "a", "note")
        self.step(self.now + 1201)
        # Its turn has come, and the run after it is planned.
        harness.wait_until(lambda: self.task(daemon, "a", "act")["next"][:1] == ["2026-06-15T13:30:00.000Z"],
                           "the turn of half past twelve")
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        self.wait_trace(daemon, "a noted")
        self.wait_next(daemon, 3600)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("a noted"), 1)

    def test_what_a_run_has_skipped_stays_so_after_a_crash(self):
        daemon = self.start_shifted(puppet("a", "act.at = *:30 UTC"))
        self.script(daemon, "a", "wait")
        self.wait_next(daemon, 1200)
        self.step(self.now + 1200)
        self.wait_trace(daemon, "a waits")
        self.script(daemon, "a", "note")
        self.set_clock(self.now + 5000)
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        self.wait_next(daemon, 3400)
        self.assertEqual(self.task(daemon, "a", "act")["skipped"], 1)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn("a noted", self.trace(daemon))

    def test_a_task_that_was_stopped_for_an_error(self):
        """Points that came since are nobody's: neither run nor counted."""
        daemon = self.start_shifted(puppet("a", "act.at = *:30 UTC", "act.on-error = stop"))
        self.script(daemon, "a", "fail")
        self.step(self.now + 1200)
        daemon.wait_log(r"runs no more \(on-error = stop\)")
        self.script(daemon, "a", "note")
        self.set_clock(self.now + 5 * 3600)
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.wait_next(daemon, 1200)
        self.assertEqual(self.task(daemon, "a", "act")["skipped"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn("a noted", self.trace(daemon))

    def test_a_module_that_moves_to_another_host(self):
        daemon = self.begin_to_hold()
        daemon.write(puppet("a", "act.at = *:30 UTC", "act.overlap = queue", "host = other"))
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.wait_trace(daemon, "a noted")
        self.wait_next(daemon, 3400)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_point_while_a_reload_waits(self):
        """No run begins until the last job has ended; half past comes meanwhile."""
        config = puppet("a", "act.at = *:30 UTC", "work.workers = 2")
        for overlap in ("skip", "queue"):
            with self.subTest(overlap):
                daemon = self.start_shifted(config + f"act.overlap = {overlap}\n")
                for name in "first", "long":
                    os.mkfifo(self.path(daemon, name))
                self.wait_next(daemon, 1200)
                self.assertEqual(daemon.ctl("submit", "a/work", stdin="fifo first").returncode, 0)
                self.wait_trace(daemon, "a reads")
                daemon.write(config + f"act.overlap = {overlap}\nact.timeout = 1h\n")
                done = daemon.ctl("reload")
                self.assertIn("takes its new options when", done.stdout, done)
                self.assertEqual(daemon.ctl("submit", "a/work", stdin="fifo long").returncode, 0)
                self.wait_trace(daemon, "a reads", 2)
                with open(self.path(daemon, "first"), "w", encoding="utf-8"):
                    pass
                daemon.wait_log("until then it takes no run or job")
                self.step(self.now + 1201)
                harness.wait_until(lambda: self.planned(daemon) is None, "the schedule to rest")
                with open(self.path(daemon, "long"), "w", encoding="utf-8"):
                    pass
                daemon.wait_log(r"\[a\] reloaded")
                self.wait_trace(daemon, "a noted")
                self.wait_next(daemon, 3599)
                self.assertEqual(self.trace(daemon).count("a noted"), 1)
                self.assertEqual(self.task(daemon, "a", "act")["skipped"], 0)
                self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_is_skipped_is_told(self):
        daemon = self.start_shifted(puppet("a", "act.at = *:30 UTC"))
        self.wait_next(daemon, 1200)
        self.wait_kept(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.set_clock(self.now + 3 * 3600)
        self.restart(daemon)
        daemon.wait_log(r"notice +\[a/act\] skipped 3 runs, from 2026-06-15T12:30:00\.000Z to "
                        r"2026-06-15T14:30:00\.000Z: nothing ran then, and catch-up = no")
        self.wait_next(daemon, 1200)
        self.assertEqual(self.task(daemon, "a", "act")["skipped"], 3)
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        # Whoever stops a module does not want its runs.
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.set_clock(self.now + 4 * 3600)
        self.assertEqual(daemon.ctl("start", "a").returncode, 0)
        daemon.wait_log(r"notice +\[a/act\] skipped the run of 2026-06-15T15:30:00\.000Z: nothing ran then")
        self.wait_next(daemon, 1200)
        self.assertEqual(self.task(daemon, "a", "act")["skipped"], 4)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(daemon.text().count("skipped"), 2)
        self.assertNotIn("a noted", self.trace(daemon))

    def test_a_stamp_from_the_future(self):
        config = puppet("a", "act.at = *:30 UTC", "act.catch-up = yes") + \
            puppet("b", "act.every = 1h", "trace = b.trace")
        daemon = self.daemon(config, start=False)
        future = (self.now + 10 * 366 * 86400) * 10**9
        with open(self.path(daemon, "last-runs"), "w", encoding="utf-8") as file:
            file.write(f"reeve last runs 1\n{future} a act\n{future} b act\nend\n")
        self.shift_clock(daemon)
        daemon.start().wait_started()
        self.wait_next(daemon, 1200)
        self.assertTrue(self.task(daemon, "b", "act")["next_in"] < 3601)
        # It is forgotten, so that it does no harm the next time.
        harness.wait_until(lambda: str(future) not in self.last_runs(daemon), "another file")
        self.step(self.now + 1201)
        self.wait_trace(daemon, "a noted")
        self.wait_next(daemon, 3600)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_interval_does_not_care_what_time_it_is(self):
        daemon = self.start_shifted(puppet("a", "act.every = 1h"))
        self.wait_trace(daemon, "a noted")
        for clock in (self.now + 86400, self.now - 86400):
            self.set_clock(clock)
            self.wait_restarted(daemon, "a", daemon.kill("a"))
            self.assertTrue(3000 < self.planned(daemon) <= 3600, self.planned(daemon))
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(self.trace(daemon).count("a noted"), 1)

    def test_backoff_goes_on(self):
        self.config = puppet("a", "act.every = 10ms", "act.backoff = 1h", "act.backoff-max = 2h")
        daemon = self.daemon(self.config, start=False)
        self.script(daemon, "a", "fail")
        daemon.start().wait_started()
        self.wait_backoff(daemon)
        self.wait_restarted(daemon, "a", daemon.kill("a"))
        self.wait_backoff(daemon)
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.wait_backoff(daemon)
        daemon.write(self.config + "on-init =\n")
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.wait_backoff(daemon)
        # A person who stops and starts it begins anew.
        self.script(daemon, "a", "nothing")
        self.assertEqual(daemon.ctl("stop", "a").returncode, 0)
        self.assertEqual(daemon.ctl("start", "a").returncode, 0)
        harness.wait_until(lambda: self.task(daemon, "a", "act")["runs"] > 3, "runs")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def wait_backoff(self, daemon):
        task = harness.wait_until(
            lambda: (t := self.task(daemon, "a", "act"))["runs"] and t["next_in"] and t, "a run")
        self.assertTrue(3000 < task["next_in"] < 3601, task)
        self.assertEqual(task["runs"], 1)


if __name__ == "__main__":
    harness.main()
