# SPDX-License-Identifier: MIT
"""Long steps that say how far they are: nobody is to wait longer than ten seconds without a word."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from progress import SILENCE, lines_of  # pylint: disable=wrong-import-position

# What ./dev says itself, and its summary.
TOLD = re.compile(r"dev:|SKIPPED:|FAILED:|NOTE:")
KEPT = 40


class Trouble(Exception):
    """The text for people about a tool that is missing or a step that has failed."""


class Ticker:
    """Says that a step still goes on, where it says nothing itself."""

    def __init__(self, say, what):
        self.say, self.what = say, what
        self.begun = self.told = time.monotonic()

    def tick(self, seen=""):
        """To be called at least every few seconds. Speaks when that is due."""
        if time.monotonic() - self.told >= SILENCE:
            self.told = time.monotonic()
            self.say(f"{self.what}: {self.told - self.begun:.0f} s" + (f", {seen[:80]}" if seen else ""))


def follow(process, log, ticker):
    """Yields the lines of a process with a pipe of bytes as its output, and writes them to the log. What ./dev says
    of its progress is shown; where that is nothing for long, the last line is."""
    last = ""
    for line in lines_of(process, lambda: ticker.tick(last)):
        log.write(line + "\n")
        log.flush()
        if TOLD.match(line):
            print(f"    {line}", file=sys.stderr, flush=True)
            ticker.told = time.monotonic()
        last = line.strip() or last
        ticker.tick(last)
        yield line


def run_long(command, what, say, path):
    """Runs a command to its end. All that it says is added to the file at path. Raises Trouble if it fails."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ended_with = []
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="utf-8") as log:
        for line in follow(process, log, Ticker(say, what)):
            ended_with = [*ended_with[-KEPT:], line]
    code = process.wait()
    if code != 0:
        raise Trouble(f"{what}: exit code {code}; it ended with:\n" + "\n".join(ended_with) + f"\nmore is in {path}")
