# SPDX-License-Identifier: MIT
"""Helpers of tests of the spool."""
import os

import harness


class SpoolTest(harness.DaemonTest):
    def spool(self, command, *lines, directory="spool", backoff="1ms", **options):
        return self.daemon("\n".join(["[module:spool]", "load = spool", f"directory = {directory}",
                                      f"command = {command}", f"process.backoff = {backoff}",
                                      "restart-delay = 1ms", *lines, ""]), **options)

    def path(self, daemon, *names):
        return os.path.join(daemon.state, "spool", *names)

    def put(self, daemon, name):
        with open(self.path(daemon, ".new"), "w", encoding="utf-8") as file:
            file.write(name)
        os.rename(self.path(daemon, ".new"), self.path(daemon, name))

    def wait_done(self, daemon, *names):
        for name in names:
            harness.wait_until(lambda: os.path.exists(self.path(daemon, "done", name)), name)

    def content(self, daemon, *names):
        with open(self.path(daemon, *names), encoding="utf-8") as file:
            return file.read()

    def runs(self, daemon):
        """The words that commands have written to "runs"."""
        try:
            with open(os.path.join(daemon.state, "runs"), encoding="utf-8") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def wait_runs(self, daemon, *words):
        harness.wait_until(lambda: self.runs(daemon) == list(words) or None, f"{words} in {daemon.state}/runs")

    def wait_watch(self, daemon):
        """Until the first scan is over: a file that is scanned, and arrives as well, is looked at twice."""
        return harness.wait_until(
            lambda: (text := daemon.module("spool")["tasks"][0]["progress"]).startswith("watching") and text,
            "the watch")
