#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""When tasks run as the time of day is set, and which points are owed."""
import calendar
import os
import signal

import harness
from puppetry import puppet
from scheduling import SteppedTest


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
