#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The spool and mounts: over its directory, full and read-only ones; and the limits of inotify.

The file runs itself again in a mount namespace, where it mounts what it wants.
"""
import os
import subprocess
import sys
import unittest

import harness
import tools
from spooling import SpoolTest

INSIDE = "REEVE_TEST_MOUNTS"


def without_user_namespaces():
    tried = subprocess.run(["unshare", "-Ur", "sh", "-c", "echo 1000 > /proc/sys/user/max_inotify_watches"],
                           capture_output=True, check=False)
    return None if tried.returncode == 0 else "needs user namespaces, for limits of their own"


@unittest.skipUnless(INSIDE in os.environ, tools.missing_mounts())
class Mounts(SpoolTest):
    def mount(self, path, *options, kind="tmpfs"):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", kind, *options, kind, path], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=False, stderr=subprocess.DEVNULL)

    def test_a_mount_over_the_folder(self):
        daemon = self.spool('cat "$1"').wait_started()
        self.wait_watch(daemon)
        self.put(daemon, "before")
        self.wait_done(daemon, "before")
        # Nothing happens in either directory that would wake the watch.
        self.mount(self.path(daemon))
        daemon.wait_log("spool leads to another directory now; restart 1")
        self.wait_done(daemon)
        harness.wait_until(lambda: os.path.isdir(self.path(daemon, "failed")), "the directories")
        self.put(daemon, "after")
        self.wait_done(daemon, "after")
        # When it goes away again the files below come to light.
        subprocess.run(["umount", "-l", self.path(daemon)], check=True)
        daemon.wait_log("spool (leads to another directory now|is gone); restart 2")
        self.assertEqual(self.content(daemon, "done", "before"), "before")
        self.put(daemon, "later")
        self.wait_done(daemon, "later")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_mount_over_done(self):
        daemon = self.spool('echo ran >> runs').wait_started()
        self.wait_watch(daemon)
        self.mount(self.path(daemon, "done"))
        daemon.wait_log("spool/done leads to another directory now; restart 1")
        self.put(daemon, "a")
        daemon.wait_log("files cannot be moved from spool to its done/: .*: Invalid cross-device link; the directory, its done/ "
                        "and its failed/ have to be in one file system; restart")
        self.assertEqual(self.runs(daemon), [])
        # Not while a start looks at it.
        harness.wait_until(lambda: subprocess.run(["umount", self.path(daemon, "done")], check=False,
                                                  stderr=subprocess.DEVNULL).returncode == 0, "the mount to go")
        self.wait_done(daemon, "a")
        self.assertEqual(self.runs(daemon), ["ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @tools.needs("bindfs")
    def test_fuse(self):
        """Its kernel grants leases, and does not see who writes the files: below the mount, as from another machine."""
        daemon = self.spool("cat $1", start=False)
        below = os.path.join(daemon.state, "below")
        for path in below, self.path(daemon):
            os.mkdir(path)
        done = subprocess.run(["bindfs", below, self.path(daemon)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"FUSE cannot be mounted: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.path(daemon)], check=False, stderr=subprocess.DEVNULL)
        with open(os.path.join(below, "old"), "w", encoding="utf-8"):
            pass
        os.utime(os.path.join(below, "old"), (0, 0))
        with open(os.path.join(below, "new"), "w", encoding="utf-8") as writer:
            writer.write("begun")
            writer.flush()
            daemon.start().wait_started()
            self.wait_done(daemon, "old")
            self.wait_watch(daemon)
            self.assertTrue(os.path.exists(self.path(daemon, "new")))
            writer.write(", ended")
        # A writer on this machine is known by its close.
        os.close(os.open(self.path(daemon, "new"), os.O_WRONLY))
        self.wait_done(daemon, "new")
        self.assertEqual(self.content(daemon, "done", "new.output"), "begun, ended")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def refused(self, *options, folders=()):
        """The words of a start whose directory is a mount with these options."""
        daemon = self.spool("echo ran >> runs", start=False)
        self.mount(self.path(daemon), "-o", "size=64k")
        for name in folders:
            os.mkdir(self.path(daemon, name))
        with open(self.path(daemon, "a"), "w", encoding="utf-8") as file:
            file.write("a")
        if "full" in options:
            with open(self.path(daemon, ".large"), "wb", buffering=0) as file, harness.contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
        else:
            subprocess.run(["mount", "-o", ",".join(["remount", *options]), self.path(daemon)], check=True)
        daemon.start()
        self.assertEqual(daemon.wait(), 1)
        self.assertEqual(self.runs(daemon), [])
        self.assertTrue(os.path.exists(self.path(daemon, "a")))
        return daemon.text()

    def test_read_only(self):
        for folders, text in (((), r"make the directory done: Read-only file system"),
                              (("done", "failed"), r"no file can be made in spool: .*: Read-only file system")):
            self.assertRegex(self.refused("ro", folders=folders), text + "; the spool needs a directory that it may write to")

    def test_full(self):
        self.assertRegex(self.refused("full", folders=("done", "failed")),
                         "no file can be made in spool: .*: No space left on device; make room there")

    @unittest.skipUnless(without_user_namespaces() is None, without_user_namespaces())
    def test_limits_of_inotify(self):
        for limit, value, text in (
                ("watches", 0, "watch spool: .* raise the sysctl fs.inotify.max_user_watches"),
                ("instances", 0, "watch spool: .* raise the sysctl fs.inotify.max_user_instances")):
            daemon = self.spool("true", start=False)
            daemon.program = os.path.join(daemon.folder, "start")
            with open(daemon.program, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\nexec unshare -Ur sh -c 'echo {value} > /proc/sys/user/max_inotify_{limit}; "
                           f"exec {harness.REEVED} \"$@\"' sh \"$@\"\n")
            os.chmod(daemon.program, 0o755)
            daemon.start()
            self.assertEqual(daemon.wait(), 1)
            self.assertRegex(daemon.text(), text)


if __name__ == "__main__":
    if INSIDE not in os.environ and tools.missing_mounts() is None:
        os.environ[INSIDE] = "1"
        # Not exec, after which nobody would take away the harness's copy of a user's build.
        sys.exit(subprocess.run(["unshare", "-m", sys.executable, os.path.abspath(__file__), *sys.argv[1:]],
                                check=False).returncode)
    harness.main()
