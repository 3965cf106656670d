#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Directories of the spool whose path leads elsewhere, or where files cannot be moved."""
import os
import shutil
import tempfile
import unittest

import harness
from spooling import SpoolTest


class Directories(SpoolTest):
    """A directory whose path leads elsewhere, or where files cannot be moved."""

    def write(self, daemon, *names):
        """A file that is renamed to its name, by a path in the state directory."""
        path = os.path.join(daemon.state, *names)
        with open(os.path.join(daemon.state, "new"), "w", encoding="utf-8") as file:
            file.write(names[-1])
        os.rename(os.path.join(daemon.state, "new"), path)

    def wait_file(self, daemon, *names):
        path = os.path.join(daemon.state, *names)
        harness.wait_until(lambda: os.path.exists(path), path)

    def test_a_link_in_the_path(self):
        daemon = self.spool('echo "$1" >> runs', directory="current/in", start=False)
        for name in ("r1", "r2"):
            os.makedirs(os.path.join(daemon.state, name, "in"))
        os.symlink("r1", os.path.join(daemon.state, "current"))
        daemon.start().wait_started()
        self.wait_watch(daemon)
        self.write(daemon, "r1", "in", "one")
        self.wait_file(daemon, "r1", "in", "done", "one")
        os.symlink("r2", os.path.join(daemon.state, "new"))
        os.rename(os.path.join(daemon.state, "new"), os.path.join(daemon.state, "current"))
        self.write(daemon, "r2", "in", "two")
        # The directory that is watched gets a file: its command would be given a path to nothing.
        self.write(daemon, "r1", "in", "three")
        daemon.wait_log("current/in leads to another directory now; restart 1")
        self.wait_file(daemon, "r2", "in", "done", "two")
        self.assertTrue(os.path.exists(os.path.join(daemon.state, "r1", "in", "three")))
        self.assertEqual(os.listdir(os.path.join(daemon.state, "r1", "in", "failed")), [])
        self.assertEqual(self.runs(daemon), ["./current/in/one", "./current/in/two"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_folder_above_is_renamed(self):
        daemon = self.spool('cat "$1"', directory="a/in", start=False)
        os.mkdir(os.path.join(daemon.state, "a"))
        daemon.start().wait_started()
        self.wait_watch(daemon)
        os.rename(os.path.join(daemon.state, "a"), os.path.join(daemon.state, "b"))
        self.write(daemon, "b", "in", "three")
        daemon.wait_log("a/in is gone; restart 1")
        daemon.wait_log("make the directory a/in: No such file or directory; restart")
        self.assertEqual(sorted(os.listdir(os.path.join(daemon.state, "b", "in"))), ["done", "failed", "three"])
        self.assertEqual(os.listdir(os.path.join(daemon.state, "b", "in", "failed")), [])
        os.rename(os.path.join(daemon.state, "b"), os.path.join(daemon.state, "a"))
        daemon.ctl("restart", "spool")
        self.wait_file(daemon, "a", "in", "done", "three")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_folder_that_moves_while_a_command_runs(self):
        daemon = self.spool('echo "$1" >> runs; cat fifo; cat "$1"', directory="a/in", start=False)
        os.mkdir(os.path.join(daemon.state, "a"))
        os.mkfifo(os.path.join(daemon.state, "fifo"))
        daemon.start().wait_started()
        self.wait_watch(daemon)
        self.write(daemon, "a", "in", "one")
        self.wait_runs(daemon, "./a/in/one")
        os.rename(os.path.join(daemon.state, "a"), os.path.join(daemon.state, "b"))
        harness.release(os.path.join(daemon.state, "fifo"))
        daemon.wait_log(r"attempt 1 of \d failed: one stays where it is: a/in is gone")
        self.assertEqual(sorted(os.listdir(os.path.join(daemon.state, "b", "in"))), ["done", "failed", "one"])
        self.assertEqual(os.listdir(os.path.join(daemon.state, "b", "in", "failed")), [])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @unittest.skipUnless(os.path.isdir("/dev/shm") and os.stat("/dev/shm").st_dev != os.stat("/tmp").st_dev,
                         "needs another file system at /dev/shm")
    def test_done_in_another_file_system(self):
        other = tempfile.mkdtemp(dir="/dev/shm", prefix="reeve-test-")
        self.addCleanup(shutil.rmtree, other)
        for name in ("done", "failed"):
            daemon = self.spool('echo ran >> runs', start=False)
            os.makedirs(self.path(daemon))
            os.symlink(other, self.path(daemon, name))
            self.put(daemon, "a")
            daemon.start()
            self.assertEqual(daemon.wait(), 1)
            self.assertRegex(daemon.text(), rf"files cannot be moved \S+ spool.*{name}.*: Invalid cross-device link; the "
                             "directory, its done/ and its failed/ have to be in one file system")
            self.assertEqual(self.runs(daemon), [])
            self.assertEqual(os.listdir(other), [])

    @unittest.skipUnless(os.geteuid() == 0, "needs root, for another user")
    def test_a_folder_without_the_right_to_write(self):
        daemon = self.spool("true", "user = nobody", start=False)
        os.chmod(daemon.folder, 0o711)
        for name in ("", "done", "failed"):
            os.makedirs(self.path(daemon, name), exist_ok=True)
        daemon.start()
        self.assertEqual(daemon.wait(), 1)
        self.assertRegex(daemon.text(), r"no file can be made in spool: .*\.reeve-probe-[0-9a-f]+: Permission denied; the module's user "
                         "needs the right to write there")

    def test_the_state_folder_is_no_spool(self):
        """reeved's own files would be processed. Nothing is made there before that is known."""
        state = "{state}"
        for directory in (".", "./", "x/..", state, "link", "link/"):
            daemon = self.spool("true", start=False)
            os.mkdir(os.path.join(daemon.state, "x"))
            os.symlink(daemon.state, os.path.join(daemon.state, "link"))
            daemon.write("[module:spool]\nload = spool\ncommand = true\ndirectory = "
                         f"{directory.format(state=daemon.state)}\n")
            daemon.start()
            daemon.wait_log(r"is the state directory, where reeved keeps files of its own; name a directory in it, such as "
                            r"`directory = spool`")
            self.assertFalse({"done", "failed"} & set(os.listdir(daemon.state)), directory)
            daemon.close()

    def test_folders_that_lead_back(self):
        for target, text in ((".", "its done leads back to it"), ("..", "done is the state directory")):
            daemon = self.spool("true", start=False)
            os.mkdir(self.path(daemon))
            os.symlink(target, self.path(daemon, "done"))
            daemon.start().wait_log(text)
            daemon.close()

    def test_a_folder_has_one_spool(self):
        daemon = self.daemon("".join(
            f"[module:{name}]\nload = spool\ndirectory = {directory}\ncommand = echo {name} >> runs\nessential = no\n"
            "restart-delay = 1ms\n" for name, directory in (("spool", "spool"), ("other", "././spool/"))))
        daemon.wait_log(r"another spool processes this directory already: process \d+ \(.*reeve-host.*\); give each spool a directory "
                        "of its own")
        names = ("spool", "other")
        harness.wait_until(lambda: "ready" in [daemon.module(name)["state"] for name in names], "one of them")
        name = next(name for name in names if daemon.module(name)["state"] == "ready")
        for i in range(5):
            self.put(daemon, f"file{i}")
        self.wait_done(daemon, *(f"file{i}" for i in range(5)))
        harness.wait_until(lambda: daemon.module(name)["pools"][0]["finished"] == 5, "their jobs")
        self.assertEqual(self.runs(daemon), [name] * 5)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_the_folder_of_another_daemon(self):
        first = self.spool("true").wait_started()
        second = self.spool("true", "essential = no", directory=self.path(first))
        second.wait_log("another spool processes this directory already")
        self.put(first, "file")
        self.wait_done(first, "file")
        self.assertEqual(first.stop(), 0, first.text())
        second.wait_ready("spool")
        self.assertEqual(second.stop(), 0, second.text())

    def test_the_same_folder_after_a_reload_and_a_crash(self):
        """A process that a command has left behind does not keep it locked."""
        text = "test -p ready || { mkfifo ready hold; setsid sh -c 'echo $$ > pid; echo > ready; exec cat hold' & read _ < ready; }"
        daemon = self.spool(text).wait_started()
        self.put(daemon, "first")
        self.wait_done(daemon, "first")
        with open(os.path.join(daemon.state, "pid"), encoding="utf-8") as file:
            child = int(file.read())
        self.assertTrue(harness.is_alive(child))
        with open(daemon.config_path, encoding="utf-8") as file:
            config = file.read()
        with open(daemon.config_path, "w", encoding="utf-8") as file:
            file.write(config + "edits = yes\n")
        self.assertEqual(daemon.ctl("reload").returncode, 0, daemon.text())
        self.put(daemon, "second")
        self.wait_done(daemon, "second")
        daemon.kill("spool")
        daemon.wait_log("killed by SIGKILL")
        self.put(daemon, "third")
        self.wait_done(daemon, "third")
        self.assertNotIn("another spool", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_before_the_next_attempt_to_move(self):
        """The result is not lost with the attempt that does not come."""
        daemon = self.spool("echo ran >> runs; echo out", "process.backoff-max = 1h", backoff="1h", start=False)
        for name in "a", "b":
            os.makedirs(self.path(daemon, "done", f".{name}.output.new"))
        daemon.start().wait_started()
        self.wait_watch(daemon)
        for name in "a", "b":
            self.put(daemon, name)
            daemon.wait_log(f"attempt 1 of 3 failed: {name} is processed, and only its move")
            if name == "b":
                os.rmdir(self.path(daemon, "done", ".b.output.new"))
            self.assertEqual(daemon.ctl("stop", "spool").returncode, 0)
            if name == "a":
                daemon.wait_log("a is processed, but cannot be moved: .*; the next start runs its command again")
                os.unlink(self.path(daemon, "a"))
                self.assertEqual(daemon.ctl("start", "spool").returncode, 0)
                self.wait_watch(daemon)
        self.assertEqual(self.content(daemon, "done", "b.output"), "out\n")
        self.assertFalse(os.path.exists(self.path(daemon, "b")))
        self.assertEqual(self.runs(daemon), ["ran", "ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_what_could_not_be_moved_is_told_at_the_end(self):
        daemon = self.spool("true", "process.retries = 0", start=False)
        os.makedirs(self.path(daemon, "done", ".a.output.new"))
        daemon.start().wait_started()
        self.wait_watch(daemon)
        self.put(daemon, "a")
        daemon.wait_log(r"\] failed: a is processed, and only its move")
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["failed"] == 1, "the job's end")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertRegex(daemon.text(), "a is processed, but cannot be moved: create a temporary file beside a.output: Is a "
                         "directory; the next start runs its command again")


if __name__ == "__main__":
    harness.main()
