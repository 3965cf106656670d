#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machine moves to another time zone, and gets new tables of zones, while reeved runs.

The file runs itself again in a mount namespace, where /etc is links to what is in the real one, but for
/etc/localtime, which is the test's.
"""
import calendar
import os
import subprocess
import sys
import tempfile
import unittest

import harness
import tools
from puppetry import puppet
from limiting import landlock_abi
from scheduling import SteppedTest

INSIDE = "REEVE_TEST_ZONES"
LOCALTIME = "/etc/localtime"
ZONEINFO = "/usr/share/zoneinfo"
BERLIN, NEW_YORK = f"{ZONEINFO}/Europe/Berlin", f"{ZONEINFO}/America/New_York"

# Three in the morning of 16 June 2026.
IN_BERLIN, IN_NEW_YORK = "2026-06-16T01:00:00.000Z", "2026-06-16T07:00:00.000Z"


def missing():
    """The tools that this machine lacks for it; None when it has all."""
    if os.geteuid() != 0:
        return "needs root, for a mount namespace"
    if not os.path.exists(BERLIN) or not os.path.exists(NEW_YORK):
        return "needs time zones (package tzdata)"
    reason = tools.missing("unshare")
    if reason:
        return reason
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/run"],
                           capture_output=True, check=False)
    return None if tried.returncode == 0 else "needs mount namespaces"


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def take_etc(real):
    """An /etc of our own."""
    mount("--bind", "/etc", real)
    mount("-t", "tmpfs", "tmpfs", "/etc")
    for name in os.listdir(real):
        if f"/etc/{name}" != LOCALTIME:
            os.symlink(f"{real}/{name}", f"/etc/{name}")


@unittest.skipUnless(INSIDE in os.environ, missing())
class Zones(SteppedTest):
    AT_THREE = puppet("a", "act.at = 03:00")

    def setUp(self):
        self.now = calendar.timegm((2026, 6, 15, 12, 10, 0))
        self.link(BERLIN)

    def link(self, zone):
        """As timedatectl does it."""
        os.symlink(zone, LOCALTIME + ".new")
        os.rename(LOCALTIME + ".new", LOCALTIME)

    def mount_file(self, zone, target):
        mount("--bind", zone, target)
        self.addCleanup(subprocess.run, ["umount", target], check=True)

    def planned(self, daemon):
        return self.task(daemon, "a", "act")["next_in"]

    def next(self, daemon):
        return self.task(daemon, "a", "act")["next"][:1]

    def wait_point(self, daemon, point):
        harness.wait_until(lambda: self.next(daemon) == [point], f"a run at {point}")

    def begin(self, config=AT_THREE):
        daemon = self.start_shifted(config)
        self.wait_point(daemon, IN_BERLIN)
        return daemon

    def test_another_link(self):
        daemon = self.begin()
        self.link(NEW_YORK)
        self.wait_point(daemon, IN_NEW_YORK)
        daemon.wait_log(r"notice +\[a/act\] the time zone has changed: planned anew")
        # Removed first, then made again; and what is written into a file in parts.
        os.unlink(LOCALTIME)
        os.symlink(BERLIN, LOCALTIME)
        self.wait_point(daemon, IN_BERLIN)
        with open(NEW_YORK, "rb") as file:
            content = file.read()
        os.unlink(LOCALTIME)
        with open(LOCALTIME, "wb", buffering=0) as file:
            for i in range(0, len(content), 100):
                file.write(content[i:i + 100])
        self.wait_point(daemon, IN_NEW_YORK)
        os.unlink(LOCALTIME)
        self.wait_point(daemon, "2026-06-16T03:00:00.000Z")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_file_that_is_mounted(self):
        """Which the kernel tells nobody: it is seen when the clock is set, at a reload, and once a minute."""
        os.unlink(LOCALTIME)
        with open(BERLIN, "rb") as berlin, open(LOCALTIME, "wb") as local:
            local.write(berlin.read())
        daemon = self.begin()
        self.mount_file(NEW_YORK, LOCALTIME)
        self.step(self.now)
        self.wait_point(daemon, IN_NEW_YORK)
        self.assertRegex(daemon.ctl("list").stdout, r"(?m)^a/act +at \*-\*-\* 03:00:00 ")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_new_tables(self):
        daemon = self.begin(puppet("a", "act.at = 03:00 Europe/Berlin"))
        self.mount_file(NEW_YORK, BERLIN)
        self.assertEqual(daemon.ctl("reload").returncode, 0)
        self.wait_point(daemon, IN_NEW_YORK)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @unittest.skipIf(landlock_abi() == 0, "this kernel has no Landlock")
    def test_in_the_sandbox(self):
        # The clock is the real one, as what sets it for tests is not to be seen from there.
        daemon = self.daemon(puppet("a", "act.at = 2040-06-16 03:00", f"read-only = {ZONEINFO}", "read-write = ."))
        daemon.wait_started()
        in_berlin, in_new_york = (point.replace("2026", "2040") for point in (IN_BERLIN, IN_NEW_YORK))
        self.wait_point(daemon, in_berlin)
        self.link(NEW_YORK)
        self.wait_point(daemon, in_new_york)
        # A file of its own is not among those that it was given: that is said, and a restart helps.
        with open(BERLIN, "rb") as berlin, open(LOCALTIME + ".new", "wb") as local:
            local.write(berlin.read())
        os.rename(LOCALTIME + ".new", LOCALTIME)
        daemon.wait_log(r"warning +\[a/act\] the time zone has changed, and cannot be read: Permission denied")
        self.assertEqual(self.next(daemon), [in_new_york])
        self.assertEqual(daemon.ctl("restart", "a").returncode, 0)
        self.wait_point(daemon, in_berlin)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_was_due_stays_so(self):
        """A point that waits for its start by jitter was due, whatever the clock on the wall says by now."""
        daemon = self.begin(puppet("a", "act.at = 2026-06-16 03:00", "act.jitter = 100h"))
        came = calendar.timegm((2026, 6, 16, 1, 0, 1))
        left = self.planned(daemon) - (came - self.now)
        self.step(came)
        before = harness.wait_until(lambda: (p := self.planned(daemon)) < left + 60 and p, "the point to come")
        self.link(NEW_YORK)
        # There three in the morning is still to come.
        self.wait_point(daemon, IN_NEW_YORK)
        after = self.planned(daemon)
        self.assertTrue(before - 300 < after <= before, (before, after))
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    if INSIDE not in os.environ and missing() is None:
        os.environ[INSIDE] = "1"
        os.environ.pop("TZ", None)
        # Not exec, after which nobody would take away the harness's copy of a user's build.
        sys.exit(subprocess.run(["unshare", "-m", sys.executable, os.path.abspath(__file__), *sys.argv[1:]],
                                check=False).returncode)
    if INSIDE in os.environ:
        with tempfile.TemporaryDirectory() as real_etc:
            take_etc(real_etc)
            try:
                harness.main()
            finally:
                subprocess.run(["umount", real_etc], check=True)
    else:
        harness.main()
