# SPDX-License-Identifier: MIT
"""The releases of Debian that reeve is tried on, and the count of what was tried there."""
import dataclasses
import subprocess
import sys

import roots


@dataclasses.dataclass(frozen=True)
class Release:
    number: str   # or its name, where it has none
    suite: str    # what mirrors call it
    stable: bool  # it has updates and security updates

    def __str__(self):
        return self.number


# Everything works on the first ones; on the others reeve builds and passes its plain tests.
FIRST_CLASS = [Release("12", "bookworm", True), Release("13", "trixie", True)]
OTHERS = [Release("testing", "testing", False), Release("unstable", "sid", False)]
RELEASES = FIRST_CLASS + OTHERS


def find_release(name, among=None):
    """Of those, or of all."""
    among = among or RELEASES
    for release in among:
        if name in (release.number, release.suite):
            return release
    known = ", ".join(f"{release.number} ({release.suite})" for release in among)
    raise roots.Trouble(f"there is no release \"{name}\" here: {known}")


class Count:
    """The counts of passed, failed and skipped, as `./dev test` counts it."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed, failed, skipped):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def fail(count, text):
    count.add(0, 1, 0)
    print(f"FAILED: {text}", file=sys.stderr, flush=True)


def try_each(releases, work):
    """Calls work(release, count) for each, prints the count as the last line, and returns the exit code."""
    count = Count()
    for release in releases:
        try:
            work(release, count)
        except (roots.Trouble, OSError, subprocess.CalledProcessError) as trouble:
            fail(count, f"Debian {release}: {trouble}")
    print(count)
    return 1 if count.failed or not count.passed else 0


def run_program(main):
    """Ends this program with what main() returns; trouble is told in a line."""
    try:
        sys.exit(main())
    except roots.Trouble as trouble:
        print(trouble, file=sys.stderr)
        sys.exit(2)
