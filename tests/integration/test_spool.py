#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The spool: which files it takes, and what becomes of them."""
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import unittest

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


class Spool(SpoolTest):
    def test_what_is_there_at_the_start(self):
        daemon = self.spool('cat "$1"', start=False)
        os.makedirs(self.path(daemon, "folder"))
        self.put(daemon, "whole")
        self.put(daemon, ".hidden")
        os.symlink("/etc/passwd", self.path(daemon, "link"))
        os.mkfifo(self.path(daemon, "fifo"))
        with open(self.path(daemon, "growing"), "w", encoding="utf-8") as writer:
            daemon.start().wait_started()
            self.wait_done(daemon, "whole.output")
            # Somebody still writes it.
            self.assertTrue(os.path.exists(self.path(daemon, "growing")))
            writer.write("all of it")
        self.wait_done(daemon, "growing.output")
        with open(self.path(daemon, "done", "growing.output"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "all of it")
        # What is no file of ours is left alone.
        for name in (".hidden", "link", "fifo", "folder"):
            self.assertTrue(os.path.lexists(self.path(daemon, name)), name)
        self.assertEqual(sorted(os.listdir(self.path(daemon, "failed"))), [])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_more_files_than_the_queue_holds(self):
        daemon = self.spool("true", "process.queue = 2", "process.workers = 3").wait_started()
        names = [f"file{i}" for i in range(300)]
        for name in names:
            self.put(daemon, name)
        self.wait_done(daemon, *names)
        pool = lambda: daemon.module("spool")["pools"][0]
        # A file is in its place a moment before its job has ended.
        harness.wait_until(lambda: pool()["finished"] == pool()["accepted"], "all jobs")
        self.assertEqual(pool()["accepted"], 300)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_restart_while_the_queue_is_full(self):
        """It cancels the watch, which waits for room: that is no failure."""
        daemon = self.spool("exec sleep 1000", "process.queue = 2", "process.workers = 1", "drain = 1ms").wait_started()
        for i in range(9):
            self.put(daemon, f"file{i}")
        for _ in range(8):
            harness.wait_until(lambda: daemon.module("spool")["pools"][0]["queued"] == 2, "a full queue")
            self.assertEqual(daemon.ctl("restart", "spool").returncode, 0)
        self.assertEqual(daemon.module("spool")["tasks"][0]["failures"], 0, daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertNotIn("Broken pipe", daemon.text())

    def test_a_job_from_outside_stays_in_the_folder(self):
        daemon = self.spool("touch ../ran", "process.retries = 0").wait_started()
        for name in ("../reeve.ini", "/etc/passwd", ".hidden", "done"):
            done = daemon.ctl("submit", "spool/process", "--wait", stdin=name)
            self.assertEqual(done.returncode, 1, name)
        self.assertFalse(os.path.exists(os.path.join(daemon.folder, "ran")))
        self.assertTrue(os.path.exists(daemon.config_path))
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="nosuch")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"failed after \S+: spool/nosuch: No such file or directory "
                         r"\(ENOENT\)")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_name_that_can_never_be_right(self):
        """It is refused at once, and nothing of the module's is wrong."""
        daemon = self.spool("true", "ignore = *.part").wait_started()
        for data, said in ("../reeve.ini", r'"\.\./reeve\.ini" is not the name of a file that the spool takes'), \
                (".hidden", '"\\.hidden" is not'), ("a.part", '"a\\.part" is not'), ("", '"" is not'), ("\n", '"\\S*" is not'), \
                ("a\0b", '"a" is not'), ("x" * 300, '"x+" is not'), ("done", "spool/done: it is no regular file"):
            done = daemon.ctl("submit", "spool/process", "--wait", stdin=data)
            self.assertEqual(done.returncode, 1, data)
            self.assertRegex(done.stdout, rf"^job \d+ failed after \S+: {said}.* \(EBADMSG\)$")
        pool = harness.wait_until(lambda: (p := daemon.module("spool")["pools"][0])["failed"] == 8 and p, "the count")
        self.assertEqual((pool["retried"], pool["last_error"]), (0, ""))
        self.assertEqual(daemon.health()["status"], "pass", daemon.health())
        self.assertNotIn("attempt", daemon.text())
        daemon.wait_log(r'warning \[spool/process#2\] refused: "\.hidden" is not the name')
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_job_from_outside(self):
        """Its data are a name, with or without the line end that echo writes."""
        daemon = self.spool("true", "process.retries = 0", start=False)
        daemon.start().wait_started()
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="nosuch\n")
        self.assertRegex(done.stdout, r"spool/nosuch: No such file or directory \(ENOENT\)")
        # Not as the watch's own, of which somebody may take a file away again.
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="nosuch\0")
        self.assertRegex(done.stdout, r'"nosuch" is not the name of a file that the spool takes \(EBADMSG\)')
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_file_that_is_taken_away_again_is_no_failure(self):
        daemon = self.spool("touch ready; cat fifo", "process.workers = 1").wait_started()
        os.mkfifo(os.path.join(daemon.state, "fifo"))
        self.put(daemon, "first")
        harness.wait_until(lambda: os.path.exists(os.path.join(daemon.state, "ready")), "the first")
        self.put(daemon, "second")
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["queued"] == 1, "the second to be queued")
        os.unlink(self.path(daemon, "second"))
        harness.release(os.path.join(daemon.state, "fifo"))
        harness.wait_until(lambda: pool()["finished"] == 2, "both")
        self.assertEqual(pool()["failed"], 0)
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_folder_that_goes_away(self):
        daemon = self.spool("true").wait_started()
        shutil.rmtree(self.path(daemon))
        daemon.wait_log(r"\[spool\] .*spool\S* is gone; restart")
        harness.wait_until(lambda: os.path.isdir(self.path(daemon, "failed")), "a new directory")
        self.put(daemon, "later")
        self.wait_done(daemon, "later")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_nothing_is_overwritten(self):
        daemon = self.spool('echo "of $(basename "$1")"', "process.workers = 1", start=False)
        os.makedirs(self.path(daemon, "done"))
        # Left by a power cut between the output and its file, say.
        with open(self.path(daemon, "done", "a.output"), "w", encoding="utf-8") as file:
            file.write("of somebody else")
        daemon.start().wait_started()
        self.put(daemon, "a")
        self.wait_done(daemon, "a.1")
        self.assertEqual(self.content(daemon, "done", "a.1.output"), "of a\n")
        # A file whose name is that of an output, and then the one whose output has that name.
        self.put(daemon, "b.output")
        self.wait_done(daemon, "b.output")
        self.put(daemon, "b")
        self.wait_done(daemon, "b.1")
        self.assertEqual(sorted(os.listdir(self.path(daemon, "done"))),
                         ["a.1", "a.1.output", "a.output", "b.1", "b.1.output", "b.output",
                          "b.output.output"])
        self.assertEqual(self.content(daemon, "done", "a.output"), "of somebody else")
        self.assertEqual(self.content(daemon, "done", "b.output"), "b.output")
        self.assertEqual(self.content(daemon, "done", "b.output.output"), "of b.output\n")
        long = "x" * 255
        self.put(daemon, long)
        self.wait_done(daemon, long)
        self.assertEqual(self.content(daemon, "done", "x" * 248 + ".output"), f"of {long}\n")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_consumer_that_takes_what_is_done_at_once(self):
        daemon = self.spool('echo "$1" >> runs; echo result').wait_started()
        names = [f"file{i}" for i in range(30)]
        os.mkdir(self.path(daemon, "..", "taken"))
        for name in names:
            self.put(daemon, name)
        taken = set()

        def take():
            for name in set(names) - taken:
                with contextlib.suppress(FileNotFoundError):
                    os.rename(self.path(daemon, "done", name), self.path(daemon, "..", "taken", name))
                    taken.add(name)
            return len(taken) == len(names) or None
        harness.wait_until(take, "all files")
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["finished"] == pool()["accepted"], "all jobs")
        self.assertEqual(pool()["accepted"], 30)
        self.assertEqual(len(self.runs(daemon)), 30)
        self.assertEqual(sorted(os.listdir(self.path(daemon, "done"))), sorted(name + ".output" for name in names))
        self.assertNotIn("processed again", daemon.text())
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_command_that_removes_its_file(self):
        daemon = self.spool('echo gone; rm "$1"').wait_started()
        self.put(daemon, "a")
        pool = lambda: daemon.module("spool")["pools"][0]
        harness.wait_until(lambda: pool()["finished"] == 1, "the job")
        self.assertEqual(sorted(os.listdir(self.path(daemon))), ["done", "failed"])
        self.assertEqual(os.listdir(self.path(daemon, "done")), [])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def blocked(self, command, folder):
        """A spool that has run the command for the file "a", and cannot move it there."""
        daemon = self.spool(command, "process.retries = 1", start=False)
        # Root may write anywhere, but not in place of a directory.
        os.makedirs(self.path(daemon, folder, ".a.output.new"))
        daemon.start().wait_started()
        self.wait_watch(daemon)
        self.put(daemon, "a")
        daemon.wait_log(rf"attempt 2 of \d failed: a is processed, and only its move to {folder}/ is tried again: "
                        "create a temporary file beside a.output: Is a directory")
        harness.wait_until(lambda: daemon.module("spool")["pools"][0]["failed"] == 1, "the job's end")
        return daemon

    def unblock(self, daemon, folder):
        os.rmdir(self.path(daemon, folder, ".a.output.new"))

    def look_again(self, daemon):
        """As a scan does: a writer that closes the file without a change."""
        os.close(os.open(self.path(daemon, "a"), os.O_WRONLY))

    def test_a_move_that_fails_does_not_run_the_command_again(self):
        daemon = self.blocked('echo ran >> runs; cat "$1"', "done")
        self.assertTrue(os.path.exists(self.path(daemon, "a")))
        mark = daemon.mark()
        self.look_again(daemon)
        daemon.wait_log(r"attempt 2 of \d failed: a is processed, and only its move", mark)
        self.unblock(daemon, "done")
        self.look_again(daemon)
        self.wait_done(daemon, "a")
        self.assertEqual(self.content(daemon, "done", "a.output"), "a")
        self.assertEqual(self.runs(daemon), ["ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_failed_file_that_cannot_be_moved(self):
        daemon = self.blocked('echo ran >> runs; echo why; exit 7', "failed")
        self.assertEqual(self.runs(daemon), ["ran", "ran"])
        self.unblock(daemon, "failed")
        # Whoever asks for it gets the move alone.
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="a")
        self.assertEqual(done.returncode, 0, done.stdout)
        daemon.wait_log(r"\[spool/process#2\] moved to failed/: a: /bin/sh: exit code 7")
        self.assertEqual(self.content(daemon, "failed", "a.output"), "why\n")
        self.assertEqual(self.runs(daemon), ["ran", "ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_another_file_in_place_of_one_that_could_not_be_moved(self):
        daemon = self.blocked('echo ran >> runs; cat "$1"', "done")
        self.unblock(daemon, "done")
        with open(self.path(daemon, ".new"), "w", encoding="utf-8") as file:
            file.write("another")
        os.rename(self.path(daemon, ".new"), self.path(daemon, "a"))
        self.wait_done(daemon, "a")
        self.assertEqual(self.content(daemon, "done", "a.output"), "another")
        self.assertEqual(self.runs(daemon), ["ran", "ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_an_output_that_is_cut(self):
        daemon = self.spool("seq 1000", "output-max = 8").wait_started()
        self.put(daemon, "a")
        self.wait_done(daemon, "a")
        self.assertEqual(self.content(daemon, "done", "a.output"), "1\n2\n\n[... 3885 bytes left out ...]\n000\n")
        daemon.wait_log(r"warning \[spool/process#1\] a: its command's output is longer than `output-max`: the middle of it "
                        "is not kept")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_file_that_is_linked_in(self):
        """The kernel tells of its name alone."""
        daemon = self.spool('echo "$(basename "$1")" >> runs', "process.workers = 1").wait_started()
        self.wait_watch(daemon)
        outside = os.path.join(daemon.folder, "outside")
        with open(outside, "w", encoding="utf-8") as file:
            file.write("text")
        os.link(outside, self.path(daemon, "linked"))
        self.put(daemon, "renamed")
        self.wait_runs(daemon, "linked", "renamed")
        # As mail is delivered: the other name is gone when the event is read, or soon after.
        with open(f"{outside}-mail", "w", encoding="utf-8") as file:
            file.write("text")
        os.link(f"{outside}-mail", self.path(daemon, "mail"))
        os.unlink(f"{outside}-mail")
        self.wait_done(daemon, "mail")
        self.assertEqual(self.runs(daemon), ["linked", "renamed", "mail"])
        # One that is still written is not taken.
        with open(f"{outside}-growing", "w", encoding="utf-8") as file:
            os.link(f"{outside}-growing", self.path(daemon, "growing"))
            self.put(daemon, "after")
            self.wait_done(daemon, "after")
            self.assertEqual(self.runs(daemon)[3:], ["after"])
            os.unlink(self.path(daemon, "growing"))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_file_is_processed_by_one_job(self):
        daemon = self.spool("echo ran >> runs; cat fifo", start=False)
        os.mkfifo(os.path.join(daemon.state, "fifo"))
        daemon.start().wait_started()
        self.put(daemon, "a")
        harness.wait_until(lambda: os.path.exists(os.path.join(daemon.state, "runs")), "its command")
        done = daemon.ctl("submit", "spool/process", "--wait", stdin="a")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("spool/a: Operation already in progress", done.stdout)
        harness.release(os.path.join(daemon.state, "fifo"))
        self.wait_done(daemon, "a")
        self.assertEqual(self.runs(daemon), ["ran"])
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_timeout_is_told(self):
        """Whatever the command makes of its SIGTERM."""
        for command, retries in ("sleep 1000", 0), ("trap 'exit 7' TERM; sleep 1000 & wait", 0), \
                ("trap 'exit 0' TERM; sleep 1000 & wait", 0), ("trap '' TERM; while :; do sleep 0.1; done", 1):
            daemon = self.spool(command, "process.timeout = 1s", f"process.retries = {retries}",
                                "kill-after = 200ms", "process.grace = 1000s").wait_started()
            self.put(daemon, "a")
            daemon.wait_log(r"moved to failed/: a: its command was ended by its timeout$")
            if retries:
                daemon.wait_log(r"attempt 1 of 2 failed: a: its command was ended by its timeout")
            self.assertNotRegex(daemon.text(), "killed by|exit code")
            harness.wait_until(lambda: "its timeout" in daemon.module("spool")["pools"][0]["last_error"], "the error")
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_it_is_well_again_after_a_crash(self):
        daemon = self.spool("true").wait_started()
        self.wait_watch(daemon)
        daemon.kill("spool")
        harness.wait_until(lambda: daemon.module("spool")["restarts"] == 1 and daemon.health()["status"] == "pass", "health")
        watch = next(t for t in daemon.module("spool")["tasks"] if t["name"] == "watch")
        self.assertEqual((watch["failures"], watch["status"]), (1, "pass"))
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_job_without_time_for_its_retries(self):
        """It has ended, so that others may have the file: who asks again, and the watch."""
        daemon = self.spool("echo ran >> runs; exit 1", "process.backoff-max = 1h", backoff="1h").wait_started()
        self.wait_watch(daemon)
        os.mknod(self.path(daemon, "a"))
        for count in 1, 2:
            done = daemon.ctl("submit", "spool/process", "--wait", "--timeout", "1min", stdin="a")
            self.assertIn("a: /bin/sh: exit code 1", done.stdout)
            self.assertEqual(self.runs(daemon), count * ["ran"])
        self.put(daemon, "a")
        self.wait_runs(daemon, "ran", "ran", "ran")
        self.assertEqual(daemon.stop(), 0, daemon.text())

    def test_a_stop_in_the_middle_runs_it_again(self):
        daemon = self.spool('echo run >> runs; test -e go || sleep 1000', "drain = 0",
                            "grace = 1000s", daemon="shutdown-timeout = 1000s").wait_started()
        self.put(daemon, "job")
        runs = os.path.join(daemon.state, "runs")
        harness.wait_until(lambda: os.path.exists(runs) and os.path.getsize(runs), "a run")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertTrue(os.path.exists(self.path(daemon, "job")))
        with open(os.path.join(daemon.state, "go"), "w", encoding="utf-8"):
            pass
        daemon.log.clear()
        daemon.start().wait_started()
        self.wait_done(daemon, "job")
        with open(runs, encoding="utf-8") as file:
            self.assertEqual(file.read(), "run\nrun\n")
        self.assertEqual(daemon.stop(), 0, daemon.text())


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
        daemon = self.spool('cat "$1" >> seen; echo . >> seen; case "$1" in *slow) until test -e go; do sleep 0.01; done; esac',
                            "process.workers = 1").wait_started()
        self.wait_watch(daemon)
        self.put(daemon, "slow")
        harness.wait_until(lambda: os.path.exists(self.path(daemon, "..", "seen")), "the first")
        self.put(daemon, "file")
        harness.wait_until(lambda: daemon.module("spool")["pools"][0]["queued"] == 1, "the second to be queued")
        with open(self.path(daemon, "file"), "w", encoding="utf-8") as writer:
            writer.write("half")
            writer.flush()
            with open(os.path.join(daemon.state, "go"), "w", encoding="utf-8"):
                pass
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

    @unittest.skipUnless(os.geteuid() == 0, "needs root, for another user")
    def test_what_cannot_be_read(self):
        user = pwd.getpwnam("nobody")
        daemon = self.spool('cat "$1"', "user = nobody", start=False)
        os.chmod(daemon.folder, 0o711)
        for path in (daemon.state, self.path(daemon)):
            os.makedirs(path, exist_ok=True)
            os.chown(path, user.pw_uid, user.pw_gid)
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
        user = pwd.getpwnam("nobody")
        daemon = self.spool('cat "$1"', "user = nobody", start=False)
        os.chmod(daemon.folder, 0o711)
        for path in (daemon.state, self.path(daemon)):
            os.makedirs(path, exist_ok=True)
            os.chown(path, user.pw_uid, user.pw_gid)
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


class Folders(SpoolTest):
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
        text = "test -e pid || setsid sh -c 'echo $$ > pid; exec sleep 1000' & until test -s pid; do sleep 0.01; done"
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
