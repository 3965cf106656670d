#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files that change while their commands run, and files that the spool leaves alone."""
import os
import pwd
import subprocess
import unittest

import harness
from spooling import SpoolTest


class Changes(SpoolTest):
    """Files that become others while their commands run."""
    COMMAND = '{ cat "$1"; echo; } >> runs; cat "$1"; cat fifo'

    def held(self, *lines, command=COMMAND):
        """A spool whose commands wait until they are let go."""
        daemon = self.spool(command, *lines, start=False)
        os.mkfifo(os.path.join(daemon.state, "fifo"))
        daemon.start().wait_started()
        self.wait_watch(daemon)
        return daemon

    def let_go(self, daemon):
        harness.release(os.path.join(daemon.state, "fifo"))

    def replace(self, daemon, name, text):
        with open(self.path(daemon, ".new"), "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.path(daemon, ".new"), self.path(daemon, name))

    def append(self, daemon, name, text):
        with open(self.path(daemon, name), "a", encoding="utf-8") as file:
            file.write(text)

    def test_each_version_is_processed(self):
        daemon = self.held()
        self.replace(daemon, "a", "one")
        for runs, change, text in ((["one"], self.replace, "two"), (["one", "two"], self.append, "-more"),
                                   (["one", "two", "two-more"], self.replace, "three")):
            self.wait_runs(daemon, *runs)
            change(daemon, "a", text)
            self.let_go(daemon)
        self.wait_runs(daemon, "one", "two", "two-more", "three")
        self.let_go(daemon)
        self.wait_done(daemon, "a")
        # The outputs of the versions before are not kept beside this one.
        self.assertEqual(sorted(os.listdir(self.path(daemon, "done"))), ["a", "a.output"])
        for name in ("a", "a.output"):
            self.assertEqual(self.content(daemon, "done", name), "three")
        for what in ("was replaced", "has changed"):
            self.assertRegex(daemon.text(), rf"\] a {what} after its command had begun, and is processed again")
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["finished"] == 4, "all jobs")
        self.assertEqual(pool()["failed"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_writer_at_the_end(self):
        daemon = self.held()
        self.replace(daemon, "a", "one")
        self.wait_runs(daemon, "one")
        with open(self.path(daemon, "a"), "a", encoding="utf-8") as writer:
            self.let_go(daemon)
            daemon.wait_log(r"\] a was opened for writing after its command had begun, and is processed again")
            writer.write("-more")
        self.wait_runs(daemon, "one", "one-more")
        self.let_go(daemon)
        self.wait_done(daemon, "a")
        self.assertEqual(self.content(daemon, "done", "a"), "one-more")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_writer_while_it_is_queued(self):
        daemon = self.held("process.workers = 1", command='cat "$1" >> seen; echo . >> seen; case "$1" in *slow) cat fifo;; esac')
        self.put(daemon, "slow")
        harness.wait_until(lambda: os.path.exists(self.path(daemon, "..", "seen")), "the first")
        self.put(daemon, "file")
        harness.wait_until(lambda: daemon.module("spool")["pools"][0]["queued"] == 1, "the second to be queued")
        with open(self.path(daemon, "file"), "w", encoding="utf-8") as writer:
            writer.write("half")
            writer.flush()
            self.let_go(daemon)
            daemon.wait_log("file was opened for writing before its command began, and is taken when it is complete")
            writer.write(" whole")
        self.wait_done(daemon, "file")
        self.assertEqual(self.content(daemon, "..", "seen"), "slow.\nhalf whole.\n")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_failure_of_the_version_before(self):
        daemon = self.held("process.retries = 1", command=self.COMMAND + "; exit 3")
        self.replace(daemon, "a", "one")
        self.wait_runs(daemon, "one")
        self.replace(daemon, "a", "two")
        self.let_go(daemon)
        # Its attempts count anew.
        self.wait_runs(daemon, "one", "two")
        self.let_go(daemon)
        self.wait_runs(daemon, "one", "two", "two")
        self.let_go(daemon)
        daemon.wait_log("moved to failed/: a: /bin/sh: exit code 3")
        self.assertRegex(daemon.text(), r"warning \[spool/process#1\] a: /bin/sh: exit code 3; it was replaced after")
        self.assertEqual(sorted(os.listdir(self.path(daemon, "failed"))), ["a", "a.output"])
        self.assertEqual(self.content(daemon, "failed", "a"), "two")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_command_that_changes_its_file(self):
        for command in ('echo ran >> runs; sed s/a/b/ "$1" > new; mv new "$1"', 'echo ran >> runs; echo more >> "$1"'):
            with self.subTest(command):
                daemon = self.spool(command).wait_started()
                self.put(daemon, "a")
                daemon.wait_log(r"a has changed during 5 runs of its command in a row, and is taken as it is; if the "
                                "command changes it, set `edits = yes`")
                self.wait_done(daemon, "a")
                self.assertEqual(self.runs(daemon), ["ran"] * 5)
                self.assertEqual(daemon.stop(), 0, daemon.text())
                daemon = self.spool(command, "edits = yes").wait_started()
                self.put(daemon, "a")
                self.wait_done(daemon, "a")
                self.assertEqual(self.runs(daemon), ["ran"])
                self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_writer_that_opens_again_and_again(self):
        daemon = self.spool('cat "$1"').wait_started()
        pid = daemon.module("spool")["pid"]
        writer = os.path.join(harness.FIXTURES, "reopener")
        count = 300
        done = subprocess.run([writer, self.path(daemon), str(count)], check=False, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0)
        harness.wait_until(lambda: sorted(os.listdir(self.path(daemon))) == ["done", "failed"], "an empty directory")
        # The lease that tells whether there is a writer has ended nobody.
        self.assertEqual((daemon.module("spool")["pid"], daemon.module("spool")["restarts"]), (pid, 0))
        # What was written is there, and was seen by a command. A name that went on after it was done is a new file.
        texts = {name: self.content(daemon, "done", name) for name in os.listdir(self.path(daemon, "done"))}
        self.assertEqual(os.listdir(self.path(daemon, "failed")), [])
        files = [name for name in texts if not name.endswith(".output")]
        self.assertEqual(sum(len(texts[name]) for name in files), 20 * count)
        for name in files:
            self.assertEqual(texts[name], texts[name + ".output"], name)
        self.assertEqual(daemon.stop(), 0, daemon.text())


class Names(SpoolTest):
    """Files that lie in the directory and are not taken."""

    def test_names_to_leave_alone(self):
        daemon = self.spool('cat "$1"', "ignore = *.filepart", "ignore = tmp-?", start=False)
        os.makedirs(self.path(daemon))
        self.put(daemon, "early.filepart")
        daemon.start().wait_started()
        self.put(daemon, "a.filepart")
        self.put(daemon, "tmp-1")
        self.put(daemon, "tmp-12")
        self.wait_done(daemon, "tmp-12")
        # As an upload ends.
        os.rename(self.path(daemon, "a.filepart"), self.path(daemon, "a"))
        self.wait_done(daemon, "a")
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="tmp-1")
        self.assertEqual(done.returncode, 1)
        self.assertIn('"tmp-1" is not the name of a file that the spool takes', done.stdout)
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["finished"] == 2, "the jobs")
        self.assertEqual(sorted(os.listdir(self.path(daemon))), ["done", "early.filepart", "failed", "tmp-1"])
        self.assertEqual(daemon.stop(), 0, daemon.text())
        code, errors = self.run_reeved("[module:s]\nload = spool\ndirectory = s\ncommand = true\nignore = a/*\n")
        self.assertEqual(code, 1)
        self.assertIn("ignore = a/*: expected a pattern for names, without a slash", errors)

    def test_what_is_no_file_is_told_of_once(self):
        daemon = self.spool("true", start=False)
        os.makedirs(self.path(daemon, "folder"))
        os.symlink("/etc/passwd", self.path(daemon, "early"))
        daemon.start().wait_started()
        daemon.wait_log(r"notice  \[spool/watch#1\] early is no regular file, and is left alone")
        self.wait_watch(daemon)
        os.symlink("nowhere", self.path(daemon, ".new"))
        os.rename(self.path(daemon, ".new"), self.path(daemon, "late"))
        daemon.wait_log("late is no regular file")
        os.rename(self.path(daemon, "late"), self.path(daemon, "later"))
        daemon.wait_log("later is no regular file")
        # The job of a name that a link takes.
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="early")
        self.assertIn("spool/early: it is no regular file", done.stdout)
        self.assertEqual(daemon.text().count("early is no regular file"), 1)
        self.assertNotIn("directory is no", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def of_nobody(self):
        """A spool that belongs to another user, as its host does; to be started."""
        user = pwd.getpwnam("nobody")
        daemon = self.spool('cat "$1"', "user = nobody", start=False)
        os.chmod(daemon.folder, 0o711)
        for path in (daemon.state, self.path(daemon)):
            os.makedirs(path, exist_ok=True)
            os.chown(path, user.pw_uid, user.pw_gid)
        return daemon

    @unittest.skipUnless(os.geteuid() == 0, "needs root, for another user")
    def test_what_cannot_be_read(self):
        user, daemon = pwd.getpwnam("nobody"), self.of_nobody()
        for name in ("early", ".new"):
            with open(os.open(self.path(daemon, name), os.O_WRONLY | os.O_CREAT, 0o600), "w",
                      encoding="utf-8") as file:
                file.write(name)
        daemon.start().wait_started()
        daemon.wait_log(r"warning \[spool/watch#1\] early cannot be read: Permission denied; it stays where it is until "
                        "its owner or mode has changed")
        self.assertEqual(self.wait_watch(daemon), "watching spool; 1 file cannot be read")
        # Also one that is moved in.
        os.rename(self.path(daemon, ".new"), self.path(daemon, "late"))
        daemon.wait_log("late cannot be read")
        harness.wait_until(lambda: self.wait_watch(daemon) == "watching spool; 2 files cannot be read", "two")
        os.chmod(self.path(daemon, "early"), 0o644)
        self.wait_done(daemon, "early")
        os.chown(self.path(daemon, "late"), user.pw_uid, user.pw_gid)
        self.wait_done(daemon, "late")
        harness.wait_until(lambda: self.wait_watch(daemon) == "watching spool", "none")
        self.assertEqual(daemon.text().count("cannot be read"), 2)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    @unittest.skipUnless(os.geteuid() == 0, "needs root, for another user")
    def test_another_users_writer(self):
        """There is no lease to tell that somebody writes the file; that it was just written to tells."""
        daemon = self.of_nobody()
        self.put(daemon, "old")
        os.utime(self.path(daemon, "old"), (0, 0))
        with open(self.path(daemon, "growing"), "w", encoding="utf-8") as writer:
            # By the scan at the start, which comes across both.
            daemon.start().wait_started()
            self.wait_done(daemon, "old")
            self.wait_watch(daemon)
            self.assertEqual(daemon.module("spool")["pools"][0]["accepted"], 1)
            writer.write("whole")
        self.wait_done(daemon, "growing")
        self.assertEqual(self.content(daemon, "done", "growing.output"), "whole")
        self.assertEqual(daemon.stop(), 0, daemon.text())


if __name__ == "__main__":
    harness.main()
