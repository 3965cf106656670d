# SPDX-License-Identifier: MIT
"""Helpers of tests of schedules: what is kept of last runs, and a clock that the test sets."""
import calendar
import os
import struct
import time

import harness
from puppetry import PuppetTest

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
